"""Requests: what reaches the model, what is ignored and named, and what is refused."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from tests.pictures import PNG
from tests.proxy.api.messages.messages_client import (
    MODEL,
    PARIS,
    TOOL,
    assistant,
    block,
    error,
    message,
    play,
    send,
    text,
    user,
)
from tests.proxy.running import RunningProxy, running_proxy
from tests.site import SimulatedSite

DATA = base64.b64encode(PNG).decode()
IMAGE = block("image", source={"type": "base64", "media_type": "image/png", "data": DATA})
SEARCH = {"type": "web_search_20250305", "name": "web_search"}
CODE = {"type": "code_execution_20250825", "name": "code_execution"}
CALLED = assistant(block("tool_use", id="toolu_1", name="get_weather", input={"city": "Paris"}))


def result(content: Any, **fields: Any) -> dict[str, Any]:
    """The result of the call above."""
    return block("tool_result", tool_use_id="toolu_1", content=content, **fields)


async def prompt_for(proxy: RunningProxy, site: SimulatedSite, *messages: Any, **fields: Any) -> str:
    """Send *messages* and return the texts that the model gets."""
    answer = await send(proxy, *messages, **fields)
    assert answer.status == 200, answer.body
    return "\n".join(each["content"] for each in site.model_calls[-1].context if each["role"] == "user")


@pytest.mark.parametrize(
    ("system", "expected"),
    [
        ("Be brief.", "----- system -----\nBe brief.\n\n----- user"),
        ([text("Be brief."), text("Be kind.")], "----- system -----\nBe brief.\nBe kind.\n\n----- user"),
        ([text("x-anthropic-billing-header: v=1; h=2;"), text("Be brief.")], "----- system -----\nBe brief.\n\n"),
    ],
)
async def test_the_system_text_comes_as_text_or_blocks(
    system: Any, expected: str, proxy: RunningProxy, site: SimulatedSite
) -> None:
    assert expected in await prompt_for(proxy, site, "hi", system=system)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ([text("one"), text("two")], "one\ntwo"),
        ([block("text", text="one", cache_control={"type": "ephemeral"})], "one"),
        ([block("document", source={"type": "text", "media_type": "text/plain", "data": "a page"})], "a page"),
        ([block("document", title="T", source={"type": "content", "content": [text("a"), text("b")]})], "T\na\nb"),
        ([block("document", source={"type": "content", "content": "a page"})], "a page"),
        ([block("search_result", title="T", source="S", content=[text("found")])], "T\nS\nfound"),
        ([block("compaction", content="what was said"), text("and?")], "what was said\nand?"),
    ],
)
async def test_blocks_of_the_user_are_sent_as_text(
    content: Any, expected: str, proxy: RunningProxy, site: SimulatedSite
) -> None:
    assert await prompt_for(proxy, site, user(*content)) == expected


async def test_calls_and_results_are_told_in_the_format(proxy: RunningProxy, site: SimulatedSite) -> None:
    answered = user(result([text("21 degrees"), text("dry")]), text("And tomorrow?"))
    prompt = await prompt_for(proxy, site, "How is the weather?", CALLED, answered, tools=[TOOL])

    assert '```tool_calls\n{"name":"get_weather","arguments":{"city":"Paris"}}\n```' in prompt
    assert "----- user -----\n[result of get_weather]\n21 degrees\ndry\n\n----- user -----\nAnd tomorrow?" in prompt


@pytest.mark.parametrize("content", ["no such city", [text("no such city")]])
async def test_a_result_may_be_an_error(content: Any, proxy: RunningProxy, site: SimulatedSite) -> None:
    prompt = await prompt_for(proxy, site, "Go.", CALLED, user(result(content, is_error=True)), tools=[TOOL])

    assert "[error of get_weather]\nno such city" in prompt


async def test_a_result_may_be_empty(proxy: RunningProxy, site: SimulatedSite) -> None:
    bare = {key: value for key, value in result("").items() if key != "content"}
    assert "[result of get_weather]" in await prompt_for(proxy, site, "Go.", CALLED, user(bare), tools=[TOOL])


@pytest.mark.parametrize("where", ["message", "result"])
async def test_images_travel_as_images(where: str, proxy: RunningProxy, site: SimulatedSite) -> None:
    for count, taken in ((1, 1), (5, 4)):
        shown = [IMAGE] * count
        messages = [user(text("Look."), *shown)] if where == "message" else ["Go.", CALLED, user(result(shown))]
        await prompt_for(proxy, site, *messages, model="vision-bot-视觉")
        assert site.model_calls[-1].images == taken


async def test_thoughts_and_what_servers_of_others_did_is_left_out(proxy: RunningProxy, site: SimulatedSite) -> None:
    reply = assistant(
        block("thinking", thinking="a secret thought", signature="abc"),
        block("redacted_thinking", data="secret"),
        block("server_tool_use", id="srvtoolu_1", name="web_search", input={"query": "a secret query"}),
        block("web_search_tool_result", tool_use_id="srvtoolu_1", content=[{"title": "secret"}]),
        block("text", text="An answer.", citations=[]),
    )
    prompt = await prompt_for(proxy, site, "Go.", reply, "And now?")

    assert "----- assistant -----\nAn answer.\n" in prompt
    assert "secret" not in prompt


async def test_what_an_mcp_server_did_is_told_as_a_call_and_its_result(
    proxy: RunningProxy, site: SimulatedSite
) -> None:
    reply = assistant(
        block("mcp_tool_use", id="mcptoolu_1", name="look", server_name="s", input={"at": 1}),
        block("mcp_tool_result", tool_use_id="mcptoolu_1", is_error=False, content=[text("seen")]),
        text("So it is."),
    )
    prompt = await prompt_for(proxy, site, "Go.", reply, "And now?")

    assert prompt.index('{"name":"look","arguments":{"at":1}}') < prompt.index("[result of look]\nseen")
    assert prompt.index("seen") < prompt.index("----- assistant -----\nSo it is.")


IGNORED: list[tuple[dict[str, Any], list[str]]] = [
    ({"temperature": 1, "top_p": 0.5, "top_k": 5}, ["temperature", "top_p", "top_k"]),
    ({"thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}}, ["thinking", "output_config.effort"]),
    ({"context_management": {"edits": []}, "service_tier": "auto"}, ["context_management", "service_tier"]),
    ({"container": None, "new": 1, "odd\r\nname": 1, "": 2, "x" * 65: 3}, ["new"]),
    ({"tools": [TOOL, CODE], "metadata": {"user_id": "me"}}, ["metadata", "tools.code_execution_20250825"]),
    ({"tools": [{**CODE, "type": str(n)} for n in ("a\r\nb", *range(99))]}, [f"tools.{n}" for n in range(32)]),
    ({"thread": {}, "output_config": {"x": 1}}, ["thread", "output_config.x"]),
]


@pytest.mark.parametrize(("fields", "names"), IGNORED)
async def test_parameters_without_effect_are_ignored_and_named(
    fields: dict[str, Any], names: list[str], proxy: RunningProxy
) -> None:
    answer = await send(proxy, "hi", **fields)

    assert message(answer)["stop_reason"] == "end_turn"
    assert answer.headers.get("x-ignored-params", "") == ", ".join(names)


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"max_tokens": None}, "max_tokens"),
    ({"max_tokens": 0}, "max_tokens"),
    ({"max_tokens": "many"}, "max_tokens"),
    ({"model": ""}, "model"),
    ({"messages": []}, "messages"),
    ({"messages": 5}, "messages"),
    ({"messages": "hi"}, "messages"),
    ({"messages": [{"role": "tool", "content": "hi"}]}, "messages.0.role"),
    ({"messages": [{"role": "user", "content": None}]}, "messages.0.content"),
    ({"messages": [user({"type": "text"})]}, "messages.0.content.0.text"),
    ({"messages": [user({"text": "hi"})]}, "messages.0.content.0"),
    ({"messages": [user(block("container_upload", file_id="f"))]}, "messages.0.content.0"),
    ({"messages": [user(block("image", source={"type": "file", "file_id": "f"}))]}, "messages.0.content.0.source"),
    ({"messages": [user(block("image", source={"type": "base64", "data": "x"}))]}, "messages.0.content.0.source"),
    ({"messages": [user(block("document", source={"type": "base64", "data": DATA}))]}, "messages.0.content.0.source"),
    ({"messages": [user(block("document", source={"type": "url", "url": "u"}))]}, "messages.0.content.0.source"),
    ({"messages": [user(result([block("video")]))]}, "messages.0.content.0.content.0"),
    ({"messages": [user(result([5]))]}, "messages.0.content.0.content.0"),
    ({"system": 5}, "system"),
    ({"system": [IMAGE]}, "system.0"),
    ({"temperature": 1.5}, "temperature"),
    ({"thread": {"type": "continue", "previous_message_id": "msg_1"}}, "thread"),
    ({"thread": 5}, "thread"),
    ({"compaction": {"type": "summarize"}}, "compaction"),
    ({"stop_sequences": ["x"] * 17}, "stop_sequences"),
    ({"stream": "yes"}, "stream"),
    ({"tools": [5]}, "tools[0]"),
    ({"tools": [{**TOOL, "type": {}}]}, "tools[0]"),
    ({"tools": [{"name": "a"}]}, "tools[0].input_schema"),
    ({"tools": [{**TOOL, "name": ""}]}, "tools[0].name"),
    ({"tools": [{**TOOL, "input_schema": {"type": "nothing"}}]}, "tools[0].input_schema"),
    ({"tools": [TOOL, TOOL]}, "tools[1].name"),
    ({"tools": [TOOL], "tool_choice": "any"}, "tool_choice"),
    ({"tools": [TOOL], "tool_choice": {"type": "tool", "name": "other"}}, "other"),
    ({"tools": [TOOL], "tool_choice": {"type": "tool"}}, "tool_choice"),
    ({"tool_choice": {"type": "any"}}, "tool_choice"),
    ({"tools": [CODE], "tool_choice": {"type": "tool", "name": "code_execution"}}, "tool_choice"),
    ({"output_config": {"format": {"type": "yaml"}}}, "output_config.format"),
    ({"output_config": 5}, "output_config"),
    ({"output_config": {"effort": 5}}, "output_config.effort"),
    ({"messages": [user("hi"), assistant(block("tool_use", id="toolu_1", name=""))]}, "messages.1.content.0.name"),
]


@pytest.mark.parametrize(("fields", "named"), REFUSED)
async def test_invalid_parameters_are_refused_by_name(
    fields: dict[str, Any], named: str, proxy: RunningProxy, site: SimulatedSite
) -> None:
    answer = await send(proxy, "hi", **fields)

    assert (answer.status, error(answer)["type"]) == (400, "invalid_request_error")
    assert named in error(answer)["message"]
    assert site.model_calls == []


async def test_there_is_a_limit_of_messages(proxy: RunningProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proxy.api.messages.blocks.MAX_MESSAGES", 2)

    assert (await send(proxy, "one", "two")).status == 200
    assert "'messages'" in error(await send(proxy, "one", "two", "three"))["message"]


SEARCHING: list[tuple[dict[str, Any], bool]] = [
    ({"tools": [SEARCH]}, True),
    ({"tools": [SEARCH], "tool_choice": {"type": "tool", "name": "web_search"}}, True),
    ({"tools": [SEARCH], "tool_choice": {"type": "none"}}, False),
    ({"tools": [SEARCH, TOOL]}, False),
    ({"tools": [SEARCH, TOOL], "tool_choice": {"type": "tool", "name": "web_search"}}, True),
]


@pytest.mark.parametrize(("fields", "searches"), SEARCHING)
async def test_the_search_is_that_of_the_site(
    fields: dict[str, Any], searches: bool, proxy: RunningProxy, site: SimulatedSite
) -> None:
    assert message(await send(proxy, "hi", model="web-search-bot", **fields))
    assert site.model_calls[-1].web_search is searches


CHOICES: list[tuple[dict[str, Any], dict[str, Any], list[str]]] = [
    ({"type": "auto"}, {"calls": [PARIS]}, ["tool_use"]),
    ({"type": "any"}, {"calls": [PARIS], "forced": True}, ["tool_use"]),
    ({"type": "tool", "name": "get_weather"}, {"calls": [PARIS], "forced": True}, ["tool_use"]),
    ({"type": "none"}, {"calls": [PARIS]}, ["text"]),
    ({"type": "auto", "disable_parallel_tool_use": True}, {"calls": [PARIS, PARIS]}, ["tool_use"]),
    ({"type": "auto"}, {"calls": [PARIS, PARIS]}, ["tool_use", "tool_use"]),
]


@pytest.mark.parametrize(("choice", "step", "kinds"), CHOICES)
async def test_the_choice_of_tools_holds(
    choice: dict[str, Any], step: dict[str, Any], kinds: list[str], proxy: RunningProxy, site: SimulatedSite
) -> None:
    answer = message(await play(proxy, site, step, tools=[TOOL], tool_choice=choice))

    assert [each["type"] for each in answer["content"]] == kinds


@pytest.mark.parametrize("mode", ["refuse", "ignore"])
async def test_tools_may_be_switched_off(mode: str, site: SimulatedSite, tmp_path: Path) -> None:
    async with running_proxy(site, tmp_path, tools=mode) as running:
        answer = await play(running, site, {"text": "No call."}, tools=[TOOL])

    if mode == "refuse":
        assert (answer.status, error(answer)["type"]) == (400, "invalid_request_error")
    else:
        assert message(answer)["content"][0]["text"] == "No call."
        assert answer.headers["x-ignored-params"] == "tools"


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"output_config": {"format": {"type": "json_schema", "schema": {}}}}, "output_config.format"),
        ({"tools": [TOOL], "output_config": {"format": {"type": "json_schema", "schema": {}}}}, "tools"),
        ({"tools": [TOOL], "tool_choice": {"type": "none"}}, None),
    ],
)
async def test_disabled_features_are_refused_by_name_if_requested(
    fields: dict[str, Any], named: str | None, site: SimulatedSite, tmp_path: Path
) -> None:
    async with running_proxy(site, tmp_path, tools="refuse") as running:
        answer = await send(running, "hi", **fields)

    if named is None:
        assert message(answer)["stop_reason"] == "end_turn"
    else:
        assert (answer.status, error(answer)["type"]) == (400, "invalid_request_error")
        assert f"'{named}'" in error(answer)["message"]


async def test_a_forced_call_that_never_comes_is_an_error(proxy: RunningProxy, site: SimulatedSite) -> None:
    answer = await play(proxy, site, {"text": "I would rather talk."}, tools=[TOOL], tool_choice={"type": "any"})

    assert answer.status == 500
    assert error(answer)["details"] == {"error_code": "invalid_tool_call"}
    assert json.loads(answer.body)["error"]["type"] == "api_error"
    assert MODEL not in error(answer)["message"]
