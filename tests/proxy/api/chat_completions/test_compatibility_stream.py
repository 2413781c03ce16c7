"""What clients read out of a chat's event stream, byte by byte."""

import asyncio
import json
from itertools import pairwise
from typing import Any

import openai
import pytest

import proxy.api.event_stream
from tests.proxy.running import RunningProxy, running_proxy
from tests.proxy.wire import WireResponse, connected, exchange
from tests.site import SimulatedSite

CHAT = "/v1/chat/completions"
MODEL = "gpt-4o-mini-helper"
ECHO = '你好,世界! 😀👨‍👩‍👧 café "quoted" \\ back/slash'
STREAMS: dict[str, tuple[str, dict[str, Any]]] = {  # each API's path and what to ask it
    "chat": (CHAT, {"messages": [{"role": "user", "content": "hi"}]}),
    "completions": ("/v1/completions", {"prompt": "hi"}),
    "responses": ("/v1/responses", {"input": "hi"}),
}


async def streamed(proxy: RunningProxy, text: str = "hi", **fields: Any) -> WireResponse:
    body = {"model": MODEL, "stream": True, "messages": [{"role": "user", "content": text}], **fields}
    return await exchange(proxy.url, "POST", CHAT, body)


async def test_the_headers_let_events_through_at_once(proxy: RunningProxy) -> None:
    """nginx buffers without `X-Accel-Buffering`; caches and browsers keep what is not marked; EventSource wants the
    type; and compressing would hold events back, even for a client that offers to take it."""
    path, body = STREAMS["chat"]
    offered = {"Accept-Encoding": "gzip, deflate, br, zstd", "Content-Type": "application/json"}
    answer = await exchange(proxy.url, "POST", path, {"model": MODEL, "stream": True, **body}, offered)

    assert answer.status == 200
    assert answer.headers["content-type"] in {"text/event-stream", "text/event-stream; charset=utf-8"}
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["x-accel-buffering"] == "no"
    assert "content-encoding" not in answer.headers
    assert answer.body.startswith(b"data: {")


async def test_no_200_is_sent_before_the_site_gave_text(proxy: RunningProxy) -> None:
    """Clients and gateways fall back and retry by status; an error inside a 200 they take for an answer."""
    failed = await streamed(proxy, "[[mode:err500]] hi")

    assert failed.status == 502
    assert failed.headers["content-type"].startswith("application/json")


async def test_the_role_comes_first_once_and_with_an_empty_text(proxy: RunningProxy) -> None:
    """Accumulators of clients begin with the first delta; a role that comes again is appended to by some of them."""
    deltas = [chunk["choices"][0]["delta"] for chunk in (await streamed(proxy)).data]

    assert {"role": "assistant", "content": ""}.items() <= deltas[0].items()
    assert not any("role" in delta for delta in deltas[1:])
    assert all(isinstance(delta.get("content", ""), str) for delta in deltas)


async def test_all_chunks_carry_the_same_id_time_and_model(proxy: RunningProxy) -> None:
    """Clients group chunks by id; another one opens a new message in their window."""
    chunks = (await streamed(proxy)).data

    assert len({(chunk["id"], chunk["created"], chunk["model"], chunk["object"]) for chunk in chunks}) == 1
    assert chunks[0]["object"] == "chat.completion.chunk"


async def test_the_reason_is_null_until_one_last_chunk_with_an_empty_delta(proxy: RunningProxy) -> None:
    """A reason of "" ends the answer in many clients, a missing key fails validation, a second one adds a message."""
    choices = [chunk["choices"][0] for chunk in (await streamed(proxy)).data]

    assert [choice["finish_reason"] for choice in choices] == [None] * (len(choices) - 1) + ["stop"]
    assert choices[-1]["delta"] == {}
    assert all({"index", "delta", "finish_reason", "logprobs"} <= set(choice) for choice in choices)


async def test_usage_comes_once_in_a_last_chunk_without_choices(proxy: RunningProxy) -> None:
    """LangChain adds up every usage it sees; others index `choices[0]` unless the list is empty."""
    chunks = (await streamed(proxy, stream_options={"include_usage": True})).data

    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"]["total_tokens"] > 0
    assert [chunk["usage"] for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)


@pytest.mark.parametrize("options", [None, {}, {"include_usage": False}, {"include_usage": None}])
async def test_usage_that_was_not_asked_for_is_not_sent(proxy: RunningProxy, options: Any) -> None:
    """Clients that did not ask fail on a chunk without choices."""
    chunks = (await streamed(proxy, stream_options=options)).data

    assert all(chunk["choices"] for chunk in chunks)
    assert not any("usage" in chunk for chunk in chunks)


async def test_stream_options_do_no_harm_without_a_stream(proxy: RunningProxy) -> None:
    """The official client's own tests send them so."""
    answer = await proxy.chat("hi", stream=False, stream_options={"include_usage": True})

    assert answer.status == 200
    assert answer.body["usage"]["total_tokens"] > 0


async def test_the_end_mark_comes_once_and_last(proxy: RunningProxy) -> None:
    """openai-node compares it exactly; after a second one readers of a kept-open connection hang."""
    answer = await streamed(proxy, stream_options={"include_usage": True})

    assert answer.body.count(b"[DONE]") == 1
    assert answer.body.endswith(b"\n\ndata: [DONE]\n\n")


@pytest.mark.parametrize("text", ["hi", "[[mode:bytewise]] hi", "[[mode:burst]] hi", "[[mode:keepalive]] hi"])
async def test_there_is_nothing_but_data_lines(proxy: RunningProxy, text: str) -> None:
    """openai-python parses every event that has an id, a retry or an event name as JSON, with data or without, and
    loses the first one behind a byte order mark. A character cut in two becomes two question marks."""
    answer = await streamed(proxy, text)

    assert answer.body.startswith(b"data: {")
    assert b"\r" not in answer.body
    for event in answer.events:
        assert "\n" not in event
        assert event.startswith("data: ")
        assert event[6] in "{["
    output = "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in answer.data)
    assert ECHO in output
    assert "\ufffd" not in output


@pytest.mark.parametrize("api", STREAMS)
@pytest.mark.parametrize("keepalive", ["comment", "chunk", "off"])
async def test_silences_are_filled_as_set_and_every_stream_stays_whole(
    site: SimulatedSite, tmp_path: Any, monkeypatch: pytest.MonkeyPatch, api: str, keepalive: str
) -> None:
    """Reverse proxies cut what is silent for a minute (`comment`); some clients' idle timers count parsed events only
    (`chunk`); and a few cannot read comments at all (`off`)."""
    monkeypatch.setattr(proxy.api.event_stream, "HOLD_SECONDS", 0.1)
    monkeypatch.setattr(proxy.api.event_stream, "SILENCE_SECONDS", 0.1)
    site.behaviour.first_delta_delay = 0.7
    path, body = STREAMS[api]
    async with running_proxy(site, tmp_path, keepalive=keepalive) as running:
        answer = await exchange(running.url, "POST", path, {"model": MODEL, "stream": True, **body})

    comments = [event for event in answer.events if not event.startswith(("data: ", "event: "))]
    assert set(comments) == ({": keep-alive"} if keepalive == "comment" else set())
    assert (len(comments) >= 3) == (keepalive == "comment")
    empty = [event for event in answer.data if user_items(event) == ""]
    assert (len(empty) >= 4) == (keepalive == "chunk")
    assert ECHO in "".join(user_items(event) or "" for event in answer.data)


def user_items(event: dict[str, Any]) -> str | None:
    """The text that an event of any of the APIs adds; None for other events."""
    if "type" in event:
        nothing = "" if event["type"] == "response.in_progress" else None
        return event["delta"] if event["type"] == "response.output_text.delta" else nothing
    choice = event["choices"][0]
    if choice["finish_reason"] is not None:
        return None
    content: str | None = choice["text"] if "text" in choice else choice["delta"].get("content")
    return content


async def test_the_official_client_reads_on_over_what_fills_silences(
    site: SimulatedSite, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A comment has no data; a parser that hands it on gives the client an empty text to parse as JSON."""
    monkeypatch.setattr(proxy.api.event_stream, "HOLD_SECONDS", 0.1)
    monkeypatch.setattr(proxy.api.event_stream, "SILENCE_SECONDS", 0.1)
    site.behaviour.first_delta_delay = 0.5
    for keepalive in ("comment", "chunk"):
        async with running_proxy(site, tmp_path / keepalive, keepalive=keepalive) as running:
            stream = await running.openai.chat.completions.create(
                model=MODEL, messages=[{"role": "user", "content": "hi"}], stream=True
            )
            text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
        assert ECHO in text


@pytest.mark.parametrize("api", ["chat", "completions"])
async def test_a_failure_after_text_is_one_error_event_and_the_end(proxy: RunningProxy, api: str) -> None:
    """openai-python looks only at the `error` key of the data, openai-node at the event's name too; an end mark behind
    it would make it an answer."""
    path, body = STREAMS[api]
    mode = "[[mode:late_error]] hi"
    params = {"prompt": mode} if "prompt" in body else {"messages": [{"role": "user", "content": mode}]}
    answer = await exchange(proxy.url, "POST", path, {"model": MODEL, "stream": True, **params})

    assert answer.status == 200
    assert b"[DONE]" not in answer.body
    assert b"event:" not in answer.body
    assert [event for event in answer.data if "error" in event] == answer.data[-1:]
    assert set(answer.data[-1]["error"]) == {"message", "type", "param", "code"}
    assert not any(choice.get("finish_reason") for event in answer.data[:-1] for choice in event["choices"])


async def test_the_official_client_raises_a_failure_of_a_legacy_stream(proxy: RunningProxy) -> None:
    """Its stream reader is the same for all APIs: without the `error` key the answer would just be short."""
    stream = await proxy.openai.completions.create(model=MODEL, prompt="[[mode:late_error]] hi", stream=True)
    with pytest.raises(openai.APIError):
        async for _ in stream:
            pass


async def test_each_text_leaves_as_it_comes(proxy: RunningProxy, site: SimulatedSite) -> None:
    """People watch the text being typed: what came must not wait for what follows."""
    site.behaviour.delta_delay = 0.1
    body = {"model": MODEL, "stream": True, "messages": [{"role": "user", "content": "[[tokens:8]]"}]}
    async with connected(proxy.url, "POST", CHAT, body) as connection:
        await connection.head()
        times = [moment async for moment, chunk in connection.chunks() if b'"content":"' in chunk]

    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert len([gap for gap in gaps if gap > 0.05]) >= 5, gaps


@pytest.mark.parametrize(("api", "kept"), [*dict.fromkeys(STREAMS, "").items(), ("chat", "Connection: keep-alive\r\n")])
async def test_a_client_of_http_1_0_gets_the_events_alone_up_to_the_end_of_the_connection(
    proxy: RunningProxy, api: str, kept: str
) -> None:
    """It knows no chunks: their sizes would stand among the events. One that would be kept still waits for the end."""
    path, fields = STREAMS[api]
    body = json.dumps({"model": MODEL, "stream": True, **fields}).encode()
    reader, writer = await asyncio.open_connection(*proxy.url.removeprefix("http://").split(":"))
    head = f"POST {path} HTTP/1.0\r\nHost: localhost\r\n{kept}Content-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    async with asyncio.timeout(10):
        headers, _, events = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()

    assert headers.split()[1] == b"200"
    assert b"transfer-encoding" not in headers.lower()
    lines = {line.partition(b":")[0] for line in events.split(b"\n") if line}
    assert lines <= {b"data", b"event"}
    assert len(events.split(b"\n\n")) > 3
