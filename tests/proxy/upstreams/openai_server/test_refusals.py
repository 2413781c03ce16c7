"""Errors that clients get if a server does not answer; never with the key."""

import json
import logging
from typing import Any

import pytest

from proxy.api.app_keys import UPSTREAMS
from proxy.chat.upstream import Refusal
from proxy.upstreams.openai_server.reader import ChunkReader
from proxy.upstreams.openai_server.refusals import read_error
from proxy.upstreams.openai_server.server import OpenAiServer
from tests.openai_server import Answer, HttpError, OpenAiPeer
from tests.proxy.running import RunningProxy
from tests.proxy.upstreams.openai_server.conftest import KEY

STREAM = "text/event-stream"
VLLM = "This model's maximum context length is 4096 tokens. However, your request has 5000 input tokens."
HALF = b'data: {"choices": [{"delta": {"content": "half"}}]}\n\n'
END = b'data: {"choices": [{"delta": {}, "finish_reason": "stop"}]}\n\n'


def failed(message: str, code: Any = None, **more: Any) -> dict[str, Any]:
    return {"error": {"message": message, "type": "invalid_request_error", "code": code, **more}}


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (HttpError(401, failed("no key")), 503, "credentials_refused"),
        (HttpError(403, failed("not for you")), 503, "credentials_refused"),
        (HttpError(403, "<html>Forbidden</html>"), 400, "upstream_blocked_message"),  # its models it lists
        (HttpError(406, "<html>Not acceptable</html>"), 400, "upstream_blocked_message"),
        (HttpError(403, failed("it was flagged", 403, metadata={"reasons": ["violence"]})), 400, "content_filter"),
        (HttpError(403, {"error": "Content violates usage guidelines. Team: 1"}), 400, "content_filter"),  # xAI
        (HttpError(400, {"error": "Incorrect API key provided: gs***23."}), 503, "credentials_refused"),  # xAI
        (HttpError(400, [failed("API key not valid. Please pass a valid one.", 400)]), 503, "credentials_refused"),
        (HttpError(402, failed("pay")), 429, "insufficient_quota"),
        (HttpError(429, failed("pay", "insufficient_quota")), 429, "insufficient_quota"),
        (HttpError(429, {"error": {"type": "exceeded_current_quota_error"}}), 429, "insufficient_quota"),  # Moonshot
        (HttpError(404, failed("none of that name", "model_not_found")), 404, "model_not_found"),
        (HttpError(403, failed("not for this project", "model_not_found")), 404, "model_not_found"),
        (HttpError(503, failed("no channel has it", "model_not_found")), 404, "model_not_found"),
        (HttpError(200, failed("slow down", 429)), 429, "rate_limit_exceeded"),
        (
            HttpError(400, failed("too long", "context_length_exceeded", param="messages")),
            400,
            "context_length_exceeded",
        ),
        (HttpError(400, {"object": "error", "message": VLLM, "code": 400}), 400, "context_length_exceeded"),
        (HttpError(400, failed("no such field")), 400, "upstream_refused"),
        (HttpError(400, failed("no such field", 400)), 400, "upstream_refused"),
        (HttpError(422, {"detail": [{"msg": "no such field"}]}), 400, "upstream_refused"),
        (HttpError(413, "<html>too large</html>"), 413, "request_too_large"),
        (HttpError(307, "moved", {"Location": "http://127.0.0.1:1/"}), 502, "upstream_error"),
        (HttpError(500), 502, "upstream_error"),
        (HttpError(503, failed("loading the model")), 503, "upstream_unavailable"),
        (HttpError(504, "<html>late</html>"), 504, "upstream_timeout"),
        (HttpError(524, "<html>late</html>"), 504, "upstream_timeout"),
    ],
)
async def test_a_refusal_keeps_its_meaning(
    gateway: RunningProxy, server: OpenAiPeer, error: HttpError, status: int, code: str
) -> None:
    server.answers = [error]

    answer = await gateway.chat("hi", model="mine/tiny")

    assert (answer.status, answer.code) == (status, code)
    assert "'mine'" in answer.body["error"]["message"]
    assert "<html>" not in answer.body["error"]["message"]
    assert len(server.received) == 1


async def test_a_refusal_names_the_parameter(gateway: RunningProxy, server: OpenAiPeer) -> None:
    server.answers = [HttpError(400, failed("too many", param="top_k"))]

    assert (await gateway.chat("hi", model="mine/tiny")).body["error"]["param"] == "top_k"


@pytest.mark.parametrize(("headers", "seconds"), [({"Retry-After": "17"}, "17"), ({}, "5")])
async def test_a_rate_limit_tells_when_to_come_back_and_the_model_rests(
    gateway: RunningProxy, server: OpenAiPeer, headers: dict[str, str], seconds: str
) -> None:
    server.answers = [HttpError(429, failed("slow down"), headers)]

    answer = await gateway.chat("hi", model="mine/tiny")

    assert (answer.status, answer.code, answer.headers["retry-after"]) == (429, "rate_limit_exceeded", seconds)
    assert gateway.app[UPSTREAMS][1].health().cooldown_until is not None


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (Answer([], has_end=False), "upstream_truncated"),
        (Answer(["half"], has_end=False), "upstream_truncated"),
        (Answer([], [("look", '{"a"')], has_end=False), "upstream_truncated"),
        (Answer([], end="error"), "upstream_truncated"),
        (Answer(["half"], error={"message": "it broke: no stream_options"}), "upstream_error"),
        (b"data: {nothing}\n\n", "upstream_truncated"),
        (b'event: error\ndata: {"message": "it broke"}\n\n', "upstream_error"),
        (b'data: {"object": "error", "message": "it broke", "code": "1"}\n\ndata: [DONE]\n\n', "upstream_error"),
        (HALF + b'data: {"object": "error", "message": "it broke"}\n\ndata: [DONE]\n\n', "upstream_error"),
        (b'event: error\ndata: {"type": "error", "message": "it broke"}\n\n', "upstream_error"),
        (HALF + b'error: {"code": 500, "message": "it broke"}\n\ndata: [DONE]\n\n', "upstream_error"),  # llama.cpp
        (b"event: error\ndata: it broke\n\n", "upstream_error"),
        (b"data: [DONE]\n\n", "upstream_truncated"),
        (b"", "upstream_truncated"),
    ],
)
async def test_a_failure_never_looks_like_an_answer(
    gateway: RunningProxy, server: OpenAiPeer, reply: Answer | bytes, code: str
) -> None:
    server.answers = [reply]

    answer = await gateway.chat("hi", model="mine/tiny")

    assert (answer.status, answer.code, len(server.received)) == (502, code, 1)
    assert ("it broke" in answer.body["error"]["message"]) == (code == "upstream_error")


async def test_a_refusal_in_a_field_of_its_own_is_reported(gateway: RunningProxy, server: OpenAiPeer) -> None:
    error = {"code": 400, "message": "the request exceeds the available context size", "type": "invalid_request_error"}
    server.answers = [f"error: {json.dumps(error)}\n\ndata: [DONE]\n\n".encode()]

    answer = await gateway.chat("hi", model="mine/tiny")

    assert (answer.status, "exceeds the available context size" in answer.body["error"]["message"]) == (400, True)


@pytest.mark.parametrize(
    ("reply", "status", "code"),
    [
        (Answer([], error={"message": "slow down", "code": 429}), 429, "rate_limit_exceeded"),  # its role came before
        (Answer([], thoughts="hm", error={"message": "slow down", "code": 429}), 502, "upstream_error"),
        (b'data: {"choices": [{"error": {"message": "slow down", "code": "429"}}]}\n\n', 429, "rate_limit_exceeded"),
        (b'data: {"error": {"message": "too long", "http_status_code": 422}}\n\n', 400, "upstream_refused"),  # TGI
    ],
)
async def test_an_error_before_anything_is_said_keeps_its_meaning(
    gateway: RunningProxy, server: OpenAiPeer, reply: Answer | bytes, status: int, code: str
) -> None:
    server.answers = [reply]

    answer = await gateway.chat("hi", model="mine/tiny")

    assert (answer.status, answer.code) == (status, code)


async def test_calls_of_an_answer_that_ends_with_an_error_are_shown_to_nobody(
    gateway: RunningProxy, server: OpenAiPeer
) -> None:
    server.answers = [Answer([], [("look", "{}")], end="error")]

    body = {"model": "mine/tiny", "messages": [{"role": "user", "content": "hi"}], "stream": True}
    async with gateway.http.post(f"{gateway.url}/v1/chat/completions", json=body) as response:
        data = await response.json()

    assert (response.status, data["error"]["code"]) == (502, "upstream_truncated")


async def test_a_stream_is_whole_with_its_finish_reason_alone_and_with_its_end_mark_alone(
    gateway: RunningProxy, server: OpenAiPeer
) -> None:
    chunk = {"choices": [{"index": 0, "delta": {"content": "all"}, "finish_reason": "stop"}]}
    server.answers = [f"data: {json.dumps(chunk)}\n\n".encode(), HALF + b"data:  [DONE] \n\ndata: {more\n\n"]

    assert [(await gateway.chat("hi", model="mine/tiny")).text for _ in range(2)] == ["all", "half"]


async def test_a_connection_that_breaks_behind_the_finish_reason_breaks_no_answer(
    gateway: RunningProxy, server: OpenAiPeer
) -> None:
    server.answers, server.drops_connection = [HALF + END, HALF], True

    whole, cut = [await gateway.chat("hi", model="mine/tiny") for _ in range(2)]

    assert (whole.text, cut.code) == ("half", "upstream_truncated")


@pytest.mark.parametrize(
    ("status", "kind"), [(200, "application/x-ndjson"), (200, "text/plain"), (200, "application/json"), (201, STREAM)]
)
async def test_any_type_may_be_a_stream(gateway: RunningProxy, server: OpenAiPeer, status: int, kind: str) -> None:
    server.answers = [HttpError(status, HALF + END, {"Content-Type": kind})]

    assert (await gateway.chat("hi", model="mine/tiny")).text == "half"


async def test_an_object_by_the_name_of_a_stream_is_read(gateway: RunningProxy, server: OpenAiPeer) -> None:
    error = json.dumps(failed("no more", "insufficient_quota")).encode()
    server.answers = [HttpError(200, error, {"Content-Type": STREAM})]

    assert (await gateway.chat("hi", model="mine/tiny")).code == "insufficient_quota"


@pytest.mark.parametrize("reason", ["tool_calls", None])
async def test_an_answer_in_one_object_is_one(gateway: RunningProxy, server: OpenAiPeer, reason: str | None) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    message = {"role": "assistant", "content": "all", "tool_calls": [call]}
    server.answers = [HttpError(200, {"choices": [{"index": 0, "message": message, "finish_reason": reason}]})]

    answer = await gateway.chat("hi", model="mine/tiny")

    assert answer.text == "all"
    assert answer.body["choices"][0]["message"]["tool_calls"] == [call]
    assert answer.body["choices"][0]["finish_reason"] == "tool_calls"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        *((failed("it broke", code), 502) for code in (500, 200, "1429", "४२९")),
        *((failed("no more", "insufficient_quota"), 429), ("a page", 502), ([1], 502)),
    ],
)
async def test_an_error_with_status_200_is_one(
    gateway: RunningProxy, server: OpenAiPeer, body: Any, status: int
) -> None:
    server.answers = [HttpError(200, body)]

    answer = await gateway.chat("hi", model="mine/tiny")

    assert answer.status == status
    assert not any(phrase in answer.body["error"]["message"] for phrase in ("HTTP 502", "HTTP 0", "HTTP 2"))
    assert gateway.app[UPSTREAMS][1].health().open_streams == 0


async def test_a_server_that_fails_again_and_again_is_left_alone_and_found_well(
    gateway: RunningProxy, server: OpenAiPeer
) -> None:
    server.answers = [HttpError(500)]
    for _ in range(5):
        await gateway.chat("hi", model="mine/tiny")

    answer = await gateway.chat("hi", model="mine/tiny")

    assert (answer.status, answer.code, len(server.received)) == (503, "site_unavailable", 5)
    assert gateway.app[UPSTREAMS][1].health().breaker == "open"
    server.answers = [Answer()]
    upstream = gateway.app[UPSTREAMS][1]
    assert isinstance(upstream, OpenAiServer)
    upstream.gate.revived()  # as the next look at its models does
    assert (await gateway.chat("hi", model="mine/tiny")).text == "served"
    assert gateway.app[UPSTREAMS][1].health().breaker == "closed"


@pytest.mark.parametrize(
    "reply",
    [
        HttpError(401, failed(f"Incorrect API key provided: {KEY}", KEY, param=KEY)),
        HttpError(400, f"Bad header: Bearer {KEY}"),
        HttpError(200, failed(f"Bearer {KEY}")),
        Answer([], error={"message": f"who is {KEY}?"}),
        f'event: error\ndata: {{"message": "{"x" * 495}{KEY}"}}\n\n'.encode(),
    ],
)
async def test_a_key_that_a_server_repeats_is_told_to_nobody(
    gateway: RunningProxy, server: OpenAiPeer, reply: Answer | HttpError | bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server.answers = [reply]

    answer = await gateway.chat("hi", model="mine/tiny")
    server.key = "another"
    async with gateway.http.get(f"{gateway.url}/admin/status") as response:
        status = await response.text()

    shown = json.dumps(answer.body) + str(answer.headers) + status + caplog.text + repr(gateway.settings)
    assert answer.status >= 400
    assert KEY[:12] not in shown


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"detail": "not found"}, "not found"),  # FastAPI
        ({"title": "too many", "status": 429}, "too many"),
        ({"error": {"message": None, "error": "it broke"}}, "it broke"),
        ({"error": {"message": {"detail": ["so", "it is"]}}}, '{"detail":["so","it is"]}'),  # Mistral
    ],
)
def test_what_an_error_says_is_found_by_any_name(value: Any, text: str) -> None:
    assert read_error(value).text == text


@pytest.mark.parametrize("index", [0, None], ids=["one call", "ever more calls"])
def test_calls_without_end_are_given_up(index: int | None) -> None:
    reader = ChunkReader("mine", None, lambda: "call_1")
    payload = {"name": "f", "arguments": json.dumps({"a": "x" * 10_000})}
    calls = [{"index": number if index is None else index, "function": payload} for number in range(1000)]

    def take_all() -> None:
        for call in calls:
            reader.take({"choices": [{"delta": {"tool_calls": [call]}}]})

    with pytest.raises(Refusal, match="do not end"):
        take_all()
