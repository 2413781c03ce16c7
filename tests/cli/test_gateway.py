"""Talking to the proxy: against a real server that answers as told."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

import shared.cli.gateway
from shared.cli.failures import Failure
from shared.cli.gateway import Gateway, GatewayError, GatewayUnreachable, preferred_model, reachable_host
from shared.cli.models import model_names
from shared.cli.status import fetch_proxy_state

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def answering(handler: Handler) -> AsyncIterator[Gateway]:
    """A server whose every route is *handler*."""
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield Gateway("127.0.0.1", site.port, "the key")
    finally:
        await runner.cleanup()


def stream_of(*events: str) -> Handler:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for event in events:
            await response.write(event.encode())
        return response

    return handler


async def streamed_texts(gateway: Gateway) -> list[str]:
    chunks = await asyncio.to_thread(lambda: list(gateway.stream_chat({"model": "m", "messages": []})))
    texts = [choice["delta"].get("content") for chunk in chunks for choice in chunk["choices"]]
    return [text for text in texts if text]


async def test_the_pieces_of_an_answer_come_in_order_and_comments_are_skipped() -> None:
    events = [
        'data: {"choices":[{"delta":{"role":"assistant","content":""}}]}\n\n',
        ": keep-alive\n\n",
        'data: {"choices":[{"delta":{"content":"你"}}]}\n\n',
        'data: {"choices":[{"delta":{"content":"好"}}]}\n\n',
        'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n',
        "data: [DONE]\n\n",
    ]

    async with answering(stream_of(*events)) as gateway:
        assert await streamed_texts(gateway) == ["你", "好"]


async def test_an_error_in_the_stream_is_an_error_with_its_message() -> None:
    async with answering(stream_of('data: {"error":{"message":"the site hung up"}}\n\n')) as gateway:
        with pytest.raises(GatewayError, match="the site hung up"):
            await streamed_texts(gateway)


async def test_a_stream_without_its_end_is_an_error() -> None:
    async with answering(stream_of('data: {"choices":[{"delta":{"content":"half"}}]}\n\n')) as gateway:
        with pytest.raises(GatewayError, match="broke off"):
            await streamed_texts(gateway)


async def test_a_long_event_is_read_whole() -> None:
    text = "好" * 2_500_000  # 7.5 MB, about as much as the proxy itself takes at once
    events = [f'data: {{"choices":[{{"delta":{{"content":"{text}"}}}}]}}\n\n', "data: [DONE]\n\n"]
    async with answering(stream_of(*events)) as gateway:
        assert await streamed_texts(gateway) == [text]


@pytest.mark.parametrize(("event", "why"), [("x" * 1000, "more than"), ("{half", "no JSON object")])
async def test_an_event_that_cannot_be_read_is_an_error_and_no_gap(
    event: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared.cli.gateway, "MAX_EVENT_BYTES", 500)
    events = ['data: {"choices":[{"delta":{"content":"a"}}]}\n\n', f"data: {event}\n\n", "data: [DONE]\n\n"]
    async with answering(stream_of(*events)) as gateway:
        with pytest.raises(GatewayError, match=why):
            await streamed_texts(gateway)


async def test_a_refusal_is_reported_with_message_and_status() -> None:
    async def refuse(_: web.Request) -> web.StreamResponse:
        return web.json_response({"error": {"message": "There is no such model."}}, status=404)

    async with answering(refuse) as gateway:
        with pytest.raises(GatewayError, match=r"no such model \(HTTP 404\)"):
            await streamed_texts(gateway)


async def test_the_key_is_sent_and_json_comes_back() -> None:
    async def echo(request: web.Request) -> web.StreamResponse:
        return web.json_response({"got": request.headers.get("Authorization")}, status=503)

    async with answering(echo) as gateway:
        assert await asyncio.to_thread(gateway.get, "/readyz") == (503, {"got": "Bearer the key"})


async def test_a_proxy_that_waits_for_its_store_is_heard_out(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(_: web.Request) -> web.StreamResponse:
        await asyncio.sleep(0.2)
        return web.json_response({"error": {"message": "the store is away"}}, status=503)

    monkeypatch.setattr(shared.cli.gateway, "CONNECT_SECONDS", 0.1)
    async with answering(refuse) as gateway:
        with pytest.raises(GatewayError, match="the store is away"):
            await asyncio.to_thread(gateway.new_conversation)


def test_a_port_where_nothing_listens_is_reported(free_port: int) -> None:
    with pytest.raises(GatewayUnreachable, match=f"127.0.0.1:{free_port}"):
        Gateway("127.0.0.1", free_port).get("/readyz")


@pytest.mark.parametrize(
    ("listening", "reached"),
    [("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("192.0.2.7", "192.0.2.7"), ("localhost", "localhost")],
)
def test_a_proxy_that_listens_everywhere_is_reached_by_loopback(listening: str, reached: str) -> None:
    assert reachable_host(listening) == reached


def test_a_discovered_model_is_preferred_and_the_order_kept() -> None:
    models = [{"id": "a", "discovered": False}, {"id": "b", "discovered": True}, {"id": "c", "discovered": True}]

    assert preferred_model(models) == "b"
    assert preferred_model(models[:1]) == "a"
    assert preferred_model([]) is None


@pytest.mark.parametrize("body", ['{"data":null}', '{"data":["a",1,{}]}', '{"data":[{"id":"a","bot_id":"b"}]}'])
async def test_odd_models_of_another_program_are_passed_over(body: str) -> None:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(text=body)

    async with answering(answer) as gateway:
        names = await asyncio.to_thread(model_names, gateway)

    assert names == (["a"] if "id" in body else [])


@pytest.mark.parametrize("body", ["<html>", "null", '{"status": "ok"}', "[" * 10_000])
@pytest.mark.parametrize("status", [200, 404])
async def test_another_program_at_the_port_is_not_taken_for_the_proxy(body: str, status: int) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        is_listing = request.path == "/v1/models"
        return web.Response(text="<html>" if is_listing else body, status=status)

    async with answering(answer) as gateway:
        found, _ = await asyncio.to_thread(fetch_proxy_state, gateway)
        with pytest.raises(Failure, match=r"something else answers .* FREEAICHAT_PORT"):
            await asyncio.to_thread(model_names, gateway)

    expected = (False, f"something else answers there (HTTP {status})")
    assert (found["ready"], found["reason"]) == expected


class Impatient(Gateway):
    """Waits for no answer."""

    def get(self, path: str, *, timeout: float = 0.05) -> tuple[int, dict[str, Any]]:
        return super().get(path, timeout=timeout)


def test_a_hanging_proxy_is_not_reported_as_missing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        gateway = Impatient("127.0.0.1", listener.getsockname()[1])
        found, _ = fetch_proxy_state(gateway)
        with pytest.raises(Failure, match="doctor"):
            model_names(gateway)

    assert (found["running"], found["ready"], found["reason"]) == (True, False, "does not answer in time")
    with pytest.raises(Failure, match="start it"):
        model_names(gateway)
