"""Nothing that a client or a site sends becomes a header, an event, or a log line of its own."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.security.hostile_site import EVENTS_HEAD, OPENING, STEP_2, delta, hostile_site, sends
from tests.security.raw import Answer, request, send
from tests.security.watched import WatchedProxy, watched_proxy
from tests.site import SimulatedSite

CHAT = "/v1/chat/completions"
FORGED = "12:00:00 INFO    proxy     forged"
SPLITS = ["\r\n", "\n", "\r", "\0", "\x0b", "\x0c", "\x1c", "\x1e", "\x85", "\u2028", "\u2029", "\x1b[2K\r", "\u202e"]
TEXTS = [f"x{split}{FORGED}{split}set-cookie: forged=1{split}{split}data: [DONE]{split}{split}y" for split in SPLITS]
PLACES = ["v1", "v1/models", "v1/conversations", "v1/responses", "nothing", "v1/conversations/x/items"]
UNPRINTED = "".join(chr(code) for code in range(0x20)).replace("\n", "") + "\x7f\x85\u2028\u2029\u202e"


@pytest.fixture
async def site() -> AsyncIterator[SimulatedSite]:
    async with SimulatedSite() as running:
        yield running


@pytest.fixture(params=["console", "json"])
async def proxy(
    request: pytest.FixtureRequest, site: SimulatedSite, tmp_path: Path, free_port: int
) -> AsyncIterator[WatchedProxy]:
    """One that logs everything, in each of the formats."""
    settings = {"FREEAICHAT_LOG_LEVEL": "debug", "FREEAICHAT_LOG_FORMAT": request.param}
    async with watched_proxy(site, tmp_path / "data", free_port, **settings) as running:
        yield running


async def post(proxy: WatchedProxy, path: str, body: object, *headers: bytes) -> Answer:
    return await send(proxy.port, request("POST", path, *headers, body=json.dumps(body).encode()))


def chat(text: str, **fields: object) -> dict[str, object]:
    return {"model": "gpt-4o-mini-helper", "messages": [{"role": "user", "content": text}], **fields}


async def test_odd_characters_in_every_place_stay_where_they_are(proxy: WatchedProxy) -> None:
    conversation = json.loads((await post(proxy, "/v1/conversations", {})).body)["id"]
    answers: list[Answer] = []
    for text in TEXTS:
        path = quote(text, safe="")
        answers += await asyncio.gather(
            post(proxy, CHAT, chat(text)),
            post(proxy, CHAT, chat(text, stream=True)),
            post(proxy, CHAT, chat("hi", conversation_id=text)),
            post(proxy, CHAT, {**chat("hi"), "model": text}),
            post(proxy, CHAT, {**chat("hi"), text: text}),
            post(proxy, CHAT, chat("hi", stop=text, user=text, metadata={text: text}, response_format=text)),
            post(proxy, CHAT, {"model": "gpt-4o-mini-helper", "messages": [{"role": text, "content": "hi"}]}),
            post(proxy, "/v1/responses", {"model": text, "input": text, "previous_response_id": text}),
            post(proxy, "/v1/responses", {"model": "gpt-4o-mini-helper", "input": text, "stream": True, "user": text}),
            post(proxy, "/v1/conversations", {"metadata": {text[:60]: text}}),
            post(proxy, f"/v1/conversations/{conversation}", {"metadata": {"a": text}}),
            post(proxy, f"/v1/conversations/{conversation}/items", {"items": [{"role": "user", "content": text}]}),
            *(send(proxy.port, request("GET", f"/{path_prefix}/{path}")) for path_prefix in PLACES),
            send(proxy.port, request("GET", f"/v1/conversations/{conversation}/items?limit={path}&after={path}")),
            send(proxy.port, request("DELETE", f"/v1/conversations/{conversation}/items/{path}")),
        )

    for answer in answers:
        assert answer.status in {200, 400, 404, 405}, answer
        assert "set-cookie" not in answer.names
        assert not any(b"forged" in line for line in answer.lines)
        if (answer.header("content-type") or "").startswith("text/event-stream"):
            lines = unchunked(answer.body).replace(b"\r", b"\n").split(b"\n")
            assert all(line.startswith((b"data: ", b"event: ")) for line in lines if line)
            assert [line for line in lines if line.startswith(b"data: ") and not line.startswith(b"data: {")] in (
                [b"data: [DONE]"],
                [],
            )
    no_line_is_forged(proxy)


async def test_odd_bytes_in_headers_stay_where_they_are(proxy: WatchedProxy) -> None:
    names = [
        b"X-Request-Id",
        b"Origin",
        b"Authorization",
        b"X-Api-Key",
        b"Access-Control-Request-Headers",
        b"User-Agent",
    ]
    values = [
        f"http://localhost/{FORGED}".encode() + suffix
        for suffix in (b"\xff", "\u2028\x85".encode(), b"\t", b"[", b"%0d%0a")
    ]
    for name in names:
        for value in values:
            for method in ("GET", "OPTIONS"):
                answer = await send(proxy.port, request(method, "/v1/models", name + b": " + value))
                assert answer.status in {200, 204, 403}, (name, value)
                if name == b"X-Request-Id":
                    assert "forged" not in str(answer.header("x-request-id"))
        for split in (b"\r", b"\n", b"\0"):
            answer = await send(
                proxy.port, request("GET", "/v1/models", name + b": a" + split + b"set-cookie\x01: forged=1")
            )
            assert answer.status == 400
    no_line_is_forged(proxy)


async def test_ids_of_ones_own_are_taken_where_they_are_plain(proxy: WatchedProxy) -> None:
    echoed = await send(proxy.port, request("GET", "/healthz", b"X-Request-Id: My-id_1.2"))
    generated = await send(proxy.port, request("GET", "/healthz", b"X-Request-Id: " + b"a" * 129))

    assert echoed.header("x-request-id") == "My-id_1.2"
    assert str(generated.header("x-request-id")).startswith("req_")


async def test_what_a_site_says_is_no_log_line_either(tmp_path: Path, free_port: int) -> None:
    async with hostile_site() as site, watched_proxy(site, tmp_path / "data", free_port) as proxy:
        for text in TEXTS:
            error = json.dumps({"error": text}).encode()
            event = b"event: error\ndata: " + error + b"\n\n"
            site.acts[STEP_2] = sends(EVENTS_HEAD + b"\r\n" + OPENING + delta("begun") + event)
            for stream in (False, True):
                answer = await post(proxy, CHAT, chat("hi", stream=stream))
                assert "set-cookie" not in answer.names
                assert b"forged" in answer.body
        no_line_is_forged(proxy)


def no_line_is_forged(proxy: WatchedProxy) -> None:
    """Every line of the log begins as ours do, and none holds a control character."""
    log = proxy.log
    for line in log.splitlines():
        assert not line.startswith(FORGED), line
        assert line.startswith(("{", "    ")) or line[2:3] == ":", line
        assert not any(text in line for text in UNPRINTED), line
    assert "Traceback" not in log
    assert "forged" in log or "malformed" in log  # it was logged, harmlessly


def unchunked(body: bytes) -> bytes:
    """The content of a chunked body."""
    content = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        length = int(size, 16)
        content, body = content + body[:length], body[length + 2 :]
    return content
