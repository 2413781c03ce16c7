"""The legacy completions API with the official client."""

import openai
import pytest

from tests.proxy.api.chat_completions.test_chat import ECHO
from tests.proxy.running import RunningProxy

MODEL = "gpt-4o-mini-helper"


async def test_a_prompt_is_answered_whole(proxy: RunningProxy) -> None:
    answer = await proxy.openai.completions.create(model=MODEL, prompt="hi")

    assert (answer.object, answer.choices[0].text, answer.choices[0].finish_reason) == ("text_completion", ECHO, "stop")
    assert answer.id.startswith("cmpl-")
    assert answer.usage is not None
    assert answer.usage.total_tokens > 0


async def test_a_prompt_is_answered_in_chunks(proxy: RunningProxy) -> None:
    stream = await proxy.openai.completions.create(
        model=MODEL, prompt=["hi"], stream=True, stream_options={"include_usage": True}
    )
    chunks = [chunk async for chunk in stream]

    assert "".join(choice.text for chunk in chunks for choice in chunk.choices) == ECHO
    assert [choice.finish_reason for chunk in chunks for choice in chunk.choices if choice.finish_reason] == ["stop"]
    assert chunks[-1].usage is not None
    assert all("usage" in chunk.model_fields_set for chunk in chunks)
    cut = await proxy.openai.completions.create(model=MODEL, prompt="hi", stream=True, max_tokens=2)
    assert [choice.finish_reason async for chunk in cut for choice in chunk.choices][-1] == "length"


@pytest.mark.parametrize("fields", [{"prompt": [1, 2]}, {"prompt": ["a", "b"]}, {"prompt": "a", "logprobs": 6}])
async def test_what_cannot_be_done_is_refused(proxy: RunningProxy, fields: dict[str, object]) -> None:
    with pytest.raises(openai.BadRequestError):
        await proxy.openai.completions.create(model=MODEL, **fields)  # type: ignore[call-overload]


async def test_a_prompt_offers_no_tools_and_wants_no_form(proxy: RunningProxy) -> None:
    tool = {"type": "function", "function": {"name": "get_weather"}}
    for name, value in (
        ("tools", [tool]),
        ("functions", [{"name": "a"}]),
        ("response_format", {"type": "json_object"}),
    ):
        with pytest.raises(openai.BadRequestError, match=name):
            await proxy.openai.completions.create(model=MODEL, prompt="hi", extra_body={name: value})
    empty = await proxy.openai.completions.create(model=MODEL, prompt="hi", extra_body={"tools": []})
    assert empty.choices[0].text


async def test_what_the_site_cannot_take_is_named(proxy: RunningProxy) -> None:
    """Editors' plugins send what follows the cursor with every request."""
    answer = await proxy.openai.completions.with_raw_response.create(
        model=MODEL, prompt="hi", suffix="def next():", logprobs=5
    )

    assert answer.headers["x-ignored-params"] == "logprobs, suffix"
    assert (
        "x-ignored-params"
        not in (await proxy.openai.completions.with_raw_response.create(model=MODEL, prompt="hi", suffix="")).headers
    )
