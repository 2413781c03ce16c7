"""A store that any released version wrote opens in this one, with everything in it."""

from dataclasses import replace
from pathlib import Path

import pytest

from shared.store import open_store
from shared.store.redis.schema import VERSION
from shared.store.sqlite.backup import restore
from shared.store.sqlite.store import open_sqlite
from tests.redis_server import RedisServer
from tests.shared.samples import SITE, conversation, credentials, note, texts_of, turn
from tests.shared.store import released
from tests.shared.store.sqlite_files import is_sound

VERSIONS = [path.stem for path in sorted(released.STORES.glob("*.sql"))]
SCHEMA = "{freeaichat}:schema"


@pytest.mark.parametrize("version", VERSIONS)
async def test_everything_a_released_version_stored_is_there_and_goes_on(version: str, tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    released.write(version, path)

    async with open_sqlite(path) as store:
        state = await store.site_state(SITE)
        assert state is not None
        assert replace(state.current, generation=0) == credentials()
        assert state.last_good == state.current
        assert [bot.name for bot in state.bots] == ["Alpha", "视觉"]
        assert await store.identity(SITE) == '{"origins": []}'
        assert await store.visits() == [replace(released.FAILED, screenshot=True)]
        assert await store.screenshot("visit-1") == b"a picture"
        assert await store.pending_ask(SITE) is not None
        assert await store.take_copy("digest") == note("copy-2")
        assert await store.get_note("a note") == "its text"

        found = await store.conversation("conv-1")
        assert texts_of(found) == ["Hello, 视觉 😀", "Good day"]
        assert found is not None
        assert found.owner == ""  # the master key's
        assert (found.metadata, found.note) == ({"topic": "greetings"}, note())

        assert await store.begin_turn("conv-1", "turn-2", at=300.0)
        assert await store.commit_turn("conv-1", turn("turn-2", "And on", "Yes"))
        assert texts_of(await store.conversation("conv-1"))[2:] == ["And on", "Yes"]
    assert is_sound(path)


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_backup_of_a_released_version_is_restored(version: str, tmp_path: Path) -> None:
    released.write(version, tmp_path / "copy.db")

    restore(tmp_path / "copy.db", tmp_path / "store.db", replace=False)

    async with open_sqlite(tmp_path / "store.db") as store:
        assert texts_of(await store.conversation("conv-1")) == ["Hello, 视觉 😀", "Good day"]


def test_there_is_a_store_of_a_released_version() -> None:
    assert VERSIONS


async def test_what_the_first_version_wrote_goes_on_and_is_the_master_keys(redis_server: RedisServer) -> None:
    """It knew no owners; what it stored differs in nothing else."""
    async with open_store(redis_server.url) as store:
        await store.create_conversation(replace(conversation("conv-1", "one"), owner="key_a"))
    redis_server.command("HDEL", "{freeaichat}:conversation:conv-1", "owner")
    redis_server.command("SET", SCHEMA, 1)

    async with open_store(redis_server.url) as store:
        assert await store.conversation("conv-1") == conversation("conv-1", "one")
        assert await store.commit_turn("conv-1", turn("t1", "two"))
    assert redis_server.command("GET", SCHEMA) == str(VERSION).encode()  # older ones know no owners, and keep out
