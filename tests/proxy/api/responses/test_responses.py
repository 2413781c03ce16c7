"""The Responses API with the official client: shapes, events, state, and failures."""

from typing import Any

import openai
import pytest

from tests.proxy.api.chat_completions.test_chat import ECHO
from tests.proxy.running import RunningProxy
from tests.proxy.wire import exchange
from tests.site import SimulatedSite

MODEL = "gpt-4o-mini-helper"
STATEFUL = "gpt-5-nano"


def dialogue(call: Any) -> list[str]:
    """The texts the model was given, without the site's own instructions."""
    return [message["content"] for message in call.messages if message["role"] != "system"]


async def test_a_response_is_answered_whole(proxy: RunningProxy) -> None:
    response = await proxy.openai.responses.create(model=MODEL, input="hi", metadata={"a": "1"})

    assert response.output_text == ECHO
    assert response.id.startswith("resp_")
    assert (response.object, response.status, response.model, response.error) == ("response", "completed", MODEL, None)
    assert response.usage is not None
    assert response.usage.total_tokens == response.usage.input_tokens + response.usage.output_tokens > 1
    message = response.output[0]
    assert message.type == "message"
    assert (message.role, message.status, message.id[:4]) == ("assistant", "completed", "msg_")
    assert response.completed_at is not None
    assert response.completed_at >= response.created_at


async def test_no_key_that_clients_need_a_value_of_is_null(proxy: RunningProxy) -> None:
    async with proxy.http.post(f"{proxy.url}/v1/responses", json={"model": MODEL, "input": "hi"}) as answer:
        body = await answer.json()

    defaults = {
        "temperature": 1.0,
        "top_p": 1.0,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        "top_logprobs": 0,
        "tool_choice": "auto",
        "truncation": "disabled",
        "background": False,
        "service_tier": "default",
        "tools": [],
        "parallel_tool_calls": True,
        "store": True,
        "metadata": {},
        "text": {"format": {"type": "text"}, "verbosity": "medium"},
    }
    assert {name: body[name] for name in defaults} == defaults
    assert body["output"][0]["content"] == [{"type": "output_text", "text": ECHO, "annotations": [], "logprobs": []}]


async def test_events_come_typed_in_order_and_numbered(proxy: RunningProxy) -> None:
    stream = await proxy.openai.responses.create(model=MODEL, input="[[tokens:5]]", stream=True)
    events = [event async for event in stream]

    kinds = [event.type for event in events]
    assert kinds[:4] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
    ]
    assert kinds[-4:] == [
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert set(kinds[4:-4]) == {"response.output_text.delta"}
    assert [event.sequence_number for event in events] == list(range(len(events)))
    deltas = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    done = events[-1]
    assert done.type == "response.completed"
    assert done.response.output_text == deltas != ""
    assert done.response.usage is not None


async def test_every_event_names_its_type_twice_and_no_end_mark_follows(proxy: RunningProxy) -> None:
    body = {"model": MODEL, "input": "hi", "stream": True}
    async with proxy.http.post(f"{proxy.url}/v1/responses", json=body) as answer:
        raw = (await answer.read()).decode()

    for event in raw.removesuffix("\n\n").split("\n\n"):
        name, data = event.split("\n")
        assert f'"type":"{name.removeprefix("event: ")}"' in data.removeprefix("data: ")
    assert "[DONE]" not in raw


async def test_the_helper_of_the_client_accumulates_the_stream(proxy: RunningProxy) -> None:
    async with proxy.openai.responses.stream(model=MODEL, input="hi") as stream:
        response = await stream.get_final_response()

    assert response.output_text == ECHO


@pytest.mark.parametrize("model", [MODEL, STATEFUL])
async def test_a_response_continues_the_one_before(proxy: RunningProxy, site: SimulatedSite, model: str) -> None:
    first = await proxy.openai.responses.create(model=model, input="my name is Ada")
    second = await proxy.openai.responses.create(model=model, input="and I am 30", previous_response_id=first.id)
    third = await proxy.openai.responses.create(model=model, input="[[recall]]", previous_response_id=second.id)

    assert "my name is Ada" not in second.output_text
    assert "my name is Ada" in third.output_text
    assert second.previous_response_id == first.id
    one, two, *_ = site.model_calls
    assert two.conversation_uuid == one.conversation_uuid


async def test_branches_of_one_response_are_independent(proxy: RunningProxy, site: SimulatedSite) -> None:
    first = await proxy.openai.responses.create(model=STATEFUL, input="hello")
    await proxy.openai.responses.create(model=STATEFUL, input="I like red", previous_response_id=first.id)
    await proxy.openai.responses.create(model=STATEFUL, input="I like blue", previous_response_id=first.id)

    assert "red" not in str(dialogue(site.model_calls[-1]))


async def test_instructions_hold_for_their_response_only(proxy: RunningProxy, site: SimulatedSite) -> None:
    first = await proxy.openai.responses.create(
        model=MODEL, input="one [[say:aye]]", instructions="speak like a pirate"
    )
    await proxy.openai.responses.create(model=MODEL, input="two", previous_response_id=first.id)

    assert first.instructions == "speak like a pirate"
    assert "speak like a pirate" in str(dialogue(site.model_calls[0]))
    assert "speak like a pirate" not in str(dialogue(site.model_calls[1]))
    assert "one" in str(dialogue(site.model_calls[1]))


async def test_a_conversation_is_read_and_added_to(proxy: RunningProxy, site: SimulatedSite) -> None:
    created = await proxy.openai.conversations.create(items=[{"role": "user", "content": "my name is Ada"}])
    first = await proxy.openai.responses.create(
        model=MODEL, input="I like red", instructions="be brief", conversation=created.id
    )
    second = await proxy.openai.responses.create(model=MODEL, input="[[recall]]", conversation={"id": created.id})

    assert first.conversation is not None
    assert first.conversation.id == created.id
    assert "my name is Ada" in second.output_text
    assert "I like red" in second.output_text
    items = await proxy.openai.conversations.items.list(created.id, order="asc")
    texts = [item.content[0].text for item in items.data if item.type == "message"]  # type: ignore[union-attr]
    assert texts == ["my name is Ada", "I like red", first.output_text, "[[recall]]", second.output_text]
    assert items.data[2].id == first.output[0].id


async def test_a_stored_response_is_retrieved_listed_and_deleted(proxy: RunningProxy) -> None:
    created = await proxy.openai.responses.create(model=MODEL, input="hi", metadata={"a": "1"}, user="me")

    found = await proxy.openai.responses.retrieve(created.id)
    items = await proxy.openai.responses.input_items.list(created.id)
    await proxy.openai.responses.delete(created.id)

    assert found == created
    assert [item.content[0].text for item in items.data if item.type == "message"] == ["hi"]  # type: ignore[union-attr]
    with pytest.raises(openai.NotFoundError):
        await proxy.openai.responses.retrieve(created.id)
    with pytest.raises(openai.NotFoundError):
        await proxy.openai.responses.delete(created.id)


async def test_a_response_that_is_not_to_be_stored_is_not(proxy: RunningProxy) -> None:
    created = await proxy.openai.responses.create(model=MODEL, input="hi", store=False)

    with pytest.raises(openai.NotFoundError):
        await proxy.openai.responses.retrieve(created.id)
    with pytest.raises(openai.NotFoundError) as exc_info:
        await proxy.openai.responses.create(model=MODEL, input="hi", previous_response_id=created.id)
    assert exc_info.value.code == "previous_response_not_found"


async def test_a_stored_response_is_no_conversation(proxy: RunningProxy) -> None:
    created = await proxy.openai.responses.create(model=MODEL, input="hi")

    with pytest.raises(openai.NotFoundError):
        await proxy.openai.conversations.retrieve(created.id)
    answer = await proxy.chat("hi", conversation_id=created.id)
    assert (answer.status, answer.code) == (404, "conversation_not_found")


async def test_a_limit_on_tokens_makes_the_response_incomplete(proxy: RunningProxy) -> None:
    events = [
        event
        async for event in await proxy.openai.responses.create(
            model=MODEL, input="[[tokens:50]]", max_output_tokens=3, stream=True
        )
    ]

    last = events[-1]
    assert last.type == "response.incomplete"
    assert last.response.incomplete_details is not None
    assert last.response.incomplete_details.reason == "max_output_tokens"
    assert last.response.output[0].status == "incomplete"  # type: ignore[union-attr]
    assert last.response.completed_at is None


async def test_a_stream_that_breaks_off_says_so_in_each_form_that_clients_read(proxy: RunningProxy) -> None:
    """OpenAI documents the event flat and sends it nested: its SDKs raise at the latter alone, Zed reads no other."""
    body = {"model": MODEL, "input": "[[mode:cut]]", "stream": True}
    events = (await exchange(proxy.url, "POST", "/v1/responses", body)).data
    stream = await proxy.openai.responses.create(model=MODEL, input="[[mode:cut]]", stream=True)
    with pytest.raises(openai.APIError) as exc_info:
        _ = [event async for event in stream]

    error, failed = events[-2:]
    details = error["error"]
    assert error["type"] == "error"
    assert details["type"] == "server_error"
    assert details["code"]
    assert details["message"] == exc_info.value.message
    assert {name: details[name] for name in ("code", "message", "param")}.items() <= error.items()
    assert failed["type"] == "response.failed"
    assert failed["response"]["status"] == "failed"
    assert failed["response"]["error"] is not None
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    with pytest.raises(openai.NotFoundError):
        await proxy.openai.responses.retrieve(failed["response"]["id"])


async def test_an_error_before_the_answer_has_its_status(proxy: RunningProxy) -> None:
    with pytest.raises(openai.NotFoundError) as exc_info:
        await proxy.openai.responses.create(model="no-such-model", input="hi", stream=True)
    assert exc_info.value.code == "model_not_found"


async def test_the_web_search_tool_switches_the_search_on(proxy: RunningProxy, site: SimulatedSite) -> None:
    response = await proxy.openai.responses.create(model="gemini-flash", input="news?", tools=[{"type": "web_search"}])

    assert site.model_calls[-1].web_search
    assert response.tools[0].type == "web_search"


async def test_items_of_earlier_answers_are_taken_as_they_came(proxy: RunningProxy, site: SimulatedSite) -> None:
    first = await proxy.openai.responses.create(model=MODEL, input="my name is Ada", store=False)
    history: list[Any] = [{"role": "user", "content": "my name is Ada"}]
    history += [item.model_dump(exclude_none=True) for item in first.output]
    history += [{"role": "user", "content": [{"type": "input_text", "text": "[[recall]]"}]}]
    second = await proxy.openai.responses.create(model=MODEL, input=history)

    assert "my name is Ada" in second.output_text
    one, two = site.model_calls
    assert two.conversation_uuid == one.conversation_uuid


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({"input": None}, None, "input"),
        ({"input": []}, None, "input"),
        ({"input": [{"type": "reasoning", "id": "rs_1", "summary": []}]}, None, "input"),
        ({"input": [{"type": "mind_reading", "call_id": "1"}]}, "unsupported_item", "input.0"),
        ({"tools": [{"type": {"a": 1}}]}, "invalid_type", "tools[0]"),
        ({"tools": [{"type": "computer"}]}, "unsupported_parameter", "tools"),
        ({"text": {"format": {"type": "yaml"}}}, "invalid_value", "text.format"),
        ({"prompt": {"id": "pmpt_1"}}, "unsupported_parameter", "prompt"),
        ({"previous_response_id": "resp_1", "conversation": "conv_1"}, "mutually_exclusive_parameters", None),
        ({"instructions": 1}, "invalid_type", "instructions"),
        ({"max_output_tokens": -2}, "integer_below_min_value", "max_output_tokens"),
        ({"temperature": "hot"}, "invalid_type", "temperature"),
        ({"top_p": 42}, "decimal_above_max_value", "top_p"),
        ({"top_logprobs": -1}, "integer_below_min_value", "top_logprobs"),
        ({"reasoning": "high"}, "invalid_type", "reasoning"),
        ({"reasoning": {"effort": 3}}, "invalid_type", "reasoning.effort"),
        ({"text": {"verbosity": 1}}, "invalid_type", "text.verbosity"),
        ({"tool_choice": "required"}, "missing_required_parameter", "tool_choice"),
        ({"tool_choice": {"type": "web_search"}, "tools": []}, "missing_required_parameter", "tool_choice"),
        ({"metadata": {"a": 1}}, None, "metadata"),
        ({"store": "yes"}, "invalid_type", "store"),
        ({"model": None}, None, "model"),
        ({"conversation": 7}, "invalid_type", "conversation"),
        ({"conversation": {}}, "invalid_type", "conversation"),
    ],
)
async def test_what_makes_no_sense_is_a_400_that_names_the_field(
    proxy: RunningProxy, fields: dict[str, Any], code: str | None, param: str | None
) -> None:
    body = {"model": MODEL, "input": "hi", **fields}
    async with proxy.http.post(f"{proxy.url}/v1/responses", json=body) as answer:
        error = (await answer.json())["error"]

    assert answer.status == 400
    assert error["code"] == code
    assert param is None or error["param"] == param


async def test_parameters_the_site_cannot_take_are_named(proxy: RunningProxy) -> None:
    body = {"model": MODEL, "input": "hi", "temperature": 0.2, "text": {"verbosity": "low"}}
    body["context_management"] = [{"type": "compaction", "compact_threshold": 200_000}]
    async with proxy.http.post(f"{proxy.url}/v1/responses", json=body) as answer:
        assert (await answer.json())["temperature"] == 0.2
        assert answer.headers["x-ignored-params"] == "temperature, text.verbosity, context_management"
