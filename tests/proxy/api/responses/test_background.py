"""`background` in Responses: the answer is whole in the first response, so that programs which poll go on at once."""

import openai
import pytest

from tests.proxy.running import RunningProxy

MODEL = "gpt-4o-mini-helper"


async def test_a_program_that_polls_has_its_answer(proxy: RunningProxy) -> None:
    raw = await proxy.openai.responses.with_raw_response.create(model=MODEL, input="[[say:你好]]", background=True)
    response = raw.parse()
    polled = await proxy.openai.responses.retrieve(response.id)

    assert raw.headers["x-ignored-params"] == "background"
    assert (response.status, response.output_text) == ("completed", "你好")
    assert polled == response


async def test_it_may_be_streamed(proxy: RunningProxy) -> None:
    stream = await proxy.openai.responses.create(model=MODEL, input="[[say:你好]]", background=True, stream=True)
    events = [event.type async for event in stream]

    assert (events[0], events[-1]) == ("response.created", "response.completed")


async def test_what_is_whole_is_cancelled_by_nothing(proxy: RunningProxy) -> None:
    response = await proxy.openai.responses.create(model=MODEL, input="hi", background=True)

    assert [await proxy.openai.responses.cancel(response.id) for _ in range(2)] == [response] * 2
    with pytest.raises(openai.NotFoundError) as unknown:
        await proxy.openai.responses.cancel("resp_unknown")
    assert unknown.value.code == "response_not_found"
