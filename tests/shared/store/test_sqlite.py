"""The SQLite store's file and schema versions."""

import asyncio
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from shared.admin.usage import DAY_SECONDS, UsageBatch
from shared.store import StoreTooNew
from shared.store.sqlite import schema
from shared.store.sqlite.store import open_sqlite
from tests.shared.samples import SITE, capture
from tests.shared.store.sqlite_files import (
    change,
    hashes,
    locked_by_another_process,
    make,
    migrate_and_die,
    mode,
    modes,
    set_mode,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "store.db"


# The file -------------------------------------------------------------------------------------


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
async def test_the_files_are_private_whatever_the_umask(path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        async with open_sqlite(path) as store:
            await store.set_note("a", "1")
            found = modes(path.parent)
    finally:
        os.umask(before)
    assert found == {"store.db": 0o600, "store.db-wal": 0o600, "store.db-shm": 0o600}
    assert mode(path.parent) == 0o700


async def test_a_file_that_others_could_read_is_made_private(path: Path) -> None:
    await make(path)
    set_mode(path, 0o644)
    async with open_sqlite(path) as store:
        await store.set_note("a", "1")
        assert set(modes(path.parent).values()) == {0o600}


async def test_a_directory_that_was_there_keeps_itsmode(tmp_path: Path) -> None:
    set_mode(tmp_path, 0o755)
    await make(tmp_path / "store.db")
    assert mode(tmp_path) == 0o755


async def test_closing_leaves_the_one_file(path: Path) -> None:
    await make(path)
    assert list(modes(path.parent)) == ["store.db"]


async def test_the_file_is_in_wal_mode_and_marked_as_ours(path: Path) -> None:
    await make(path)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
        assert schema.is_ours(connection)
        assert schema.version(connection) == len(schema.MIGRATIONS) >= 1


async def test_a_relative_path_and_one_with_odd_characters_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    await make(Path("a b%20?x=1#视.db"))
    async with open_sqlite(tmp_path / "a b%20?x=1#视.db") as store:
        assert await store.conversation("conv-1") is not None


def _leave_half_a_store(path: Path) -> None:
    path.parent.mkdir()
    for name in ("store.db.new", "store.db-wal", "store.db-shm"):
        (path.parent / name).write_bytes(b"half" * 3000)
    path.touch()


async def test_what_an_interrupted_creation_left_is_no_obstacle(path: Path) -> None:
    _leave_half_a_store(path)
    await make(path)
    assert list(modes(path.parent)) == ["store.db"]


async def test_marking_good_again_writes_nothing(path: Path) -> None:
    async with open_sqlite(path) as store:
        await store.save_capture(capture(), base=0)
        await store.mark_good(SITE, 1)
        with locked_by_another_process(path):  # a write would have to wait
            async with asyncio.timeout(1.0):
                await store.mark_good(SITE, 1)


async def test_requests_of_a_limited_key_that_count_no_more_are_dropped(path: Path) -> None:
    async with open_sqlite(path) as store:
        for at in (1000.0, 1100.0, 900.0):  # at last the clock was set back
            await store.admit_requests("key-1", at=at, rpm=None, tpd=None)
            with closing(sqlite3.connect(path)) as connection:
                assert connection.execute("SELECT COUNT(*) FROM key_requests").fetchone() == (1,)


async def test_a_claim_from_before_the_clock_was_set_back_blocks_nobody(path: Path) -> None:
    async with open_sqlite(path) as store:
        assert await store.begin_visit(SITE, "one", at=86_400.0, ttl=60.0)
        assert await store.begin_visit(SITE, "two", at=100.0, ttl=60.0)


# Versions -------------------------------------------------------------------------------------


async def test_a_newer_schema_is_refused_and_left_untouched(path: Path) -> None:
    await make(path)
    change(path, "PRAGMA user_version = 99")
    before = hashes(path.parent)

    with pytest.raises(StoreTooNew, match=r"store\.db.*99.*[Uu]pdate"):
        async with open_sqlite(path):
            pass

    assert hashes(path.parent) == before


async def test_a_newer_schema_that_a_killed_process_left_in_the_log_is_left_untouched(path: Path) -> None:
    await make(path)
    migrate_and_die(path, 99)
    before = {name: digest for name, digest in hashes(path.parent).items() if not name.endswith("-shm")}
    assert "store.db-wal" in before

    with pytest.raises(StoreTooNew):
        async with open_sqlite(path):
            pass

    after = hashes(path.parent)
    assert {name: after[name] for name in before} == before


async def test_a_store_that_a_newer_version_migrates_meanwhile_is_left_alone(path: Path) -> None:
    async with open_sqlite(path) as store:
        await store.set_note("a", "1")
        change(path, "PRAGMA user_version = 99")
        with pytest.raises(StoreTooNew):
            await store.set_note("a", "2")
        change(path, f"PRAGMA user_version = {len(schema.MIGRATIONS)}")
        assert await store.get_note("a") == "1"


async def test_tokens_of_days_that_count_no_more_are_dropped(path: Path) -> None:
    async with open_sqlite(path) as store:
        for number, day in enumerate((10, 11, 12)):
            await store.add_usage(UsageBatch(f"batch-{number}", {}, {("key_1", day): 7, ("key_2", 12): 1}))
        assert _days(path) == [("key_1", 11), ("key_1", 12), ("key_2", 12)]
        await store.prune_usage(before=12.0 * DAY_SECONDS)
        assert _days(path) == [("key_1", 12), ("key_2", 12)]
        await store.prune_usage(before=0.0, after=11.0 * DAY_SECONDS)
        assert _days(path) == []


def _days(path: Path) -> list[tuple[str, int]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT key, day FROM key_tokens ORDER BY key, day").fetchall()


def test_each_migration_happens_whole_or_not_at_all(tmp_path: Path) -> None:
    steps = [("CREATE TABLE a (x)",), ("CREATE TABLE b (x)", "CREATE TABLE b (x)")]
    with closing(sqlite3.connect(tmp_path / "x.db", isolation_level=None)) as connection:
        with pytest.raises(sqlite3.OperationalError, match="already exists"):
            schema.migrate(connection, steps)
        assert schema.version(connection) == 1
        assert [row[0] for row in connection.execute("SELECT name FROM sqlite_master")] == ["a"]

        schema.migrate(connection, [steps[0], ("CREATE TABLE b (x)",)])
        assert schema.version(connection) == 2
        schema.migrate(connection, steps)
        assert schema.version(connection) == 2


async def test_messages_from_before_items_had_ids_get_one_each(path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        schema.migrate(connection, schema.MIGRATIONS[:2])
        connection.execute(
            "INSERT INTO conversations (id, created_at, updated_at, metadata, bytes) VALUES ('conv-1', 1, 1, '{}', 2)"
        )
        for text in (b"a", b"b"):
            connection.execute(
                "INSERT INTO messages (conversation, role, text, images) VALUES (1, 'user', ?, '[]')", (text,)
            )

    async with open_sqlite(str(path)) as store:
        found = await store.conversation("conv-1")

    assert found is not None
    assert [message.text for message in found.messages] == ["a", "b"]
    assert len({message.id for message in found.messages}) == 2
    assert all(message.id.startswith("msg_") for message in found.messages)
