"""Requests to /v1/responses: optional fields, alternative shapes, and limits."""

from functools import reduce
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from proxy.api.responses.input_items import read_items
from proxy.api.responses.reply import ResponseReply
from proxy.api.responses.request import parse_response
from proxy.chat.errors import ServiceError
from tests.proxy.chat.test_store_outage import locked
from tests.proxy.running import RunningProxy, running_proxy, short_store_timeout
from tests.site import SimulatedSite

MODEL = "gpt-4o-mini-helper"
DEEP = reduce(lambda inner, _: {"a": inner}, range(300), dict[str, Any]())


async def test_what_was_added_to_a_conversation_is_answered_without_more_input(
    proxy: RunningProxy, site: SimulatedSite
) -> None:
    created = await proxy.openai.conversations.create()
    await proxy.openai.conversations.items.create(created.id, items=[{"role": "user", "content": "my name is Ada"}])
    answer = await proxy.openai.responses.create(model=MODEL, conversation=created.id)

    assert answer.output_text
    assert site.model_calls[-1].messages[-1]["content"] == "my name is Ada"
    items = await proxy.openai.conversations.items.list(created.id)
    assert [item.role for item in items.data if item.type == "message"] == ["assistant", "user"]


@pytest.mark.parametrize("items", [[], [{"type": "reasoning", "id": "rs_1", "summary": []}]])
async def test_a_response_may_continue_without_input(proxy: RunningProxy, items: Any) -> None:
    first = await proxy.openai.responses.create(model=MODEL, input="my name is Ada")
    more = await proxy.openai.responses.create(model=MODEL, input=items, previous_response_id=first.id)

    assert more.output_text


@pytest.mark.parametrize(("output", "expected"), [("22 C", "22 C"), ({"celsius": 22}, '{"celsius":22}')])
async def test_tools_of_earlier_turns_are_told_in_words(
    proxy: RunningProxy, site: SimulatedSite, output: Any, expected: str
) -> None:
    items: list[Any] = [
        {"type": None, "role": "user", "content": "How is it in Rome?"},
        {"type": "function_call", "call_id": "c", "name": "weather", "arguments": '{"city":"Rome"}'},
        {"type": "function_call_output", "call_id": "c", "output": output},
        {"role": "user", "content": "and?"},
    ]
    await proxy.openai.responses.create(model=MODEL, input=items)

    assert '{"name":"weather","arguments":{"city":"Rome"}}' in str(site.model_calls[-1].messages)
    assert f"[result of weather]\\n{expected}" in str(site.model_calls[-1].messages)


async def test_an_answer_of_calls_may_leave_out_its_text(proxy: RunningProxy, site: SimulatedSite) -> None:
    call = {"type": "function_call", "call_id": "c", "name": "weather", "arguments": "{}"}
    answer = {"role": "assistant", "content": "I looked."}
    items: list[Any] = [
        {"role": "user", "content": "hi"},
        {"role": "assistant"},
        call,
        answer,
        {"role": "user", "content": "and?"},
    ]
    await proxy.openai.responses.create(model=MODEL, input=items)

    assert "I looked." in str(site.model_calls[-1].messages)


async def test_an_answers_text_behind_its_calls_belongs_to_it(proxy: RunningProxy, site: SimulatedSite) -> None:
    """As Haystack sends an answer back: the site's copy is that of the same answer, and is continued."""
    site.behaviour.scripts = {"it": [{"text": "Let me see.", "calls": [["look", {}]]}]}
    tools: Any = [{"type": "function", "name": "look", "parameters": {"type": "object"}}]
    asked: Any = {"role": "user", "content": "[[script:it]]"}
    answer = await proxy.openai.responses.create(model=MODEL, input=[asked], tools=tools)
    said, called = (item.model_dump() for item in answer.output)
    result = {"type": "function_call_output", "call_id": called["call_id"], "output": "seen"}

    items: Any = [asked, called, {"role": "assistant", "content": said["content"]}, result]
    more = await proxy.openai.responses.create(model=MODEL, input=items, tools=tools)

    assert more.output_text == "So: seen."
    assert site.model_calls[-1].conversation_uuid == site.model_calls[0].conversation_uuid


async def test_an_earlier_answer_is_named_without_a_type(proxy: RunningProxy) -> None:
    first = await proxy.openai.responses.create(model=MODEL, input="my name is Ada")
    again = await proxy.openai.responses.create(
        model=MODEL,
        input=[{"id": first.output[0].id}, {"role": "user", "content": "[[recall]]"}],  # type: ignore[typeddict-item]
    )

    assert first.output_text in again.output_text


@pytest.mark.parametrize("stream", [False, True])
async def test_a_limit_beyond_all_numbers_is_none(proxy: RunningProxy, stream: bool) -> None:
    body = {"model": MODEL, "input": "hi", "stream": stream, "max_output_tokens": 1e30}
    async with proxy.http.post(f"{proxy.url}/v1/responses", json=body) as answer:
        text = await answer.text()

    assert answer.status == 200
    assert '"status":"completed"' in text


async def test_an_answer_that_cannot_even_fail_ends_its_connection(
    proxy: RunningProxy, site: SimulatedSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> bytes:
        raise TypeError("no JSON can be made of this")

    monkeypatch.setattr(ResponseReply, "closing", broken)
    monkeypatch.setattr(ResponseReply, "failure", broken)
    with pytest.raises(aiohttp.ClientError):
        async with proxy.http.post(
            f"{proxy.url}/v1/responses", json={"model": MODEL, "input": "hi", "stream": True}
        ) as answer:
            await answer.read()

    assert (await proxy.chat("hi")).status == 200


async def test_the_text_format_is_echoed(proxy: RunningProxy) -> None:
    text_format: Any = {"format": {"type": "text"}, "verbosity": "low"}
    response = await proxy.openai.responses.create(model=MODEL, input="hi", text=text_format)
    alone = await proxy.openai.responses.create(model=MODEL, input="hi", text={"verbosity": "low"})
    plain = await proxy.openai.responses.create(model=MODEL, input="hi", text={"format": {"type": "text"}})

    assert response.text is not None
    assert response.text == alone.text
    assert response.text.to_dict() == text_format
    assert plain.text is not None
    assert plain.text.verbosity == "medium"


async def test_how_hard_to_think_and_how_often_to_call_are_echoed(proxy: RunningProxy) -> None:
    response = await proxy.openai.responses.create(
        model=MODEL, input="hi", reasoning={"effort": "low", "summary": "auto"}, max_tool_calls=3
    )

    assert response.reasoning is not None
    assert (response.reasoning.effort, response.reasoning.summary) == ("low", "auto")
    assert response.max_tool_calls == 3


async def test_a_stored_response_is_not_streamed(proxy: RunningProxy) -> None:
    created = await proxy.openai.responses.create(model=MODEL, input="hi")
    async with proxy.http.get(f"{proxy.url}/v1/responses/{created.id}?stream=true") as answer:
        error = (await answer.json())["error"]

    assert (answer.status, error["param"]) == (400, "stream")


async def test_a_response_that_cannot_be_stored_is_given_and_says_so(
    site: SimulatedSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short_store_timeout(monkeypatch)
    async with running_proxy(site, tmp_path) as running:
        with locked(tmp_path / "freeaichat.db"):
            created = await running.openai.responses.create(model=MODEL, input="hi")

    assert created.output_text
    assert created.to_dict()["store"] is False


def test_messages_between_agents_are_read_unless_encrypted() -> None:
    header = {"type": "input_text", "text": "Message Type: NEW_TASK"}
    items = [
        {"type": "agent_message", "content": [header, part]}
        for part in (
            {"type": "encrypted_content", "encrypted_content": "Count the files."},
            {"type": "encrypted_content", "encrypted_content": "gAAAAABo"},
        )
    ]

    messages, _ = read_items([*items, {"type": "agent_message", "content": "plain"}], name="input")

    assert [(message.role, message.text) for message in messages] == [
        ("user", "Message Type: NEW_TASK\nCount the files."),
        ("user", "Message Type: NEW_TASK"),
        ("user", "plain"),
    ]


def test_the_last_change_of_how_hard_to_think_holds() -> None:
    changes = [{"type": "configuration_update", "reasoning": {"effort": effort}} for effort in ("low", "high")]
    params: dict[str, Any] = {"model": "m", "input": [changes[0], {"role": "user", "content": "hi"}, changes[1]]}

    plain = parse_response({**params, "reasoning": {"effort": "medium"}}).ask
    with pytest.raises(ServiceError) as exc_info:
        parse_response({**params, "input": [*params["input"], {**changes[0], "reasoning": {"effort": 3}}]})

    assert plain.parameters == {"reasoning": {"effort": "high"}}
    assert [message.text for message in plain.messages] == ["hi"]
    assert exc_info.value.param == "reasoning.effort"


@pytest.mark.parametrize(
    "items",
    [
        [{"type": "function_call", "call_id": "c", "name": "look", "arguments": DEEP}],
        [{"type": "function_call_output", "call_id": "c", "output": DEEP}],
        [{"type": "agent_message", "content": [{"type": "encrypted_content"}]}],
    ],
)
def test_items_that_cannot_be_written_or_hold_nothing_are_a_400(items: list[Any]) -> None:
    with pytest.raises(ServiceError) as exc_info:
        read_items(items, name="input")

    assert exc_info.value.status == 400


def test_tools_are_repeated_however_deep_their_schemas_are() -> None:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(20):
        schema = {"type": "object", "properties": {"inner": schema}}
    tool = {"type": "function", "name": "look_up", "parameters": schema}

    echoed = parse_response({"model": "m", "input": "hi", "tools": [tool]}).echoed

    assert echoed["tools"] == [{**tool, "description": None, "strict": False}]


def test_tools_are_repeated_with_the_values_that_openai_gives_what_was_left_out() -> None:
    function, custom = {"type": "function", "name": "look_up"}, {"type": "custom", "name": "run"}
    search, preview = {"type": "web_search"}, {"type": "web_search_preview_2025_03_11", "search_context_size": "low"}
    tools = [{**function, "strict": None}, {**function, "name": "go", "strict": True}, custom, search, preview]

    echoed = parse_response({"model": "m", "input": "hi", "tools": tools}).echoed

    assert echoed["tools"] == [
        {**function, "description": None, "parameters": None, "strict": False},
        {**function, "name": "go", "description": None, "parameters": None, "strict": True},
        {**custom, "format": {"type": "text"}},
        {**search, "search_context_size": "medium", "user_location": None},
        {**preview, "user_location": None},
    ]
