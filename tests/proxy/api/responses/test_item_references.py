"""Clients of the Responses API may name an earlier answer instead of sending it again."""

from typing import Any

import openai
import pytest
from openai.types.responses import Response

from tests.proxy.api.tools.test_stream import BEIJING, FLAT, PARIS
from tests.proxy.chat.test_memory import known_texts
from tests.proxy.running import RunningProxy
from tests.site import SimulatedSite

MODEL = "gpt-4o-mini-helper"
STATEFUL = "gpt-5-nano"


def user(text: str) -> Any:
    return {"role": "user", "content": [{"type": "input_text", "text": text}]}


def reference(response: Response) -> Any:
    return {"type": "item_reference", "id": response.output[0].id}


async def dialogue(proxy: RunningProxy, model: str, *texts: str) -> None:
    """A dialogue in which each turn names all earlier answers."""
    items: list[Any] = []
    for text in texts:
        items.append(user(text))
        response = await proxy.openai.responses.create(model=model, input=items)
        items.append(reference(response))


@pytest.mark.parametrize("model", [MODEL, STATEFUL])
async def test_named_answers_reach_the_model_as_they_were_given(
    proxy: RunningProxy, site: SimulatedSite, model: str
) -> None:
    turns = ("one [[say:a < b]]", "two [[say:你好]]", "three")
    await dialogue(proxy, model, *turns)

    texts = [message["content"] for message in known_texts(site.model_calls[-1])]
    assert texts == [turns[0], "a < b", turns[1], "你好", "three"]


async def test_only_the_new_message_is_sent_to_a_site_that_holds_the_named_ones(
    proxy: RunningProxy, site: SimulatedSite
) -> None:
    await dialogue(proxy, STATEFUL, "one", "two", "three")

    assert len({call.conversation_uuid for call in site.model_calls}) == 1
    assert site.requests[-2].fields["message"] == "three"


@pytest.mark.parametrize("in_turn", [False, True], ids=["calls first", "each with its result"])
async def test_calls_that_are_sent_again_behind_the_name_of_their_answer_are_told_once(
    proxy: RunningProxy, site: SimulatedSite, in_turn: bool
) -> None:
    site.behaviour.scripts = {"it": [{"text": "I look.", "calls": [PARIS, BEIJING]}]}
    question = user("[[script:it]]")
    params: dict[str, Any] = {"model": MODEL, "tools": FLAT}
    first = await proxy.openai.responses.create(**params, input=[question])
    message, *calls = first.output
    results: list[Any] = [
        {"type": "function_call_output", "call_id": call.call_id, "output": f"sunny {number}"}
        for number, call in enumerate(calls)
        if call.type == "function_call"
    ]
    named: Any = {"type": "item_reference", "id": message.id}
    history: list[Any] = [*calls, *results]
    if in_turn:
        history = [item for pair in zip(calls, results, strict=True) for item in pair]
    second = await proxy.openai.responses.create(**params, input=[question, named, *history])
    items = [item async for item in proxy.openai.responses.input_items.list(second.id, order="asc")]

    kinds = ["message", "message", *["function_call"] * 2, *["function_call_output"] * 2]
    assert [item.type for item in items] == kinds


async def test_a_call_that_the_named_answer_does_not_hold_is_told_behind_it(
    proxy: RunningProxy, site: SimulatedSite
) -> None:
    first = await proxy.openai.responses.create(model=MODEL, input=[user("one")])
    call: Any = {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": '{"at":1}'}
    result: Any = {"type": "function_call_output", "call_id": "call_1", "output": "sunny"}
    await proxy.openai.responses.create(model=MODEL, input=[user("one"), reference(first), call, result])

    prompt = "".join(str(message["content"]) for message in site.model_calls[-1].messages)
    assert prompt.index(first.output_text) < prompt.index('"name":"look"') < prompt.index("sunny")


async def test_a_conversation_is_no_response(proxy: RunningProxy) -> None:
    name = (await proxy.openai.conversations.create()).id

    for asking in (
        proxy.openai.responses.retrieve(name),
        proxy.openai.responses.delete(name),
        proxy.openai.responses.create(model=MODEL, input="hi", previous_response_id=name),
    ):
        with pytest.raises(openai.NotFoundError):
            await asking
    assert (await proxy.openai.conversations.retrieve(name)).id == name


async def test_an_answer_that_was_not_stored_cannot_be_named(proxy: RunningProxy) -> None:
    response = await proxy.openai.responses.create(model=MODEL, input="one", store=False)

    with pytest.raises(openai.NotFoundError) as exc_info:
        await proxy.openai.responses.create(model=MODEL, input=[reference(response), user("two")])
    assert (exc_info.value.code, exc_info.value.param) == ("item_not_found", "input")
    with pytest.raises(openai.NotFoundError, match="'rs_1_0'"):
        await proxy.openai.responses.create(model=MODEL, input=[{"type": "item_reference", "id": "rs_1_0"}])


@pytest.mark.parametrize("wrong", [{}, {"id": None}, {"id": 7}, {"id": ""}])
async def test_a_reference_that_names_nothing_is_refused(proxy: RunningProxy, wrong: dict[str, Any]) -> None:
    body = {"model": MODEL, "input": [{"type": "item_reference", **wrong}, user("hi")]}
    async with proxy.http.post(f"{proxy.url}/v1/responses", json=body) as response:
        error = (await response.json())["error"]

    assert (response.status, error["param"]) == (400, "input.0.id")
