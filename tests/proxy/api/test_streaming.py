"""When headers go out, what fills silences, and what happens when a client leaves."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from aiohttp import ClientConnectionResetError, ClientPayloadError, ClientResponse, ClientSession, test_utils, web

import proxy.api.event_stream
from proxy.api.chat_completions.reply import ChatReply
from proxy.api.chat_completions.request import ChatRequest
from proxy.api.event_stream import EventStream, Keepalive
from proxy.chat.ask import Ask
from tests.proxy.running import RunningProxy, running_proxy
from tests.proxy.wire import connected
from tests.site import SimulatedSite

BODY = {"model": "gpt-4o-mini-helper", "stream": True}


def ask(text: str, **fields: Any) -> dict[str, Any]:
    return {**BODY, "messages": [{"role": "user", "content": text}], **fields}


@pytest.fixture
def short_intervals(monkeypatch: pytest.MonkeyPatch) -> None:
    """The waits of minutes, in tenths of seconds."""
    monkeypatch.setattr(proxy.api.event_stream, "HOLD_SECONDS", 0.3)
    monkeypatch.setattr(proxy.api.event_stream, "SILENCE_SECONDS", 0.2)


async def test_headers_wait_for_the_first_text(proxy: RunningProxy, site: SimulatedSite) -> None:
    site.behaviour.first_delta_delay = 0.5
    start = monotonic()
    async with proxy.http.post(f"{proxy.url}/v1/chat/completions", json=ask("hi")) as response:
        waited = monotonic() - start
        await response.read()

    assert response.status == 200
    assert waited >= 0.5


async def test_headers_go_out_after_the_longest_hold_and_silences_are_filled(
    proxy: RunningProxy, site: SimulatedSite, short_intervals: None
) -> None:
    site.behaviour.first_delta_delay = 1.2
    start = monotonic()
    async with proxy.http.post(f"{proxy.url}/v1/chat/completions", json=ask("hi")) as response:
        waited = monotonic() - start
        raw = await response.text()

    assert waited < 1.0
    assert raw.count(": keep-alive\n\n") >= 2
    assert raw.endswith("data: [DONE]\n\n")
    assert raw.count('"role":"assistant"') == 1


async def test_a_failure_after_the_hold_is_an_error_event(
    proxy: RunningProxy, site: SimulatedSite, short_intervals: None
) -> None:
    site.behaviour.first_delta_delay = 0.8
    async with proxy.http.post(f"{proxy.url}/v1/chat/completions", json=ask("[[mode:late_error]]")) as response:
        raw = await response.text()

    assert response.status == 200
    assert '"error"' in raw
    assert "[DONE]" not in raw


@pytest.mark.parametrize(("keepalive", "filler"), [("chunk", '"content":""'), ("off", None)])
async def test_what_fills_silences_is_a_setting(
    site: SimulatedSite, tmp_path: Path, short_intervals: None, keepalive: str, filler: str | None
) -> None:
    site.behaviour.first_delta_delay = 1.0
    async with (
        running_proxy(site, tmp_path, keepalive=keepalive) as proxy,
        proxy.http.post(f"{proxy.url}/v1/chat/completions", json=ask("hi")) as response,
    ):
        raw = await response.text()

    assert "keep-alive" not in raw
    assert raw.count('"content":""') >= (3 if filler else 1)
    assert raw.endswith("data: [DONE]\n\n")


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def answered_by(handler: Handler) -> AsyncIterator[ClientResponse]:
    """The response of a server that has only *handler*, whose body is still to come."""
    app = web.Application()
    app.router.add_get("/", handler)
    async with (
        test_utils.TestServer(app) as server,
        ClientSession() as http,
        http.get(server.make_url("/")) as response,
    ):
        yield response


async def opened(request: web.Request, keepalive: Keepalive = "off") -> EventStream:
    """An event stream whose headers are sent."""
    reply = ChatReply(ChatRequest(Ask("m", ()), {}), id="chatcmpl-1", created=1, model="m")
    events = EventStream(request, reply, keepalive, {})
    await events.ready()
    return events


async def test_an_empty_event_does_not_end_the_body() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        events = await opened(request)
        assert events.write(b"")
        events.write(b"data: more\n\n")
        await events.close(b"data: [DONE]\n\n")
        return events.response

    async with answered_by(handler) as response:
        body = await response.read()

    assert body.endswith(b"data: more\n\ndata: [DONE]\n\n")


async def test_events_of_any_length_arrive_whole() -> None:
    sent = [b"%c" % (97 + number % 26) * length for number, length in enumerate((1, 15, 16, 1023, 1024, 1025, 100_000))]

    async def handler(request: web.Request) -> web.StreamResponse:
        events = await opened(request)
        for event in sent:
            if not events.write(event):
                await events.ready()
        await events.close(b"data: [DONE]\n\n")
        return events.response

    async with answered_by(handler) as response:
        body = await response.read()

    assert body.endswith(b"".join((*sent, b"data: [DONE]\n\n")))


async def test_events_that_come_while_the_first_wait_for_the_client_keep_their_place() -> None:
    is_reading = asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        reply = ChatReply(ChatRequest(Ask("m", ()), {}), id="chatcmpl-1", created=1, model="m")
        events = EventStream(request, reply, "off", {})
        events.begin()
        events.write(b"a" * 20_000_000)  # more than the sockets of both sides take
        opening = asyncio.create_task(events.ready())
        await asyncio.sleep(0.1)
        assert not opening.done()
        events.write(b"during")
        is_reading.set()
        await opening
        events.write(b"after")
        await events.close(b"last")
        return events.response

    async with answered_by(handler) as response:
        await is_reading.wait()
        assert (await response.read()).endswith(b"aduringafterlast")


async def test_only_silences_are_filled() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        events = await opened(request, "comment")
        for event in (b"data: one\n\n", b"data: two\n\n", b"", b""):
            events.write(event)
            await events._break_silence()  # as the timer does
        await events.close(b"data: [DONE]\n\n")
        return events.response

    async with answered_by(handler) as response:
        body = await response.text()

    assert body.endswith("data: one\n\ndata: two\n\n: keep-alive\n\n: keep-alive\n\ndata: [DONE]\n\n")


async def test_a_client_that_leaves_just_before_the_end_is_noticed() -> None:
    noticed: list[bool] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        events = await opened(request)
        assert request.transport is not None
        request.transport.abort()
        await events.close(b"data: [DONE]\n\n")
        noticed.append(events.has_lost_client)
        return events.response

    async with answered_by(handler) as response:
        with pytest.raises(ClientPayloadError):
            await response.read()

    assert noticed == [True]


async def test_a_client_that_left_is_noticed_before_the_next_text_and_is_no_failure() -> None:
    noticed: list[object] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        events = await opened(request)
        assert request.transport is not None
        request.transport.abort()
        with pytest.raises(ClientConnectionResetError) as exc_info:
            await events.ready()
        noticed.extend([await events.fail(exc_info.value), events.has_lost_client, events.failure])
        return events.response

    async with answered_by(handler) as response:
        with pytest.raises(ClientPayloadError):
            await response.read()

    assert noticed == [True, True, None]


@pytest.mark.parametrize(("text", "last"), [("hi", b"[DONE]"), ("[[mode:late_error]]", b'"error"')])
async def test_nothing_fills_the_silence_after_an_answer(
    proxy: RunningProxy, short_intervals: None, text: str, last: bytes
) -> None:
    async with connected(proxy.url, "POST", "/v1/chat/completions", ask(text)) as connection:
        await connection.head()
        chunks = [chunk async for _, chunk in connection.chunks()]
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(connection.reader.read(1), 0.8)

    assert last in chunks[-1]


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("delays", [{"first_delta_delay": 5.0}, {"delta_delay": 0.5}])
async def test_the_upstream_is_dropped_at_once_when_the_client_leaves(
    proxy: RunningProxy, site: SimulatedSite, stream: bool, delays: dict[str, float]
) -> None:
    site.behaviour.update(delays)
    request = proxy.http.post(f"{proxy.url}/v1/chat/completions", json=ask("hi", stream=stream))
    turn = asyncio.ensure_future(request.__aenter__())
    while not site.open_streams:
        await asyncio.sleep(0.01)
    if stream and "delta_delay" in delays:
        (await turn).close()  # after its head
    else:
        turn.cancel()  # which comes with the first text, or with all of it

    start = monotonic()
    while site.open_streams:
        await asyncio.sleep(0.01)
    assert monotonic() - start < 1.0
    await asyncio.gather(turn, return_exceptions=True)


async def test_a_client_that_left_spoils_only_the_sites_copy(proxy: RunningProxy, site: SimulatedSite) -> None:
    async with proxy.http.post(f"{proxy.url}/v1/conversations") as response:
        conversation = (await response.json())["id"]
    first = await proxy.chat("my name is Ada", conversation_id=conversation)
    site.behaviour.delta_delay = 0.3
    async with proxy.http.post(
        f"{proxy.url}/v1/chat/completions", json=ask("never mind", conversation_id=conversation)
    ) as left:
        await left.content.readany()
        left.close()
    while site.open_streams:
        await asyncio.sleep(0.01)
    site.behaviour.delta_delay = 0.0

    answer = await proxy.chat("[[recall]]", conversation_id=conversation)

    assert "my name is Ada" in answer.text
    assert first.text in answer.text
    assert "never mind" not in answer.text


async def test_more_streams_than_allowed_wait_for_their_turn(site: SimulatedSite, tmp_path: Path) -> None:
    site.behaviour.delta_delay = 0.01
    async with running_proxy(site, tmp_path, max_upstream=2) as proxy:
        turns = [asyncio.create_task(proxy.chat(f"turn {number}")) for number in range(8)]
        most = 0
        while not all(turn.done() for turn in turns):
            most = max(most, site.open_streams)
            await asyncio.sleep(0.005)

    assert [turn.result().status for turn in turns] == [200] * 8
    assert most == 2


async def test_two_hundred_streams_at_once_arrive_complete(site: SimulatedSite, tmp_path: Path) -> None:
    site.behaviour.delta_delay = 0.02
    async with running_proxy(site, tmp_path, max_upstream=200) as proxy:

        async def one(number: int) -> str:
            async with proxy.http.post(f"{proxy.url}/v1/chat/completions", json=ask(f"turn {number}")) as response:
                return await response.text()

        answers = await asyncio.gather(*(one(number) for number in range(200)))

    assert all(answer.endswith("data: [DONE]\n\n") for answer in answers)
