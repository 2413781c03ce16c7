"""How many tokens a response would be asked with, by the official client."""

import openai
import pytest

from tests.proxy.api.responses.test_responses import MODEL
from tests.proxy.running import RunningProxy
from tests.site import SimulatedSite

TOOL = {"type": "function", "name": "look", "parameters": {"type": "object"}, "strict": False}


async def test_all_that_is_told_counts_and_no_site_is_asked(proxy: RunningProxy, site: SimulatedSite) -> None:
    async def counted(**fields: object) -> int:
        answer = await proxy.openai.responses.input_tokens.count(model=MODEL, input="hi", extra_body=fields)
        assert answer.object == "response.input_tokens"
        return answer.input_tokens

    alone = await counted()

    assert 0 < alone < await counted(instructions="Be brief.")
    assert alone < await counted(tools=[TOOL])
    assert site.model_calls == []


async def test_what_is_continued_counts_too(proxy: RunningProxy) -> None:
    first = await proxy.openai.responses.create(model=MODEL, input="hi")
    conversation = await proxy.openai.conversations.create(items=[{"role": "user", "content": "word " * 500}])
    client = proxy.openai.responses.input_tokens

    alone = await client.count(model=MODEL, input="and?")
    after = await client.count(model=MODEL, input="and?", previous_response_id=first.id)
    within = await client.count(model=MODEL, input="and?", conversation=conversation.id)

    assert alone.input_tokens < after.input_tokens < 500 < within.input_tokens
    with pytest.raises(openai.NotFoundError, match="resp_unknown"):
        await client.count(model=MODEL, input="and?", previous_response_id="resp_unknown")
    with pytest.raises(openai.APIStatusError, match="msg_unknown"):
        await client.count(model=MODEL, input=[{"type": "item_reference", "id": "msg_unknown"}])
