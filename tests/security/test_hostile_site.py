"""Whatever a site sends ends in a proper error in bounded time, and the next good answer comes through."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from pathlib import Path
from time import monotonic

import pytest

import proxy.upstreams.aipkit.attempt
from tests.proxy.running import RunningProxy, running_proxy
from tests.security.hostile_site import (
    ANSWER,
    DONE,
    EVENTS_HEAD,
    OPENING,
    STEP_1,
    STEP_2,
    Act,
    HostileSite,
    delta,
    hostile_site,
    json_answer,
    response,
    sends,
)

DEEP = b"[" * 100_000
LATE = 10.0  # nothing here takes so long
INTERIM = b"HTTP/1.1 100 Continue\r\n\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
EVENTS = EVENTS_HEAD + b"\r\n" + OPENING


def chunk(data: bytes) -> bytes:
    """*data* as one chunk of a body."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def resets(*pieces: bytes) -> Act:
    """Send *pieces*, then reset the connection."""

    async def act(writer: asyncio.StreamWriter) -> None:
        await sends(*pieces)(writer)
        await asyncio.sleep(0.05)
        sock: socket.socket = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    return act


def drips(head: bytes, drop: bytes, seconds: float = 0.05) -> Act:
    """Send *head*, and then one *drop* after another without end."""

    async def act(writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while True:
            writer.write(drop)
            await writer.drain()
            await asyncio.sleep(seconds)

    return act


@pytest.fixture
async def hostile() -> AsyncIterator[HostileSite]:
    async with hostile_site() as running:
        yield running


@pytest.fixture
async def proxy_of(hostile: HostileSite, tmp_path: Path) -> AsyncIterator[RunningProxy]:
    async with running_proxy(hostile, tmp_path, idle_timeout=1.0) as running:
        yield running


WRONG_STEP_1 = {
    "no HTTP at all": sends(b"SSH-2.0-OpenSSH_9.2p1\r\n"),
    "nothing": sends(b""),
    "half a status line": sends(b"HTTP/1.1 20"),
    "a reset before the head": resets(),
    "a reset within the head": resets(b"HTTP/1.1 200 OK\r\nContent-Ty"),
    "a reset within the body": resets(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"),
    "a body shorter than promised": sends(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"),
    "no number as length": sends(b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n{}"),
    "two lengths": sends(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}x"),
    "a broken chunk": sends(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n"),
    "a chunk of a negative size": sends(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n{}\r\n"),
    "a header line of 1 MB": sends(b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * 2**20 + b"\r\n\r\n{}"),
    "JSON nested too deep": sends(response(DEEP, b"Content-Type: application/json")),
    "deep objects": sends(response(b'{"data":' * 100_000, b"Content-Type: application/json")),
    "a key of another kind": sends(json_answer({"success": True, "data": {"cache_key": {"a": 1}}})),
    "an answer compressed all the same": sends(response(b"\x1f\x8b\x08" + b"\0" * 50, b"Content-Encoding: gzip")),
    "an empty page": sends(response(b"")),
    "informational answers without end": drips(b"", INTERIM, 0.001),
    "a status of its own": sends(b"HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n"),
    "half a surrogate pair as its reason": sends(
        response(b'{"success":false,"data":{"message":"\\ud83d","code":"\\ud83d"}}').replace(b"200 OK", b"500 No")
    ),
}


@pytest.mark.parametrize("name", WRONG_STEP_1)
async def test_wrong_answers_to_the_message(
    proxy_of: RunningProxy, hostile: HostileSite, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proxy.upstreams.aipkit.attempt, "STEP_1_SECONDS", 1.0)
    monkeypatch.setattr("proxy.chat.upstream.restart_pause", lambda tries: 0.0)
    hostile.acts[STEP_1] = WRONG_STEP_1[name]

    await fails_and_recovers(proxy_of, hostile)


WRONG_STEP_2 = {
    "no HTTP at all": sends(b"SSH-2.0-OpenSSH_9.2p1\r\n"),
    "nothing": sends(b""),
    "a reset before the head": resets(),
    "a reset within the head": resets(b"HTTP/1.1 200 OK\r\nContent-Ty"),
    "a reset after the head": resets(EVENTS_HEAD + b"\r\n"),
    "a reset within an event": resets(EVENTS + b'data: {"del'),
    "a reset within the text": resets(EVENTS + delta("begun")),
    "a reset within later text": resets(EVENTS + delta("begun"), delta("more"), delta("a" * 5000)[:2000]),
    "later text that is no JSON": sends(EVENTS + delta("begun"), delta("more"), b'data: {"delta":"a\nb"}\n\n'),
    "an error after later text": sends(
        EVENTS + delta("begun"), delta("more"), b'event: error\ndata: {"error":"x"}\n\n'
    ),
    "a chunk that breaks after later text": sends(
        EVENTS_HEAD + CHUNKED + chunk(OPENING + delta("begun")), chunk(delta("more")), b"zz\r\n"
    ),
    "a body that just ends": sends(EVENTS + delta("begun")),
    "a broken chunk": sends(EVENTS_HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"),
    "a broken chunk after text": sends(EVENTS_HEAD + CHUNKED + chunk(delta("begun")) + b"zz\r\n"),
    "a chunked body that ends early": sends(EVENTS_HEAD + b"Transfer-Encoding: chunked\r\n\r\nffff\r\ndata"),
    "another content type": sends(response(DONE, b"Content-Type: text/html")),
    "a page that never ends": drips(b"HTTP/1.1 503 Busy\r\nContent-Type: text/html\r\n\r\n", b"<p>", 0.05),
    "a page that breaks off": resets(b"HTTP/1.1 503 Busy\r\nContent-Type: text/html\r\nContent-Length: 100\r\n\r\n<"),
    "a compressed body": sends(EVENTS_HEAD + b"Content-Encoding: gzip\r\n\r\n", b"\x1f\x8b\x08" + b"\0" * 5000),
    "informational answers without end": drips(b"", INTERIM, 0.001),
    "many informational answers at once": sends(INTERIM * 2000, response(b"")),
    "two codings": sends(EVENTS_HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    "a size of chunk without end": drips(EVENTS_HEAD + CHUNKED, b"0" * 1000, 0.001),
    "an extension of a chunk without end": drips(EVENTS_HEAD + CHUNKED + b"5;", b"a" * 1000, 0.001),
    "trailers without end": drips(EVENTS_HEAD + CHUNKED + b"0\r\n", b"X-A: b\r\n" * 100, 0.001),
    "a trailer line without end": drips(EVENTS_HEAD + CHUNKED + b"0\r\n", b"a" * 1000, 0.001),
    "a chunk longer than its size": sends(EVENTS_HEAD + CHUNKED + b"1\r\nabc\r\n"),
    "two lengths": sends(EVENTS_HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n:\n\n"),
    "a folded header": sends(EVENTS_HEAD + b" folded\r\n\r\n" + OPENING + delta("x")),
    "a head without end": drips(EVENTS_HEAD, b"X-A: b\r\n"),
    "a head byte by byte": drips(b"HTTP/1.1 200 OK\r\nX-A: ", b"b", 0.2),
    "a body that falls silent": drips(EVENTS + delta("begun"), b"", 0.1),
    "deltas nested too deep": sends(EVENTS + b"data: " + DEEP + b"\n\n" + b'data: {"delta":' + DEEP + b"\n\n" + DONE),
    "an error nested too deep": sends(EVENTS + b"event: error\ndata: " + DEEP + b"\n\n"),
    "an error with half a surrogate pair": sends(EVENTS + b'event: error\ndata: {"error":"\\udc00"}\n\n'),
    "an error of 7 MB": sends(EVENTS + b"event: error\ndata: " + b"e" * 7_000_000 + b"\n\n"),
    "nothing but an end": sends(EVENTS + DONE),
    "an event of nothing but binary": sends(EVENTS + bytes(range(256)) * 100),
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", WRONG_STEP_2)
async def test_wrong_event_streams(
    proxy_of: RunningProxy, hostile: HostileSite, name: str, stream: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.site_client.client.CONNECT_SECONDS", 1.0)
    monkeypatch.setattr("shared.site_client.client.ERROR_SECONDS", 0.5)
    hostile.acts[STEP_2] = WRONG_STEP_2[name]

    await fails_and_recovers(proxy_of, hostile, stream=stream)


ODD_BUT_WHOLE = {
    "half a surrogate pair": (b'data: {"delta":"a\\ud83d"}\n\n', "a\ufffd"),
    "a whole pair as escapes": (b'data: {"delta":"\\ud83d\\ude00"}\n\n', "😀"),
    "bytes that are no UTF-8": (b'data: {"delta":"a\xffb"}\n\n', "a\ufffdb"),
    "NUL and line separators": (b'data: {"delta":"a\\u0000\\u2028b"}\n\n', "a\0\u2028b"),
    "what looks like an end mark": (b'data: {"delta":"\\n\\ndata: [DONE]\\n\\n"}\n\n', "\n\ndata: [DONE]\n\n"),
    "citations of every kind": (
        b'event: citations\ndata: [{"url":"http://a/\\ud800","title":[[]],"start_char_index":1e400},{"url":[1]},7]\n\n'
        b'event: citations\ndata: [{"url":"http://a/","start_char_index":99999999999999999999,"end_char_index":true}]'
        b'\n\ndata: {"delta":"cited"}\n\n',
        "cited",
    ),
    "ids of every kind": (
        b'event: openai_response_id\ndata: {"id":"\\ud800"}\n\nevent: google_interaction_id\ndata: {"id":[]}\n\n'
        b'data: {"delta":"x"}\n\n',
        "x",
    ),
}


@pytest.mark.parametrize("name", ODD_BUT_WHOLE)
async def test_odd_text_of_a_whole_answer_arrives_in_valid_events(
    proxy_of: RunningProxy, hostile: HostileSite, name: str
) -> None:
    events, text = ODD_BUT_WHOLE[name]
    for pieces, expected in (
        ((EVENTS + events + DONE,), text),
        ((EVENTS + delta("first "), delta("more "), events, delta(" rest"), DONE), f"first more {text} rest"),
        ((EVENTS + delta("é "), events[:9], events[9:30], events[30:] + DONE), f"é {text}"),
    ):
        hostile.acts[STEP_2] = sends(*pieces)
        assert (await proxy_of.chat("hi")).text == expected
        stream = await proxy_of.openai.chat.completions.create(
            model="gpt-4o-mini-helper", messages=[{"role": "user", "content": "hi"}], stream=True
        )
        assert "".join([chunk.choices[0].delta.content or "" async for chunk in stream]) == expected


@pytest.mark.parametrize("action", [STEP_1, STEP_2])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_not_followed(
    proxy_of: RunningProxy, hostile: HostileSite, action: str, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proxy.upstreams.site.credentials.RENEWAL_SECONDS", 0.5)  # nobody makes the visit
    async with hostile_site() as target:
        location = f"{target.origin}/wp-admin/admin-ajax.php?action={action}".encode()
        hostile.acts[action] = sends(
            b"HTTP/1.1 %d Moved\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n" % (status, location)
        )

        await fails_and_recovers(proxy_of, hostile)
    assert target.requests == []


async def test_cookies_of_a_site_are_neither_kept_nor_sent_back(proxy_of: RunningProxy, hostile: HostileSite) -> None:
    flood = b"".join(b"Set-Cookie: c%d=%s; Path=/\r\n" % (number, b"v" * 1000) for number in range(50))
    key = json_answer({"success": True, "data": {"cache_key": "aipkit_sse_0123456789"}})
    hostile.acts[STEP_1] = sends(key.replace(b"Connection:", flood + b"Connection:"))
    hostile.acts[STEP_2] = sends(EVENTS_HEAD + flood + b"\r\n" + OPENING + delta(ANSWER) + DONE)

    for _ in range(3):
        answer = await proxy_of.chat("hi")
        assert answer.text == ANSWER
        assert "set-cookie" not in {name.lower() for name in answer.headers}
    assert not any(b"cookie:" in head.lower() for head in hostile.requests)


async def test_a_site_cannot_put_headers_or_events_of_its_own_into_an_answer(
    proxy_of: RunningProxy, hostile: HostileSite
) -> None:
    split = "x\r\nSet-Cookie: a=b\r\n\r\ndata: [DONE]\n\n"
    error = b'event: error\ndata: {"error":%s}\n\n' % escaped(split)
    hostile.acts[STEP_2] = sends(EVENTS + delta("begun") + error)

    answer = await proxy_of.chat("hi")
    assert answer.status == 502
    assert "set-cookie" not in {name.lower() for name in answer.headers}
    events = await streamed(proxy_of)
    assert all(line.startswith(b"data: {") for line in events.splitlines() if line)


def escaped(text: str) -> bytes:
    return delta(text).removeprefix(b'data: {"delta":').rstrip(b"}\n")


async def fails_and_recovers(proxy_of: RunningProxy, hostile: HostileSite, *, stream: bool = False) -> None:
    """One turn fails in OpenAI's shape and in time; once the site behaves, the next one is answered."""
    started = monotonic()
    if stream:
        events = (await streamed(proxy_of)).strip()
        assert b"[DONE]" not in events
        assert events.rpartition(b"\n\n")[2].removeprefix(b"data: ").startswith(b'{"error":')
    else:
        answer = await proxy_of.chat("hi")
        assert answer.status in {400, 429, 502, 503, 504}, answer.body
        assert set(answer.body["error"]) == {"message", "type", "param", "code"}
        assert answer.code != "internal_error"
        assert len(answer.body["error"]["message"]) < 1000
    assert monotonic() - started < LATE

    hostile.behave()
    assert (await proxy_of.chat("hi")).text == ANSWER


async def streamed(proxy_of: RunningProxy) -> bytes:
    body = {"model": "gpt-4o-mini-helper", "messages": [{"role": "user", "content": "hi"}], "stream": True}
    async with proxy_of.http.post(f"{proxy_of.url}/v1/chat/completions", json=body) as response:
        return await response.read()
