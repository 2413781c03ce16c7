"""What servers take and return beyond a chat's text: own parameters, thoughts, log probabilities."""

import json
from typing import Any

import pytest

from proxy.chat.extras import DETAILS
from proxy.chat.upstream import Refusal
from proxy.upstreams.openai_server import reader as reader_module
from proxy.upstreams.openai_server.reader import ChunkReader
from tests.openai_server import Answer, HttpError, OpenAiPeer
from tests.proxy.api.openapi.test_described_calls import invalid_values
from tests.proxy.running import RunningProxy
from tests.proxy.upstreams.openai_server.test_failover import MODEL, streamed
from tests.site import SimulatedSite

OWN: dict[str, Any] = {  # parameters that a chat of OpenAI's has, or servers have
    "user": "ada",
    "metadata": {"run": "1"},
    "service_tier": "flex",
    "prediction": {"type": "content", "content": "abc"},
    "top_k": 40,
    "min_p": 0.05,
    "repetition_penalty": 1.1,
    "seed": 7,
    "presence_penalty": -0.5,
    "frequency_penalty": 0.5,
    "logit_bias": {"5": 1},
    "chat_template_kwargs": {"enable_thinking": False},
    "guided_regex": "[a-z]+",
    "keep_alive": "5m",
}


def choices_of(events: list[Any]) -> list[dict[str, Any]]:
    """The choices of a streamed answer's chunks."""
    chunks = [event for event in events if event != "data: [DONE]"]
    assert invalid_values("ChatCompletionChunk", chunks) == []
    return [choice for chunk in chunks for choice in chunk["choices"]]


async def test_all_parameters_pass_and_none_is_named_as_ignored(gateway: RunningProxy, server: OpenAiPeer) -> None:
    answer = await gateway.chat("hi", model="mine/tiny", **OWN, web_search_options={})

    assert answer.text == "served"
    assert "x-ignored-params" not in answer.headers
    body = server.received[0].body
    assert {name: body.get(name) for name in OWN} == OWN
    assert body["web_search_options"] == {}
    assert set(body) == {*OWN, "web_search_options", "model", "messages", "stream", "stream_options"}


async def test_nothing_of_our_own_reaches_the_server_and_nothing_takes_its_place(
    gateway: RunningProxy, server: OpenAiPeer
) -> None:
    conversation = (await gateway.openai.conversations.create()).id
    await gateway.chat("hi", model="mine/tiny", conversation_id=conversation, web_search=False, n=1, store=None)

    assert set(server.received[0].body) == {"model", "messages", "stream", "stream_options"}
    searched = await gateway.chat("hi", model="mine/tiny", web_search=True)
    assert searched.headers["x-ignored-params"] == "web_search"


async def test_what_was_meant_for_a_site_is_not_told_to_the_server_that_stands_in(
    gateway: RunningProxy, site: SimulatedSite, server: OpenAiPeer
) -> None:
    site.behaviour.ajax_status = 500
    answer = await gateway.chat("hi", model=MODEL, keep_alive="5m", top_k=3)

    assert answer.headers["x-fallback-model"] == "mine/tiny"
    assert "keep_alive" not in server.received[0].body
    assert server.received[0].body["top_k"] == 3


async def test_text_around_thoughts_that_come_in_one_piece_is_told_once(
    gateway: RunningProxy, server: OpenAiPeer
) -> None:
    deltas = ({"content": "one "}, {"reasoning": "hm"}, {"content": "two"})
    chunks = [json.dumps({"choices": [{"delta": delta}]}) for delta in deltas]
    server.answers = ["".join(f"data: {data}\n\n" for data in (*chunks, "[DONE]")).encode()]

    assert (await gateway.chat("hi", model="mine/tiny")).text == "one two"


async def test_what_a_site_cannot_take_is_named(gateway: RunningProxy) -> None:
    answer = await gateway.chat("hi", model=MODEL, keep_alive="5m", top_k=3, logprobs=True)

    assert answer.headers["x-ignored-params"] == "logprobs, top_k"


@pytest.mark.parametrize(
    ("fields", "param"), [({"top_k": "3"}, "top_k"), ({"min_p": True}, "min_p"), ({"x": "deep"}, "x")]
)
async def test_what_makes_no_sense_is_refused(
    gateway: RunningProxy, server: OpenAiPeer, fields: dict[str, Any], param: str
) -> None:
    deep: Any = None
    for _ in range(500):
        deep = [deep]
    sent = {name: deep if value == "deep" else value for name, value in fields.items()}

    answer = await gateway.chat("hi", model="mine/tiny", **sent)

    assert (answer.status, answer.body["error"]["param"]) == (400, param)
    assert not server.received


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
async def test_thoughts_reach_chats_as_they_come(gateway: RunningProxy, server: OpenAiPeer, field: str) -> None:
    server.answers = [Answer(["one ", "two"], thoughts="hm, let me see", reasoning_field=field)]

    choices = choices_of(await streamed(gateway, "mine/tiny"))
    whole = await gateway.chat("hi", model="mine/tiny")

    deltas = [choice["delta"] for choice in choices]
    assert deltas[:2] == [{"role": "assistant", "content": "", "refusal": None}, {field: "hm, let me see"}]
    assert "".join(delta.get("content", "") for delta in deltas) == "one two"
    assert (whole.text, whole.body["choices"][0]["message"][field]) == ("one two", "hm, let me see")
    assert invalid_values("ChatCompletion", [whole.body]) == []


async def test_thoughts_of_an_answer_in_one_object_are_reported(gateway: RunningProxy, server: OpenAiPeer) -> None:
    message = {"role": "assistant", "content": "all", "reasoning": "hm"}
    server.answers = [HttpError(200, {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]})]

    choices = choices_of(await streamed(gateway, "mine/tiny"))
    answer = await gateway.chat("hi", model="mine/tiny")

    assert choices[1]["delta"] == {"content": "all", "reasoning": "hm"}
    assert (answer.text, answer.body["choices"][0]["message"]["reasoning"]) == ("all", "hm")


async def test_thoughts_belong_to_no_conversation(gateway: RunningProxy, server: OpenAiPeer) -> None:
    server.answers = [Answer(["one"], thoughts="hm")]
    conversation = (await gateway.openai.conversations.create()).id
    for text in ("hi", "again"):
        await gateway.chat(text, model="mine/tiny", conversation_id=conversation)

    assert server.received[1].texts == ["hi", "one", "again"]
    assert "hm" not in json.dumps(server.received[1].body)


async def test_thoughts_go_back_with_the_answers_they_led_to(
    gateway: RunningProxy, site: SimulatedSite, server: OpenAiPeer
) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    history: list[Any] = [
        "look",
        {"role": "assistant", "content": None, "reasoning_content": "hm", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "seen"},
        {"role": "assistant", "content": "done", "reasoning_content": "ah"},
        "again",
    ]
    await gateway.chat(*history, model="mine/tiny")
    site.behaviour.ajax_status = 500
    await gateway.chat(*history, model=MODEL)

    messages = server.received[0].body["messages"]
    assert messages[1] == {"role": "assistant", "content": None, "reasoning_content": "hm", "tool_calls": [call]}
    assert [message.get("reasoning_content") for message in messages] == [None, "hm", None, "ah", None]
    assert "hm" not in json.dumps(server.received[1].body)


async def test_log_probabilities_come_with_their_text(gateway: RunningProxy, server: OpenAiPeer) -> None:
    server.answers = [Answer(["one ", "two"], thoughts="hm")]
    params: dict[str, Any] = {
        "model": "mine/tiny",
        "messages": [{"role": "user", "content": "hi"}],
        "logprobs": True,
        "top_logprobs": 2,
    }

    stream = await gateway.openai.chat.completions.create(**params, stream=True)
    choices = [choice async for chunk in stream for choice in chunk.choices]
    whole = await gateway.openai.chat.completions.with_raw_response.create(**params)

    pieces = [choice for choice in choices if choice.delta.content]
    assert [[token.token for token in piece.logprobs.content] for piece in pieces] == [["one "], ["two"]]
    assert [piece.delta.content for piece in pieces] == ["one ", "two"]
    assert "x-ignored-params" not in whole.headers
    logprobs = whole.parse().choices[0].logprobs
    assert logprobs is not None
    assert [(token.token, token.logprob, len(token.top_logprobs)) for token in logprobs.content or []] == [
        ("one ", -0.25, 2),
        ("two", -0.25, 2),
    ]
    assert whole.parse().choices[0].message.content == "one two"


async def test_each_of_several_answers_has_its_own(gateway: RunningProxy, server: OpenAiPeer) -> None:
    server.answers = [Answer(["one"], thoughts="a"), Answer(["two"], thoughts="b")]

    answer = await gateway.chat("hi", model="mine/tiny", n=2, logprobs=True, top_logprobs=0)

    assert answer.status == 200
    choices = answer.body["choices"]
    assert {(each["message"]["content"], each["message"]["reasoning_content"]) for each in choices} == {
        ("one", "a"),
        ("two", "b"),
    }
    assert all(each["logprobs"]["content"][0]["token"] == each["message"]["content"] for each in choices)


async def test_log_probabilities_that_nobody_asked_for_are_left_out(gateway: RunningProxy, server: OpenAiPeer) -> None:
    choice = {"index": 0, "delta": {"content": "all"}, "logprobs": {"content": []}, "finish_reason": "stop"}
    server.answers = [f"data: {json.dumps({'choices': [choice]})}\n\n".encode()]

    answer = await gateway.chat("hi", model="mine/tiny")

    assert (answer.text, answer.body["choices"][0]["logprobs"]) == ("all", None)


async def test_a_text_that_is_cut_here_has_them_too(gateway: RunningProxy, server: OpenAiPeer) -> None:
    server.answers = [Answer(["one ", "EN", "D two"])]

    answer = await gateway.chat("hi", model="mine/tiny", stop=["END"], logprobs=True, top_logprobs=0)

    choice = answer.body["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("one ", "stop")
    assert [token["token"] for token in choice["logprobs"]["content"]][:1] == ["one "]


async def test_an_answer_that_broke_off_after_a_thought_is_an_error(gateway: RunningProxy, server: OpenAiPeer) -> None:
    server.answers = [Answer([], thoughts="hm", error={"message": "overloaded"})]

    events = await streamed(gateway, "mine/tiny")
    whole = await gateway.chat("hi", model="mine/tiny")

    assert events[1]["choices"][0]["delta"] == {"reasoning_content": "hm"}
    assert events[-1]["error"]["code"] == "upstream_error"
    assert (whole.status, whole.code) == (502, "upstream_error")


async def test_thoughts_in_pieces_without_end_are_given_up(
    gateway: RunningProxy, server: OpenAiPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proxy.chat.answer_writer.MAX_ANSWER_CHUNKS", 10)
    server.answers = [b'data: {"choices": [{"delta": {"reasoning": "x"}}]}\n\n' * 20 + b"data: [DONE]\n\n"]

    assert (await gateway.chat("hi", model="mine/tiny")).code == "upstream_error"


async def test_completions_and_messages_that_do_not_ask_show_text_alone(
    gateway: RunningProxy, server: OpenAiPeer
) -> None:
    server.answers = [Answer(["one"], thoughts="hm")]
    completion = await gateway.openai.completions.with_raw_response.create(
        model="mine/tiny", prompt="hi", extra_body={"keep_alive": "5m"}
    )
    body = {"model": "mine/tiny", "max_tokens": 9, "top_k": 4, "messages": [{"role": "user", "content": "hi"}]}
    async with gateway.http.post(f"{gateway.url}/v1/messages", json=body) as reply:
        message = await reply.json()

    assert completion.parse().choices[0].text == message["content"][0]["text"] == "one"
    assert "x-ignored-params" not in completion.headers
    assert '"hm"' not in completion.text + json.dumps(message)
    assert all("logprobs" not in request.body and "top_logprobs" not in request.body for request in server.received)
    assert all("keep_alive" not in request.body for request in server.received)
    assert server.received[-1].body["top_k"] == 4


@pytest.mark.parametrize("with_extras", [True, False])
def test_a_thought_that_nobody_is_shown_begins_an_answer_too(with_extras: bool) -> None:
    reader = ChunkReader("mine", None, lambda: "call_1", wants_extras=with_extras)
    reader.read(b'{"choices": [{"delta": {"reasoning": "hm"}}]}')

    with pytest.raises(Refusal) as exc_info:
        reader.read(b'{"error": {"message": "overloaded"}}')
    assert exc_info.value.has_begun


@pytest.mark.parametrize(
    ("delta", "with_text"),
    [({"reasoning": "x" * 900}, True), ({DETAILS: [{"data": "x" * 900}]}, False)],
    ids=["shown", "kept for a call"],
)
def test_thoughts_without_end_are_given_up(delta: Any, with_text: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader_module, "MAX_EXTRAS", 10_000)
    reader = ChunkReader("mine", None, lambda: "call_1", wants_extras=with_text)
    chunk = json.dumps({"choices": [{"delta": delta}]}).encode()

    def read_all() -> None:
        for _ in range(20):
            reader.read(chunk)

    with pytest.raises(Refusal, match="does not end"):
        read_all()
