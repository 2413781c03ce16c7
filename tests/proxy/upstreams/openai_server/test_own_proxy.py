"""Our own proxy as the server behind another one: a real server, with everything on the wire."""

from pathlib import Path
from typing import Any

from openai.types.chat import ChatCompletionMessageFunctionToolCall

from proxy.api.app_keys import UPSTREAMS
from tests.proxy.running import running_proxy
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
    (asked,) = called.choices[0].message.tool_calls or []
    assert isinstance(asked, ChatCompletionMessageFunctionToolCall)
    assert asked.function.name == "look"
    assert not away.model_calls
