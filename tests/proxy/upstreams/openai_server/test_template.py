"""Chunks that match a template are read without parsing, and give the same result."""

import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from proxy.chat.upstream import Refusal
from proxy.upstreams.openai_server.reader import ChunkReader
from proxy.upstreams.openai_server.template import Template

TEXTS = st.text(max_size=8) | st.sampled_from(
    ['"', '\\"', "\\", '"content":"x"', '"},"finish_reason":"stop', "é😀", ""]
)
DELTAS = st.fixed_dictionaries(
    {},
    optional={
        "role": st.just("assistant"),
        "content": TEXTS | st.none(),
        "refusal": st.none() | TEXTS,
        "reasoning": st.none() | TEXTS,
        "tool_calls": st.just([{"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}}]),
        "x": st.just({"content": "not this one"}),
    },
)
CHUNKS = st.fixed_dictionaries(
    {
        "choices": st.lists(
            st.fixed_dictionaries(
                {"delta": DELTAS},
                optional={"finish_reason": st.sampled_from([None, "stop", "length"]), "logprobs": st.none()},
            ),
            max_size=2,
        )
    },
    optional={
        "content": TEXTS,
        "id": st.sampled_from(["a", '"content":']),
        "usage": st.sampled_from([None, {"prompt_tokens": 1, "completion_tokens": 2}]),
        "error": st.sampled_from([None, {"message": "it broke"}]),
    },
)
SEPARATORS = st.sampled_from([(",", ":"), (", ", ": ")])


def outcome(reader: ChunkReader, read: Callable[[], str]) -> Any:
    """What *reader* returns for a chunk."""
    try:
        text = read()
    except Refusal as refusal:
        return refusal.error.message
    return (reader.extras or text, reader.calls, reader.is_whole, reader.has_begun)


@given(st.lists(CHUNKS, max_size=3), st.lists(st.integers(0, 2), max_size=8), st.lists(TEXTS, min_size=8), SEPARATORS)
@example(
    [{"choices": [{"delta": {"reasoning": "so"}}]}, {"choices": [], "error": {"message": "it broke"}}],
    [0, 1],
    [""] * 8,
    (",", ":"),
)
def test_a_chunk_is_read_the_same_whatever_came_before(
    shapes: Sequence[dict[str, Any]], order: list[int], texts: list[str], separators: tuple[str, str]
) -> None:
    quick, slow = (ChunkReader("mine", None, lambda: "id", wants_extras=True) for _ in range(2))
    for number, text in zip(order, texts, strict=False):
        if number >= len(shapes):
            continue
        chunk = json.loads(json.dumps(shapes[number]))
        for choice in chunk["choices"]:
            if choice["delta"].get("content") is not None:
                choice["delta"]["content"] = text
        data = json.dumps(chunk, ensure_ascii=number == 0, separators=separators).encode()
        assert outcome(quick, partial(quick.read, data)) == outcome(slow, partial(slow.take, chunk))


def chunk(text: str, **more: Any) -> dict[str, Any]:
    return {"id": "x", **more, "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]}


def test_chunks_that_differ_in_their_text_alone_need_no_closer_look() -> None:
    template, first = Template(), chunk("one")
    template.learn(json.dumps(first).encode(), first)

    assert template.text(json.dumps(chunk('t"w\\o 😀')).encode()) == 't"w\\o 😀'
    for other in (json.dumps(chunk("three", created=2)), *(json.dumps(first).replace('"one"', x) for x in ('"', "5"))):
        assert template.text(other.encode()) is None
    assert Template().text(b'"one"') is None  # nothing was learned


def test_a_chunk_with_another_byte_anywhere_beside_its_text_takes_a_closer_look() -> None:
    template, first = Template(), chunk("one")
    data = json.dumps(first).encode()
    template.learn(data, first)
    event = b"data: %b\n\n" % data

    for position in set(range(len(event))) - set(range(start := event.index(b"one"), start + 3)):
        other = event[:position] + bytes([event[position] ^ 1]) + event[position + 1 :]
        assert template.plain(other) is None
        if other[:6] == b"data: " and other[-2:] == b"\n\n":
            assert template.text(other[6:-2]) is None


@given(st.lists(TEXTS | st.text("ab \x7f'/", max_size=5), max_size=3), st.sampled_from(["", "\n", ": x\n\n", "x"]))
@example(["a", "", "b"], "")
@example(["a", "b"], "data: x\n\n")
def test_plain_events_on_the_wire_are_read_at_once_and_nothing_else(texts: list[str], after: str) -> None:
    template, first = Template(), chunk("one")
    template.learn(json.dumps(first).encode(), first)
    events = [f"data: {json.dumps(chunk(text))}\n\n" for text in texts]
    is_plain = any(texts) and not after and all(json.dumps(text) == f'"{text}"' for text in texts)

    assert template.plain(("".join(events) + after).encode()) == ("".join(texts) if is_plain else None)


@pytest.mark.parametrize("is_event", [True, False])
def test_a_shape_that_changes_now_and_then_is_learned_each_time(is_event: bool) -> None:
    template = Template()
    for second in range(20):
        first = chunk("one", created=second)
        template.learn(json.dumps(first).encode(), first)
        data = json.dumps(chunk("two", created=second))
        found = template.plain(f"data: {data}\n\n".encode()) if is_event else template.text(data.encode())
        assert found == "two"


@pytest.mark.parametrize("other", [": x", "data: [DONE]", 'data: {"id": "x", "choices": []}', "half a text", "odd"])
def test_an_event_between_plain_ones_takes_a_closer_look(other: str) -> None:
    template, first = Template(), chunk("one")
    template.learn(json.dumps(first).encode(), first)
    event = f"data: {json.dumps(first)}"
    others = {"half a text": event.replace('"one"', '"'), "odd": event.replace('"x"', '"y"')}
    between = others.get(other, other)

    assert template.plain(f"{event}\n\n".encode() * 2) == "oneone"
    for events in ((event, between, event), (between,), (between, event), (event, between)):
        assert template.plain("".join(f"{each}\n\n" for each in events).encode()) is None


@pytest.mark.parametrize(("at_start", "at_end"), [("\n", "\n"), ("\n", ""), ("", "\n")])
def test_an_event_of_several_lines_is_never_read_at_once(at_start: str, at_end: str) -> None:
    template, first = Template(), chunk("one")
    data = f"{{{at_start}{json.dumps(first)[1:-1]}{at_end}}}".encode()
    template.learn(data, first)

    assert template.text(data) == "one"
    assert template.plain(b"data: " + data + b"\n\n") is None


@pytest.mark.parametrize(
    "more", [{"usage": {"prompt_tokens": 1}}, {"content": "before", "choices": [{"delta": {"content": "x"}}]}]
)
def test_no_template_is_made_of_a_chunk_with_more_fields_or_its_text_twice(more: Any) -> None:
    template = Template()
    first = {**more, **chunk("one")}
    template.learn(json.dumps(first).encode(), first)

    assert template.text(json.dumps(first).encode()) is None


@pytest.mark.parametrize(
    "more", [{"finish_reason": "stop"}, {"logprobs": {"content": []}}, {"delta": {"refusal": "x"}}]
)
def test_no_template_is_made_of_a_choice_that_tells_more_than_a_text(more: Any) -> None:
    template, first = Template(), chunk("one")
    choice = first["choices"][0]
    choice |= {**more, "delta": choice["delta"] | more.get("delta", {})}
    template.learn(json.dumps(first).encode(), first)

    assert template.text(json.dumps(first).encode()) is None


def test_templates_are_given_up_if_no_two_chunks_are_alike() -> None:
    template = Template()
    for number in range(20):
        each = chunk("one", obfuscation="x" * number)
        template.learn(json.dumps(each).encode(), each)
    last = json.dumps(chunk("two", obfuscation="x" * 19)).encode()

    assert template.text(last) is None
