"""Several answers to one request (`n`)."""

import asyncio

import openai
import pytest

from tests.proxy.api.chat_completions.test_chat import ECHO
from tests.proxy.running import RunningProxy
from tests.site import SimulatedSite

MODEL = "gpt-4o-mini-helper"


async def test_each_choice_is_a_turn_of_its_own(proxy: RunningProxy, site: SimulatedSite) -> None:
    answer = await proxy.openai.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "hi"}], n=4)

    assert [choice.index for choice in answer.choices] == [0, 1, 2, 3]
    assert {choice.message.content for choice in answer.choices} == {ECHO}
    assert len({call.conversation_uuid for call in site.model_calls}) == 4
    assert answer.usage is not None
    one = await proxy.chat("hi")
    assert answer.usage.prompt_tokens == one.body["usage"]["prompt_tokens"]
    assert answer.usage.completion_tokens == 4 * one.body["usage"]["completion_tokens"]


async def test_streamed_choices_each_open_and_finish_once(proxy: RunningProxy) -> None:
    stream = await proxy.openai.chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": "[[tokens:20]] [[delay:0.01]]"}],
        n=3,
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = [chunk async for chunk in stream]

    assert len({chunk.id for chunk in chunks}) == 1
    for index in range(3):
        choices = [choice for chunk in chunks for choice in chunk.choices if choice.index == index]
        assert [choice.delta.role for choice in choices if choice.delta.role] == ["assistant"]
        assert [choice.finish_reason for choice in choices if choice.finish_reason] == ["stop"]
        assert "".join(choice.delta.content or "" for choice in choices)
    order = [chunk.choices[0].index for chunk in chunks if chunk.choices and chunk.choices[0].delta.content]
    assert order != sorted(order), "the choices did not come side by side"
    assert chunks[-1].usage is not None


async def test_a_choice_that_fails_before_any_text_fails_the_request(proxy: RunningProxy) -> None:
    with pytest.raises(openai.InternalServerError):
        await proxy.openai.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": "[[mode:err500]]"}], n=2, stream=True
        )


async def test_a_choice_that_breaks_off_ends_all_with_an_error(proxy: RunningProxy) -> None:
    stream = await proxy.openai.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": "[[mode:cut]]"}], n=2, stream=True
    )
    with pytest.raises(openai.APIError):
        async for _ in stream:
            pass


async def test_a_client_that_leaves_drops_them_all(proxy: RunningProxy, site: SimulatedSite) -> None:
    stream = await proxy.openai.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": "[[tokens:1000]] [[delay:0.05]]"}], n=2, stream=True
    )
    async for chunk in stream:
        if chunk.choices[0].delta.content:
            break
    await stream.close()

    async with asyncio.timeout(5):
        while site.open_streams:
            await asyncio.sleep(0.02)
