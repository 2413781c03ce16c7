"""OpenAI's response objects, chunk by chunk."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from proxy.api.chat_completions.reply import ChatReply
from proxy.api.chat_completions.request import ChatRequest
from proxy.chat.ask import Ask
from proxy.chat.tokens import Usage
from proxy.chat.upstream import End
from shared.conversations import Citation, Message, ToolCall

USED = Usage(3, 4)
PLAIN = [End()]


def reply(*, include_usage: bool = False, conversation_id: str | None = None) -> ChatReply:
    chat = ChatRequest(Ask("m", ()), {}, include_usage=include_usage)
    return ChatReply(chat, id="chatcmpl-1", created=7, model='odd "model"', conversation_id=conversation_id)


def parse(raw: bytes) -> list[Any]:
    assert raw.endswith(b"\n\n")
    return [item if item == "[DONE]" else json.loads(item) for item in raw.decode()[6:-2].split("\n\ndata: ")]


@given(st.text())
def test_any_text_travels_unchanged_in_one_event(text: str) -> None:
    raw = reply().text_of(0)(text)

    (chunk,) = parse(raw)
    assert raw.count(b"\n") == 2
    assert chunk["choices"] == [{"index": 0, "delta": {"content": text}, "logprobs": None, "finish_reason": None}]
    assert (chunk["id"], chunk["created"], chunk["model"]) == ("chatcmpl-1", 7, 'odd "model"')


def test_a_stream_opens_with_the_role_and_closes_with_the_reason() -> None:
    (opening,) = parse(reply().opening())
    finish, done = parse(reply().closing(PLAIN, USED))

    assert opening["choices"][0]["delta"] == {"role": "assistant", "content": "", "refusal": None}
    assert (finish["choices"][0]["delta"], finish["choices"][0]["finish_reason"]) == ({}, "stop")
    assert done == "[DONE]"
    assert "usage" not in finish


def test_the_conversation_is_named_where_a_stream_begins_and_ends() -> None:
    named = reply(conversation_id="conv_1")
    (opening,), (finish, _) = parse(named.opening()), parse(named.closing(PLAIN, USED))

    assert opening["conversation_id"] == finish["conversation_id"] == "conv_1"
    assert "conversation_id" not in parse(named.text_of(0)("x"))[0]


def test_usage_comes_last_with_no_choices_and_is_null_before() -> None:
    with_usage = reply(include_usage=True)

    finish, used, done = parse(with_usage.closing(PLAIN, USED))

    assert parse(with_usage.text_of(0)("x"))[0]["usage"] is None
    assert finish["usage"] is None
    assert (used["choices"], used["usage"]["total_tokens"]) == ([], 7)
    assert done == "[DONE]"


def test_annotations_and_a_refusal_come_before_the_reason() -> None:
    end = End("content_filter", "I cannot", [Citation("https://a", "A", 1, 2)])

    extras, finish, _ = parse(reply().closing([end], USED))

    assert extras["choices"][0]["delta"]["refusal"] == "I cannot"
    assert extras["choices"][0]["delta"]["annotations"] == [
        {"type": "url_citation", "url_citation": {"url": "https://a", "title": "A", "start_index": 1, "end_index": 2}}
    ]
    assert finish["choices"][0]["finish_reason"] == "content_filter"


def test_of_several_calls_the_first_is_the_one_of_old_messages() -> None:
    legacy = ChatReply(ChatRequest(Ask("m", ()), {}, uses_functions=True), id="chatcmpl-1", created=7, model="m")
    first, second = (ToolCall(id=f"call_{name}", name=name, arguments="{}") for name in ("look", "find"))
    whole = legacy.whole([Message(role="assistant", text="", calls=(first, second))], [End("tool_calls")], USED)
    head, rest = parse(legacy.call(0, first) + legacy.call(0, second))

    name, arguments = (chunk["choices"][0]["delta"]["function_call"] for chunk in (head, rest))
    assert (
        {**name, **arguments} == whole["choices"][0]["message"]["function_call"] == {"name": "look", "arguments": "{}"}
    )


def test_a_whole_answer_has_every_required_key() -> None:
    whole = reply(conversation_id="conv_1").whole([Message(role="assistant", text="hello")], PLAIN, USED)

    assert whole["object"] == "chat.completion"
    assert whole["conversation_id"] == "conv_1"
    assert whole["choices"] == [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "hello", "refusal": None, "annotations": []},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ]
    assert whole["usage"]["total_tokens"] == 7
