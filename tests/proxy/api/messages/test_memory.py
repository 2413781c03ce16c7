"""Which messages the site gets of a conversation that continues, in this API and from others."""

from typing import Any

from tests.proxy.api.messages.messages_client import TOOL, assistant, block, last, message, send, text, text_of, user
from tests.proxy.running import RunningProxy
from tests.site import SimulatedSite

STATEFUL = "gpt-5-nano"  # its provider keeps the conversation
FUNCTION = {"name": TOOL["name"], "description": TOOL["description"], "parameters": TOOL["input_schema"]}
FUNCTIONS = [{"type": "function", "function": FUNCTION}]
PROMPT = "x" * 5000


def sizes(site: SimulatedSite) -> list[int]:
    """Characters of each message that the site was sent."""
    return [len(seen.fields["message"]) for seen in site.requests if seen.action == "aipkit_cache_sse_message"]


def scripted(site: SimulatedSite) -> None:
    site.behaviour.scripts = {"it": [{"text": "I look.", "calls": [["get_weather", {"city": "Paris"}]]}]}


async def next_message(proxy: RunningProxy, *messages: Any, **fields: Any) -> dict[str, Any]:
    """Send a conversation and return the next message."""
    return message(await send(proxy, *messages, model=STATEFUL, system=PROMPT, tools=[TOOL], **fields))


def result_of(answer: dict[str, Any]) -> dict[str, Any]:
    """The result of the one call in a message."""
    (call,) = [each for each in answer["content"] if each["type"] == "tool_use"]
    return block("tool_result", tool_use_id=call["id"], content=[text("21 degrees")])


async def test_an_agents_turns_send_only_what_is_new(proxy: RunningProxy, site: SimulatedSite) -> None:
    scripted(site)
    first = await next_message(proxy, "[[script:it]] Go.")
    history = ("[[script:it]] Go.", assistant(*first["content"]), user(result_of(first)))
    second = await next_message(proxy, *history)

    assert second["content"][0]["text"] == "So: 21 degrees."
    assert [size > len(PROMPT) for size in sizes(site)] == [True, False]
    third = await next_message(proxy, *history, assistant(*second["content"]), "Thanks.")
    assert third["content"]
    assert sizes(site)[2] == len("Thanks.")


async def test_a_system_text_on_the_way_is_sent_with_what_is_new(proxy: RunningProxy, site: SimulatedSite) -> None:
    scripted(site)
    reminder = {"role": "system", "content": "Mind the time."}
    first = await next_message(proxy, "[[script:it]] Go.", reminder)
    history = ("[[script:it]] Go.", reminder, assistant(*first["content"]), user(result_of(first)))
    await next_message(proxy, *history, {"role": "system", "content": "It is late."})

    assert [size > len(PROMPT) for size in sizes(site)] == [True, False]
    new = site.model_calls[-1].context[-1]["content"]
    assert "[result of get_weather]\n21 degrees" in new
    assert "----- system -----\nIt is late." in new


async def test_a_conversation_of_messages_continues_in_chat_completions(
    proxy: RunningProxy, site: SimulatedSite
) -> None:
    scripted(site)
    first = await next_message(proxy, "[[script:it]] Go.")
    call = {"name": "get_weather", "arguments": '{"city": "Paris"}'}
    answer = await proxy.chat(
        {"role": "system", "content": PROMPT},
        "[[script:it]] Go.",
        {
            "role": "assistant",
            "content": first["content"][0]["text"],
            "tool_calls": [{"id": "call_1", "type": "function", "function": call}],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "21 degrees"},
        model=STATEFUL,
        tools=FUNCTIONS,
    )

    assert answer.text == "So: 21 degrees."
    assert [size > len(PROMPT) for size in sizes(site)] == [True, False]


async def test_a_conversation_of_chat_completions_continues_in_messages(
    proxy: RunningProxy, site: SimulatedSite
) -> None:
    scripted(site)
    first = await proxy.chat(
        {"role": "system", "content": PROMPT}, "[[script:it]] Go.", model=STATEFUL, tools=FUNCTIONS
    )
    reply = first.body["choices"][0]["message"]
    call = block("tool_use", id=reply["tool_calls"][0]["id"], name="get_weather", input={"city": "Paris"})
    answered = block("tool_result", tool_use_id=call["id"], content="21 degrees")
    answer = await send(
        proxy,
        "[[script:it]] Go.",
        assistant(text(reply["content"]), call),
        user(answered),
        model=STATEFUL,
        system=[text(PROMPT)],
        tools=[TOOL],
        stream=True,
    )

    assert text_of(answer) == "So: 21 degrees."
    assert last(answer)["delta"]["stop_reason"] == "end_turn"
    assert [size > len(PROMPT) for size in sizes(site)] == [True, False]


async def test_a_message_is_counted_as_any_other_turn(proxy: RunningProxy) -> None:
    used = message(await send(proxy, "hi"))["usage"]
    async with proxy.http.get(f"{proxy.url}/metrics") as response:
        lines = (await response.text()).splitlines()

    tokens = {line.partition("type=")[2][1:6]: line for line in lines if line.startswith("freeaichat_tokens_total")}
    assert tokens["input"].endswith(f" {used['input_tokens']}.0")
    assert tokens["outpu"].endswith(f" {used['output_tokens']}.0")
    assert any(line.startswith("freeaichat_requests_total{") and line.endswith(" 1.0") for line in lines)
