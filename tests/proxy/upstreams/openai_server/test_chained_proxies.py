"""Our own proxy as the server behind another one, with everything on the wire."""

from pathlib import Path
from typing import Any, cast

import pytest
from openai import InternalServerError
from openai.types.chat import ChatCompletionMessageFunctionToolCall

from proxy.api.app_keys import UPSTREAMS
from tests.openai_server import Answer, OpenAiPeer
from tests.proxy.api.messages.messages_client import message
from tests.proxy.running import running_proxy
from tests.proxy.upstreams.openai_server.api_clients import THINKING, messaged
from tests.site import SimulatedSite

MODEL = "gpt-4o-mini-helper"


async def test_a_chat_with_history_and_tools_passes_two_proxies(site: SimulatedSite, tmp_path: Path) -> None:
    tool: Any = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}
    call = '[[say:```tool_calls\n{"name":"look","arguments":{}}\n```]]'
    async with (
        SimulatedSite() as away,
        running_proxy(site, tmp_path / "back", key="the-key-of-the-back") as back,
        running_proxy(
            away,
            tmp_path / "front",
            captured=False,
            servers=f"back={back.url}",
            server_keys="back=the-key-of-the-back",
            fallback_model=f"back/{MODEL}",
        ) as front,
    ):
        await front.app[UPSTREAMS][1].discover()
        first = await front.chat("my name is Ada", model=f"back/{MODEL}")
        assistant = {"role": "assistant", "content": first.text}
        second = await front.chat("my name is Ada", assistant, "[[recall]]", model=MODEL)
        stream = await front.openai.chat.completions.create(
            model=f"back/{MODEL}", messages=[{"role": "user", "content": "[[say:piece by piece]]"}], stream=True
        )
        text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices])
        called = await front.openai.chat.completions.create(
            model=f"back/{MODEL}", messages=[{"role": "user", "content": call}], tools=[tool]
        )
        async with front.http.get(f"{front.url}/readyz") as response:
            assert response.status == 200

    assert "my name is Ada" in second.text
    assert text == "piece by piece"
    (tool_call,) = called.choices[0].message.tool_calls or []
    assert isinstance(tool_call, ChatCompletionMessageFunctionToolCall)
    assert tool_call.function.name == "look"
    assert not away.model_calls


async def test_thoughts_and_log_probabilities_pass_two_proxies_in_each_api(site: SimulatedSite, tmp_path: Path) -> None:
    async with (
        OpenAiPeer("tiny") as peer,
        running_proxy(site, tmp_path / "back", servers=f"mine={peer.base_url}") as back,
        running_proxy(site, tmp_path / "front", captured=False, servers=f"back={back.url}") as front,
    ):
        peer.answers = [Answer(["one ", "two"], thoughts="hm", reasoning_field="reasoning")]
        await back.app[UPSTREAMS][1].discover()
        await front.app[UPSTREAMS][1].discover()
        response = await front.openai.responses.create(model="back/mine/tiny", input="hi", top_logprobs=1)
        reply = message(await messaged(front, model="back/mine/tiny", **THINKING, stream=False))

    thought, output = cast("list[Any]", response.output)
    assert (thought.content[0].text, output.content[0].text) == ("hm", "one two")
    assert [token.token for token in output.content[0].logprobs] == ["one ", "two"]
    assert [block.get("thinking", block.get("text")) for block in reply["content"]] == ["hm", "one two"]


async def test_what_the_proxy_behind_has_given_up_no_client_asks_for_again(site: SimulatedSite, tmp_path: Path) -> None:
    tool: Any = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}
    async with (
        running_proxy(site, tmp_path / "back") as back,
        running_proxy(site, tmp_path / "front", captured=False, servers=f"back={back.url}") as front,
    ):
        await front.app[UPSTREAMS][1].discover()
        with pytest.raises(InternalServerError) as exc_info:
            await front.openai.with_options(max_retries=2).chat.completions.create(
                model=f"back/{MODEL}",
                messages=[{"role": "user", "content": "[[say:no]]"}],
                tools=[tool],
                tool_choice="required",
            )

    assert exc_info.value.response.headers["x-should-retry"] == "false"
    assert len(site.model_calls) == 2  # with the one further try of the proxy behind
