"""After an upgrade from version 0.1.0, conversations go on from the site's copies of them."""

import json
from pathlib import Path

import pytest

from shared.store import open_store
from tests.proxy.running import running_proxy
from tests.redis_server import RedisServer
from tests.shared.store.sqlite_files import change
from tests.site import SimulatedSite

MODEL = "gpt-5-nano"  # a bot whose provider keeps the conversation


@pytest.fixture(params=["sqlite", "redis"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "redis":
        server: RedisServer = request.getfixturevalue("redis_server")
        return server.url
    return f"sqlite:///{tmp_path}/store.db"


def messages_sent(site: SimulatedSite) -> list[str]:
    return [each.fields["message"] for each in site.requests if each.action == "aipkit_cache_sse_message"]


async def make_old(store_url: str, conversation: str, request: pytest.FixtureRequest) -> None:
    """Store the copy as version 0.1.0 did: the value of its note alone."""
    async with open_store(store_url) as store:
        found = await store.conversation(conversation)
    assert found is not None
    assert found.note is not None
    old = json.loads(found.note.value)
    assert set(old) == {"site", "bot_id", "session_id", "conversation_uuid", "response_id", "interaction_id"}
    if store_url.startswith("sqlite"):
        path = Path(store_url.removeprefix("sqlite:///"))
        change(path, f"UPDATE conversations SET upstream = '{json.dumps(old)}' WHERE id = '{conversation}'")
    else:
        server: RedisServer = request.getfixturevalue("redis_server")
        redis_key = f"{{freeaichat}}:conversation:{conversation}"
        server.command("HSET", redis_key, "upstream", json.dumps(old), "copy", old["conversation_uuid"])


async def test_a_stored_conversation_continues(
    site: SimulatedSite, tmp_path: Path, store_url: str, request: pytest.FixtureRequest
) -> None:
    async with running_proxy(site, tmp_path, store=store_url) as proxy:
        conversation = (await proxy.openai.conversations.create()).id
        await proxy.chat("my name is Ada", model=MODEL, conversation_id=conversation)
    await make_old(store_url, conversation, request)
    async with running_proxy(site, tmp_path, store=store_url) as proxy:
        for text in ("who am I?", "and now?"):
            assert (await proxy.chat(text, model=MODEL, conversation_id=conversation)).status == 200

    assert len({call.conversation_uuid for call in site.model_calls}) == 1
    assert messages_sent(site) == ["my name is Ada", "who am I?", "and now?"]


async def test_a_client_that_sends_all_continues(site: SimulatedSite, tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    async with running_proxy(site, tmp_path, store=f"sqlite:///{path}") as proxy:
        first = await proxy.chat("my name is Ada", model=MODEL)
    change(path, "UPDATE branches SET upstream = json_extract(upstream, '$.value')")
    async with running_proxy(site, tmp_path, store=f"sqlite:///{path}") as proxy:
        await proxy.chat("my name is Ada", {"role": "assistant", "content": first.text}, "who am I?", model=MODEL)

    assert len({call.conversation_uuid for call in site.model_calls}) == 1
    assert messages_sent(site)[-1] == "who am I?"
