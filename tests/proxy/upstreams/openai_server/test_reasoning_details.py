"""Reasoning in parts (`reasoning_details`), as OpenRouter sends it: to clients unchanged, and back again."""

import json
from typing import Any

import pytest

from proxy.chat.extras import DETAILS, Extras, ExtrasJoiner
from tests.openai_server import Answer, OpenAiPeer
from tests.proxy.api.messages.messages_client import message
from tests.proxy.api.openapi.test_described_calls import invalid_values
from tests.proxy.running import RunningProxy
from tests.proxy.upstreams.openai_server.api_clients import MODEL, THINKING, messaged, responded

HI: Any = {"role": "user", "content": "hi"}


def text(words: str | None = None, *, index: int | None = 0, **fields: Any) -> dict[str, Any]:
    """A piece of a part that is text."""
    payload = {} if words is None else {"text": words}
    return {"type": "reasoning.text", **payload, "format": "anthropic-claude-v1", "index": index, **fields}


def summary_part(words: str, **fields: Any) -> dict[str, Any]:
    return {"type": "reasoning.summary", "summary": words, "format": "openai-responses-v1", "index": 0, **fields}


def encrypted_part(data: str, **fields: Any) -> dict[str, Any]:
    return {"type": "reasoning.encrypted", "data": data, "format": "openai-responses-v1", "index": 0, **fields}


PIECES = [[text("hm, ")], [text("let me see")], [text(signature="c2ln")], [encrypted_part("YWJj", id="rs_1")]]
PARTS = [text("hm, let me see", signature="c2ln"), encrypted_part("YWJj", id="rs_1")]


def answering(*deltas: dict[str, Any]) -> bytes:
    """An answer of these, and a text."""
    message = [*deltas, {"content": "seen", "reasoning": None, DETAILS: []}, {"content": "!", "reasoning": None}]
    chunks: list[Any] = [{"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in message]
    chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    return "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks).encode()


def reasoning_answer() -> bytes:
    """An answer with thoughts in both forms."""
    texts = [{"reasoning": part["text"]} if part.get("text") else {} for (part,) in PIECES]
    return answering(
        *({"content": "", **message, DETAILS: piece} for message, piece in zip(texts, PIECES, strict=True))
    )


async def test_reasoning_details_are_streamed_as_they_come(gateway: RunningProxy, server: OpenAiPeer) -> None:
    server.answers = [reasoning_answer()]

    stream = await gateway.openai.chat.completions.create(model=MODEL, messages=[HI], stream=True)
    chunks = [chunk async for chunk in stream]

    deltas: list[Any] = [chunk.choices[0].delta for chunk in chunks]
    assert [message for delta in deltas if (message := getattr(delta, DETAILS, None))] == PIECES
    assert "".join(getattr(delta, "reasoning", "") for delta in deltas) == "hm, let me see"
    assert "".join(delta.content or "" for delta in deltas) == "seen!"
    assert invalid_values("ChatCompletionChunk", [chunk.model_dump(exclude_unset=True) for chunk in chunks]) == []


async def test_a_whole_answer_has_them_put_together_and_they_go_back_as_they_are(
    gateway: RunningProxy, server: OpenAiPeer
) -> None:
    server.answers = [reasoning_answer(), Answer()]

    first: Any = await gateway.openai.chat.completions.create(model=MODEL, messages=[HI])
    message = first.choices[0].message.model_dump(exclude_unset=True)
    await gateway.openai.chat.completions.create(model=MODEL, messages=[HI, message, HI])

    assert (message["content"], message["reasoning"], message[DETAILS]) == ("seen!", "hm, let me see", PARTS)
    assert invalid_values("ChatCompletion", [first.model_dump(exclude_unset=True)]) == []
    again = server.received[1].body["messages"][1]
    assert (again["reasoning"], again[DETAILS]) == ("hm, let me see", PARTS)


async def test_an_answer_that_comes_in_one_object_has_them_too(gateway: RunningProxy, server: OpenAiPeer) -> None:
    parts = [summary_part("first"), summary_part("second"), encrypted_part("x"), encrypted_part("y")]
    server.answers = [answering({"reasoning": "first second", DETAILS: parts})]

    answer = await gateway.chat("hi", model=MODEL)

    assert answer.body["choices"][0]["message"][DETAILS] == parts


@pytest.mark.parametrize(
    ("pieces", "parts"),
    [
        ([[text("a")], [text("b", index=1)]], [text("a"), text("b", index=1)]),
        ([[text("a", index=None)], [text("b", index=None)]], [text("ab", index=None)]),
        ([[summary_part("a")], [summary_part("b")], [text("c")]], [summary_part("ab"), text("c")]),
        (
            [[summary_part("a", id="x")], [summary_part("b", id="y")]],
            [summary_part("a", id="x"), summary_part("b", id="y")],
        ),
        ([[summary_part("a", id="x")], [summary_part("b")]], [summary_part("ab", id="x")]),
        ([[encrypted_part("a")], [encrypted_part("b")]], [encrypted_part("a"), encrypted_part("b")]),
        ([[text("a", signature=None)], [text("b", signature="s")]], [text("ab", signature="s")]),
        ([[text("a", signature="s")], [text("b", signature=None)]], [text("ab", signature="s")]),
        ([[text("a"), text("b")], [text("c")]], [text("a"), text("bc")]),
        ([[{"id": {}, "text": 5}], [{"id": {}, "x": 1}]], [{"id": {}, "text": 5, "x": 1}]),
    ],
)
def test_pieces_of_one_part_become_one(pieces: list[Any], parts: list[Any]) -> None:
    extras = ExtrasJoiner()
    for piece in pieces:
        extras.add(Extras(thoughts={DETAILS: piece}))

    whole = extras.joined()

    assert whole is not None
    assert whole.thoughts[DETAILS] == parts
    assert whole.reasoning_text == ""


async def test_what_are_no_parts_is_left_out(gateway: RunningProxy, server: OpenAiPeer) -> None:
    deep: Any = "x"
    for _ in range(300):
        deep = [deep]
    server.answers = [answering({DETAILS: ["no part", {"deep": deep}]}, {DETAILS: "none"}, {DETAILS: [text("a"), 5]})]

    answer = await gateway.chat("hi", model=MODEL)

    assert answer.text == "seen!"
    assert answer.body["choices"][0]["message"][DETAILS] == [text("a")]


async def test_apis_without_them_show_the_text_alone_and_servers_are_told_it_as_before(
    gateway: RunningProxy, server: OpenAiPeer
) -> None:
    server.answers = [answering({DETAILS: [encrypted_part("a")]}), reasoning_answer(), reasoning_answer(), Answer()]
    call: Any = {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {}}
    result: Any = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "blue"}

    bare = await responded(gateway)
    await messaged(
        gateway,
        HI,
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "ah", "signature": "s"}, call]},
        {"role": "user", "content": [result]},
    )
    reply = message(await messaged(gateway, **THINKING, stream=False))

    assert [item["type"] for item in bare["output"]] == ["message"]
    assert server.received[1].body["messages"][1]["reasoning_content"] == "ah"  # parts alone do not tell its own name
    assert [block.get("thinking", block.get("text")) for block in reply["content"]] == ["hm, let me see", "seen!"]
