"""Messages that do not stream, token counts, lists of models, and model names."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from proxy.api.messages.models import model_page
from proxy.api.messages.reply import MessageReply
from proxy.chat.errors import ServiceError
from proxy.chat.tokens import Usage
from proxy.chat.upstream import End
from shared.conversations import Message, ToolCall
from tests.proxy.api.messages.messages_client import (
    MODEL,
    PARIS,
    PATH,
    TOOL,
    assistant,
    error,
    message,
    play,
    send,
    user,
)
from tests.proxy.api.messages.test_requests import prompt_for
from tests.proxy.running import RunningProxy, running_proxy
from tests.proxy.wire import WireResponse, exchange
from tests.site import SimulatedSite
from tests.site.bots import SiteBot

VERSION = {"anthropic-version": "2023-06-01"}
FORM = {"type": "json_schema", "schema": {"type": "object", "properties": {"city": {"type": "string"}}}}


async def test_a_whole_message_has_every_key(proxy: RunningProxy) -> None:
    reply = message(await send(proxy, "hi"))

    assert re.fullmatch(r"msg_\w{24,}", reply["id"])
    assert {name: reply[name] for name in ("type", "role", "model", "stop_reason", "stop_sequence")} == {
        "type": "message",
        "role": "assistant",
        "model": MODEL,
        "stop_reason": "end_turn",
        "stop_sequence": None,
    }
    (block,) = reply["content"]
    assert (block["type"], block["citations"]) == ("text", [])
    assert "You said: hi" in block["text"]
    usage = reply["usage"]
    assert usage["input_tokens"] > 0
    assert usage["output_tokens"] > 10
    assert usage["cache_creation"] == {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0}
    assert {usage[name] for name in ("cache_creation_input_tokens", "cache_read_input_tokens")} == {0}
    assert usage["service_tier"] == "standard"


async def test_of_a_tool_that_has_to_be_called_the_arguments_are_enough(
    proxy: RunningProxy, site: SimulatedSite
) -> None:
    choice = {"type": "tool", "name": "get_weather"}
    reply = message(await play(proxy, site, {"json": PARIS[1], "anyway": True}, tools=[TOOL], tool_choice=choice))

    (block,) = reply["content"]
    assert (block["type"], block["name"], block["input"]) == ("tool_use", *PARIS)
    assert len(site.model_calls) == 1


async def test_a_whole_message_with_a_call(proxy: RunningProxy, site: SimulatedSite) -> None:
    reply = message(await play(proxy, site, {"text": "Let me look.", "calls": [PARIS]}, tools=[TOOL]))

    text, call = reply["content"]
    assert text["text"] == "Let me look."
    assert (call["type"], call["name"], call["input"]) == ("tool_use", *PARIS)
    assert reply["stop_reason"] == "tool_use"


async def test_a_tools_definitions_are_found_by_a_bare_path(proxy: RunningProxy, site: SimulatedSite) -> None:
    """As LiteLLM writes the schema of a nested answer; the number in quotes is mended by what it leads to."""
    place = {"type": "object", "properties": {"degrees": {"type": "integer"}}, "required": ["degrees"]}
    schema = {"type": "object", "$defs": {"Place": place}, "properties": {"place": {"$ref": "/$defs/Place"}}}
    name = "json_tool_call"
    call = {"calls": [[name, {"place": {"degrees": "21"}}]]}
    tools, choice = [{"name": name, "input_schema": schema}], {"type": "tool", "name": name}

    reply = message(await play(proxy, site, call, tools=tools, tool_choice=choice))

    assert [each["input"] for each in reply["content"]] == [{"place": {"degrees": 21}}]


@pytest.mark.parametrize("fields", [{"output_config": {"format": FORM}}, {"output_format": FORM}])
async def test_an_answer_by_schema_is_bare_json(
    fields: dict[str, Any], proxy: RunningProxy, site: SimulatedSite
) -> None:
    reply = message(await play(proxy, site, {"json": {"city": "北京"}, "form": "with_prose"}, **fields))

    assert json.loads(reply["content"][0]["text"]) == {"city": "北京"}


async def test_tokens_are_counted_as_the_answer_tells_them(proxy: RunningProxy, site: SimulatedSite) -> None:
    sent = {"model": MODEL, "system": "Be brief.", "messages": [user("How is the weather?")], "tools": [TOOL]}
    counted = await exchange(proxy.url, "POST", f"{PATH}/count_tokens?beta=true", sent)
    assert site.model_calls == []
    reply = message(await exchange(proxy.url, "POST", PATH, {**sent, "max_tokens": 100}))

    assert counted.status == 200
    assert json.loads(counted.body) == {"input_tokens": reply["usage"]["input_tokens"]}
    assert reply["usage"]["input_tokens"] > 50
    assert "request-id" in counted.headers


async def models(proxy: RunningProxy, query: str = "") -> Any:
    answer = await exchange(proxy.url, "GET", f"/v1/models{query}", headers=VERSION)
    assert answer.status == 200
    return json.loads(answer.body)


async def test_models_are_listed_in_anthropics_shape_for_its_clients(proxy: RunningProxy) -> None:
    body = await models(proxy)

    names = [each["id"] for each in body["data"]]
    assert (body["first_id"], body["last_id"], body["has_more"]) == (names[0], names[-1], False)
    (claude,) = [each for each in body["data"] if each["id"] == "claude-sonnet-b"]
    assert (claude["type"], claude["display_name"]) == ("model", 'Claude "Sonnet" <b>')
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", claude["created_at"])
    async with proxy.http.get(f"{proxy.url}/v1/models") as response:
        assert (await response.json())["object"] == "list"


async def test_models_come_page_by_page_where_they_are_asked_for_so(proxy: RunningProxy) -> None:
    names = [each["id"] for each in (await models(proxy))["data"]]

    first = await models(proxy, "?limit=2")
    assert ([each["id"] for each in first["data"]], first["has_more"]) == (names[:2], True)
    after = await models(proxy, f"?limit=1000&after_id={first['last_id']}")
    assert ([each["id"] for each in after["data"]], after["has_more"]) == (names[2:], False)
    before = await models(proxy, f"?limit=1&before_id={names[2]}")
    assert ([each["id"] for each in before["data"]], before["has_more"]) == (names[1:2], True)
    for query in ("?limit=0", "?limit=x", "?limit=%C2%B2", f"?limit={'9' * 5000}", "?after_id=nobody"):
        refused = await exchange(proxy.url, "GET", f"/v1/models{query}", headers=VERSION)
        assert (refused.status, error(refused)["type"]) == (400, "invalid_request_error")


@pytest.mark.parametrize(
    ("query", "numbers", "has_more"),
    [
        ({}, range(30), False),
        ({"limit": "5"}, range(5), True),
        ({"limit": "30"}, range(30), False),
        ({"limit": "5", "after_id": "4"}, range(5, 10), True),
        ({"limit": "5", "after_id": "24"}, range(25, 30), False),
        ({"after_id": "29"}, range(0), False),
        ({"limit": "3", "before_id": "5"}, range(2, 5), True),
        ({"limit": "5", "before_id": "2"}, range(2), False),
        ({"limit": "2", "after_id": "4", "before_id": "20"}, range(5, 7), True),
    ],
)
def test_a_page_is_what_is_asked_for_and_all_where_nothing_is(
    query: dict[str, str], numbers: range, has_more: bool
) -> None:
    names = [str(number) for number in numbers]
    page = model_page([{"id": str(number)} for number in range(30)], query)

    assert ([each["id"] for each in page["data"]], page["has_more"]) == (names, has_more)
    assert (page["first_id"], page["last_id"]) == ((names[0], names[-1]) if names else (None, None))


async def test_a_model_is_found_by_the_name_that_would_be_asked(proxy: RunningProxy) -> None:
    found = await exchange(proxy.url, "GET", "/v1/models/claude-opus-4-5", headers=VERSION)
    missing = await exchange(proxy.url, "GET", "/v1/models/nobody", headers=VERSION)

    assert json.loads(found.body)["id"] == "claude-sonnet-b"
    assert (missing.status, error(missing)["type"]) == (404, "not_found_error")


async def send_to(proxy: RunningProxy, name: str) -> WireResponse:
    return await send(proxy, "hi", model=name)


async def test_a_name_of_anthropics_leads_to_the_bot_that_is_one(proxy: RunningProxy) -> None:
    assert message(await send_to(proxy, "claude-sonnet-4-5-20250929"))["model"] == "claude-sonnet-b"


async def test_a_name_of_anthropics_leads_where_the_settings_say(site: SimulatedSite, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"models": {"claude-opus-4-5": 6}, "default_model": "gemini-flash"}
    async with running_proxy(site, tmp_path, **settings) as running:
        assert message(await send_to(running, "claude-opus-4-5"))["model"] == "claude-opus-4-5"
        assert site.model_calls[-1].bot_id == 6
        assert message(await send_to(running, "claude-haiku-4-5"))["model"] == "gemini-flash"


async def test_without_any_of_these_the_error_says_how(tmp_path: Path) -> None:
    async with SimulatedSite(bots=(SiteBot(5, "Helper"),)) as site, running_proxy(site, tmp_path) as running:
        answer = await send_to(running, "claude-opus-4-5")

    assert answer.status == 404
    assert error(answer)["type"] == "not_found_error"
    assert "FREEAICHAT_MODELS" in error(answer)["message"]


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/messages"])
async def test_probes_find_somebody_there(path: str, proxy: RunningProxy) -> None:
    assert (await exchange(proxy.url, "HEAD", path)).status == 200


@pytest.mark.parametrize("path", ["/messages", "/v1/v1/messages", "//v1//messages/", "/v1/messages?beta=true"])
async def test_the_path_is_taken_as_clients_build_it(path: str, proxy: RunningProxy) -> None:
    body = {"model": MODEL, "max_tokens": 100, "messages": [user("hi")]}
    assert message(await exchange(proxy.url, "POST", path, body))["type"] == "message"


@pytest.mark.parametrize("arguments", ['{"a":', '{"a":' * 300 + "1" + "}" * 300, "[" * 5000])
def test_arguments_of_a_server_that_are_no_json_are_an_error_of_its(arguments: str) -> None:
    reply = MessageReply(id="msg_1", model="m", asked=lambda: 1, request_id="req_1")
    call = ToolCall(id="call_1", name="f", arguments=arguments)

    with pytest.raises(ServiceError) as exc_info:
        reply.whole([Message(role="assistant", text="", calls=(call,))], [End("tool_calls")], Usage(1, 1))

    assert (exc_info.value.status, exc_info.value.code) == (502, "invalid_tool_call")


def test_a_lone_surrogate_in_arguments_is_replaced() -> None:
    reply = MessageReply(id="msg_1", model="m", asked=lambda: 1, request_id="req_1")
    call = ToolCall(id="call_1", name="f", arguments='{"a": "\\ud83d"}')

    body = reply.whole([Message(role="assistant", text="", calls=(call,))], [End("tool_calls")], Usage(1, 1))

    assert body["content"][0]["input"] == {"a": "\ufffd"}


async def test_a_message_without_blocks_keeps_its_place(proxy: RunningProxy, site: SimulatedSite) -> None:
    prompt = await prompt_for(proxy, site, "Go.", {"role": "assistant", "content": []}, "And now?")

    assert prompt.index("Go.") < prompt.index("----- assistant -----") < prompt.index("And now?")


async def test_a_last_message_of_the_assistant_is_the_beginning_of_the_answer(
    proxy: RunningProxy, site: SimulatedSite
) -> None:
    prompt = await prompt_for(proxy, site, "Name a city.", assistant("The city of"))

    assert prompt.endswith("----- assistant -----\nThe city of")
    assert "write only what comes after it" in prompt.partition("\n")[0]
