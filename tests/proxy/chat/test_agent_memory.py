"""What the site is sent in an agent's turns, and what of it the model gets."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

import tests.site.model
from tests.proxy.running import RunningProxy
from tests.site import SimulatedSite
from tests.speed.load import tool

STATEFUL = "gpt-5-nano"  # its provider keeps the conversation
STATELESS = "gpt-4o-mini-helper"
ROUNDS = 20
TOOLS = 30  # of 2 kB
PROMPT_CHARS = 40_000
PARAMETERS = {"type": "object", "properties": {"number": {"type": "integer"}}, "required": ["number"]}
COUNT = {"type": "function", "function": {"name": "count", "description": "Count.", "parameters": PARAMETERS}}
OTHER = {"type": "function", "function": {"name": "other", "description": "Another.", "parameters": PARAMETERS}}


def steps(forms: Sequence[Any]) -> list[dict[str, Any]]:
    """One call in each step, written in these forms."""
    return [{"calls": [["count", {"number": number}]], "form": form} for number, form in enumerate(forms)]


def sizes(site: SimulatedSite) -> list[int]:
    """Characters of each message that the site was sent."""
    return [len(seen.fields["message"]) for seen in site.requests if seen.action == "aipkit_cache_sse_message"]


async def rounds(
    proxy: RunningProxy,
    count: int,
    *,
    model: str = STATEFUL,
    prompt: str = "Count.",
    tools: Sequence[Any] = (COUNT,),
    **fields: Any,
) -> list[Any]:
    """The loop of a client that sends everything each time; the whole conversation."""
    messages: list[Any] = [{"role": "system", "content": prompt}, {"role": "user", "content": "[[script:count]] Go."}]
    for _ in range(count):
        message = (await proxy.chat(*messages, model=model, tools=[*tools], **fields)).body["choices"][0]["message"]
        messages.append(message)
        for call in message.get("tool_calls", ()):
            number = json.loads(call["function"]["arguments"])["number"]
            messages.append({"role": "tool", "tool_call_id": call["id"], "content": f"counted {number}"})
    return messages


async def test_twenty_rounds_of_a_long_prompt_and_many_tools_send_them_once(
    site: SimulatedSite, proxy: RunningProxy
) -> None:
    tools = [COUNT, *map(tool, range(TOOLS))]
    site.behaviour.scripts = {"count": steps(["asked"] * ROUNDS)}

    messages = await rounds(proxy, ROUNDS + 1, prompt="x" * PROMPT_CHARS, tools=tools)
    assert messages[-1]["content"] == f"So: {'; '.join(f'counted {number}' for number in range(ROUNDS))}."
    assert len(sizes(site)) == ROUNDS + 1
    assert sum(sizes(site)) < 1.2 * (PROMPT_CHARS + len(json.dumps(tools)))


@pytest.mark.parametrize("form", ["tool_call", "invoke", "bare", "trailing_comma", "text_arguments", "spaced"])
async def test_calls_in_the_models_own_way_are_continued_too(
    form: str, site: SimulatedSite, proxy: RunningProxy
) -> None:
    site.behaviour.scripts = {"count": steps([form, form])}

    messages = await rounds(proxy, 3)
    assert messages[-1]["content"] == "So: counted 0; counted 1."
    assert [size < 100 for size in sizes(site)] == [False, True, True]


@pytest.mark.parametrize("way", [(form, several) for form in ("asked", "tool_call") for several in (True, False)])
@pytest.mark.parametrize("size", [1, 2, 3])
async def test_a_call_is_continued_wherever_its_closing_marks_were_cut(
    size: int, way: tuple[str, bool], site: SimulatedSite, proxy: RunningProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    form, several = way
    cut = tests.site.model._cut
    monkeypatch.setattr(tests.site.model, "_cut", lambda text: cut(text, size))
    site.behaviour.scripts = {"count": steps([form, form])}

    messages = await rounds(proxy, 3, parallel_tool_calls=several)
    assert messages[-1]["content"] == "So: counted 0; counted 1."
    assert [sent < 100 for sent in sizes(site)] == [False, True, True]


@pytest.mark.parametrize("is_stored", [True, False])
@pytest.mark.parametrize(("form", "is_exact"), [("asked", True), ("tool_call", False)])  # the site's copy loses tags
async def test_a_bot_without_state_is_continued_while_its_copy_is_exact(
    form: str, is_exact: bool, is_stored: bool, site: SimulatedSite, proxy: RunningProxy
) -> None:
    site.behaviour.scripts = {"count": steps([form])}
    fields = {"conversation_id": (await proxy.openai.conversations.create()).id} if is_stored else {}

    messages = await rounds(proxy, 2, model=STATELESS, **fields)
    assert messages[-1]["content"] == "So: counted 0."
    assert [size < 100 for size in sizes(site)] == [False, is_exact]


@pytest.mark.parametrize("model", [STATEFUL, STATELESS])
async def test_what_was_broken_and_asked_for_again_is_no_part_of_the_conversation(
    model: str, site: SimulatedSite, proxy: RunningProxy
) -> None:
    site.behaviour.scripts = {"count": steps([["hopeless", "asked"]])}

    messages = await rounds(proxy, 2, model=model)
    assert messages[-1]["content"] == "So: counted 0."
    assert len(site.model_calls) == 3
    assert "oops" in str(site.model_calls[1].context)
    assert "oops" not in str(site.model_calls[2].context)


async def test_with_other_tools_the_conversation_is_sent_again(site: SimulatedSite, proxy: RunningProxy) -> None:
    site.behaviour.scripts = {"count": steps(["asked"])}
    messages = await rounds(proxy, 1)

    answer = await proxy.chat(*messages, model=STATEFUL, tools=[COUNT, OTHER])
    assert answer.text == "So: counted 0."
    assert str(site.model_calls[-1].context).count("```tools") == 1
    assert '"name":"other"' in str(site.model_calls[-1].context)


@pytest.mark.parametrize("fields", [{"tools": [COUNT]}, {}], ids=["tools", "none any more"])
async def test_a_history_with_calls_of_another_model_is_told_in_the_same_format(
    fields: dict[str, Any], site: SimulatedSite, proxy: RunningProxy
) -> None:
    site.behaviour.scripts = {"count": steps(["asked"])}
    call = {"id": "toolu_01", "type": "function", "function": {"name": "count", "arguments": '{ "number": 0 }'}}
    history = (
        {"role": "user", "content": "[[script:count]] Go."},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "toolu_01", "content": "counted 0"},
    )

    answer = await proxy.chat(*history, model=STATEFUL, **fields)
    await proxy.chat(history[0], history[2], model=STATEFUL, **fields)
    await proxy.chat(*history[:2], "Never mind.", model=STATEFUL, **fields)
    assert answer.text == "So: counted 0."
    prompt, without_call, without_result = (call.context[-1]["content"] for call in site.model_calls)
    fence = '```tool_calls\n{"name":"count","arguments":{"number":0}}\n```'
    assert f"{fence}\n\n----- user -----\n[result of count]\ncounted 0" in prompt
    assert f"{fence}\n\n----- user -----\nNever mind." in without_result
    assert "----- user -----\n[result of tool]\ncounted 0" in without_call


@pytest.mark.parametrize("tools", [[COUNT], [COUNT, OTHER]], ids=["the same", "others"])
async def test_a_stored_conversation_is_continued_with_the_same_tools_alone(
    tools: list[Any], site: SimulatedSite, proxy: RunningProxy
) -> None:
    site.behaviour.scripts = {"count": steps(["asked"])}
    params: dict[str, Any] = {
        "model": STATEFUL,
        "conversation_id": (await proxy.openai.conversations.create()).id,
    }
    called = (await proxy.chat("[[script:count]] Go.", tools=[COUNT], **params)).body["choices"][0]["message"]
    result = {"role": "tool", "tool_call_id": called["tool_calls"][0]["id"], "content": "counted 0"}

    answer = await proxy.chat(result, tools=tools, **params)

    assert answer.text == "So: counted 0."
    assert (sizes(site)[1] < 100) is (tools == [COUNT])
    assert ('"name":"other"' in str(site.model_calls[-1].context)) is (OTHER in tools)
