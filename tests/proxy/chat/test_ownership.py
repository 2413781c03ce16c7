"""Conversations and stored responses belong to the key that made them; the master key sees all."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import openai
import pytest

from shared.conversations import Conversation
from tests.proxy.access.test_keys import MASTER, OWN, create_key, get
from tests.proxy.running import RunningProxy, running_proxy
from tests.site import SimulatedSite


@pytest.fixture
async def proxy(site: SimulatedSite, tmp_path: Path) -> AsyncIterator[RunningProxy]:
    """A proxy with a master key."""
    async with running_proxy(site, tmp_path, key=MASTER) as running:
        yield running


def client_of(proxy: RunningProxy, key: str) -> openai.AsyncOpenAI:
    return proxy.openai.with_options(api_key=key)


async def error_codes_of_uses(client: openai.AsyncOpenAI, name: str, item: str) -> list[str]:
    """The codes of the errors that everything that can be done with a conversation ends in; "": none."""
    conversations = client.conversations
    new: Any = [{"type": "message", "role": "user", "content": "new"}]
    calls = (
        lambda: conversations.retrieve(name),
        lambda: conversations.update(name, metadata={"topic": "taken"}),
        lambda: conversations.items.list(name),
        lambda: conversations.items.create(name, items=new),
        lambda: conversations.items.retrieve(item, conversation_id=name),
        lambda: client.responses.create(model=OWN, input="go on", conversation=name),
        lambda: client.chat.completions.create(
            model=OWN, messages=[{"role": "user", "content": "go on"}], extra_body={"conversation_id": name}
        ),
        lambda: conversations.items.delete(item, conversation_id=name),
        lambda: conversations.delete(name),
    )
    codes = []
    for call in calls:
        try:
            await call()
            codes.append("")
        except openai.APIStatusError as error:
            codes.append(f"{error.status_code} {error.code}")
    return codes


async def test_a_conversation_is_not_there_for_another_key_and_all_there_for_its_own_and_the_master(
    proxy: RunningProxy, site: SimulatedSite
) -> None:
    mine, other = await create_key(proxy), await create_key(proxy, "other")
    for key in (mine, MASTER):
        items: Any = [{"type": "message", "role": "user", "content": "mine"}]
        name = (await client_of(proxy, mine).conversations.create(items=items)).id
        item: Any = (await client_of(proxy, mine).conversations.items.list(name)).data[0].id

        count = len(site.model_calls)
        assert await error_codes_of_uses(client_of(proxy, other), name, item) == ["404 conversation_not_found"] * 9
        assert len(site.model_calls) == count
        assert await error_codes_of_uses(client_of(proxy, key), name, item) == [""] * 9


async def test_a_stored_response_is_not_there_for_another_key(proxy: RunningProxy) -> None:
    mine, other = client_of(proxy, await create_key(proxy)), client_of(proxy, await create_key(proxy, "other"))
    response = await mine.responses.create(model=OWN, input="a secret")
    answer: Any = response.output[0]
    named: Any = [{"type": "item_reference", "id": answer.id}, {"role": "user", "content": "and?"}]

    for code, call in (
        ("response_not_found", other.responses.retrieve(response.id)),
        ("response_not_found", other.responses.input_items.list(response.id)),
        ("response_not_found", other.responses.delete(response.id)),
        ("previous_response_not_found", other.responses.create(model=OWN, input="x", previous_response_id=response.id)),
        ("item_not_found", other.responses.create(model=OWN, input=named)),
    ):
        with pytest.raises(openai.NotFoundError) as exc_info:
            await call
        assert exc_info.value.code == code

    assert (await mine.responses.retrieve(response.id)).output_text == response.output_text
    assert (await mine.responses.create(model=OWN, input=named)).output_text
    assert (await mine.responses.create(model=OWN, input="x", previous_response_id=response.id)).output_text
    await client_of(proxy, MASTER).responses.delete(response.id)


async def test_the_masters_conversations_and_those_of_earlier_versions_are_no_keys(proxy: RunningProxy) -> None:
    app = client_of(proxy, await create_key(proxy))
    earlier = Conversation(id="conv_earlier", created_at=1.0, updated_at=1.0)  # which knew no owners
    await proxy.store.create_conversation(earlier)
    masters = (await client_of(proxy, MASTER).conversations.create()).id

    for name in (earlier.id, masters):
        with pytest.raises(openai.NotFoundError):
            await app.conversations.retrieve(name)
        assert (await client_of(proxy, MASTER).conversations.retrieve(name)).id == name


async def test_open_use_sees_what_was_stored_before_until_there_are_keys(site: SimulatedSite, tmp_path: Path) -> None:
    async with running_proxy(site, tmp_path, key=MASTER) as proxy:
        name = (await client_of(proxy, MASTER).conversations.create()).id
    async with running_proxy(site, tmp_path) as proxy:
        assert (await proxy.openai.conversations.retrieve(name)).id == name
        mine = (await proxy.openai.conversations.create()).id
        app = client_of(proxy, await create_key(proxy))
        async with asyncio.timeout(5):
            while (await get(proxy, "none")).status != 401:
                await asyncio.sleep(0.02)

        for each in (name, mine):
            with pytest.raises(openai.NotFoundError):
                await app.conversations.retrieve(each)
            with pytest.raises(openai.AuthenticationError):
                await proxy.openai.conversations.retrieve(each)


async def test_a_conversation_that_is_full_takes_no_more_and_the_site_is_not_asked(
    proxy: RunningProxy, site: SimulatedSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.conversations.MAX_MESSAGES", 4)
    client = client_of(proxy, MASTER)
    items: Any = [{"type": "message", "role": "user", "content": str(number)} for number in range(5)]

    with pytest.raises(openai.BadRequestError, match="at most"):
        await client.conversations.create(items=items)
    name = (await client.conversations.create(items=items[:3])).id
    calls = (
        client.conversations.items.create(name, items=items[:2]),
        client.responses.create(model=OWN, input="one", conversation=name),
        client.chat.completions.create(
            model=OWN, messages=[{"role": "user", "content": "one"}], extra_body={"conversation_id": name}
        ),
    )
    for call in calls:
        with pytest.raises(openai.BadRequestError) as exc_info:
            await call
        assert exc_info.value.code == "conversation_full"
    assert site.model_calls == []

    first: Any = (await client.conversations.items.list(name, order="asc")).data[0].id
    await client.conversations.items.delete(first, conversation_id=name)
    await client.responses.create(model=OWN, input="one", conversation=name)
    assert len((await client.conversations.items.list(name)).data) == 4


@pytest.mark.parametrize("limit", [{"MAX_MESSAGES": 6}, {"MAX_CHARACTERS": 6}])
async def test_additions_at_the_same_time_stay_within_the_limits_too(
    proxy: RunningProxy, monkeypatch: pytest.MonkeyPatch, limit: dict[str, int]
) -> None:
    for bound, most in limit.items():
        monkeypatch.setattr(f"shared.conversations.{bound}", most)
    client = client_of(proxy, MASTER)
    name = (await client.conversations.create()).id
    items: Any = [{"type": "message", "role": "user", "content": "x"}] * 2

    additions = (client.conversations.items.create(name, items=items) for _ in range(12))
    results = await asyncio.gather(*additions, return_exceptions=True)

    assert len((await client.conversations.items.list(name)).data) == 6
    codes = [each.code for each in results if isinstance(each, openai.BadRequestError)]
    assert codes == ["conversation_full"] * 9


async def test_chains_of_responses_are_bounded_too(proxy: RunningProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.conversations.MAX_MESSAGES", 3)
    client = client_of(proxy, MASTER)
    first = await client.responses.create(model=OWN, input="one")

    with pytest.raises(openai.BadRequestError) as exc_info:
        await client.responses.create(model=OWN, input="two", previous_response_id=first.id)
    assert exc_info.value.code == "conversation_full"
    unkept = await client.responses.create(model=OWN, input="two", previous_response_id=first.id, store=False)
    assert unkept.output_text


async def test_the_characters_of_a_conversation_are_bounded(
    proxy: RunningProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.conversations.MAX_CHARACTERS", 10)
    client = client_of(proxy, MASTER)
    items: Any = [{"type": "message", "role": "user", "content": "12345"}]
    name = (await client.conversations.create(items=items)).id
    await client.conversations.items.create(name, items=items)

    with pytest.raises(openai.BadRequestError) as exc_info:
        await client.conversations.items.create(name, items=items)
    assert exc_info.value.code == "conversation_full"
