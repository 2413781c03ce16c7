"""How the store in a SQLite file meets damage, foreign files, locks, a full disk and deletion."""

import asyncio
import fcntl
import os
import resource
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from time import monotonic

import pytest

from shared.store import StoreCorrupt, StoreUnavailable
from shared.store.sqlite.notes import NoteStore
from shared.store.sqlite.store import open_sqlite
from shared.store.sqlite.worker import Worker, read_transaction, write_transaction
from tests.shared.samples import conversation, texts_of, turn
from tests.shared.store.sqlite_files import (
    change,
    delete,
    hashes,
    is_sound,
    locked_by_another_process,
    make,
    mode,
    overwrite_a_page,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "store.db"


def _write_text(path: Path) -> None:
    path.write_text("this is not a database\n" * 400)


def _cut_in_half(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _overwrite_the_header(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"\0" * 100)


def _make_anothers(path: Path) -> None:
    delete(path)
    change(path, "CREATE TABLE bookmarks (url TEXT)", "PRAGMA user_version = 1")


def _make_anothers_with_its_mark(path: Path) -> None:
    _make_anothers(path)
    change(path, "PRAGMA application_id = 252006674")


@pytest.mark.parametrize(
    "spoil",
    [
        _write_text,
        _cut_in_half,
        overwrite_a_page,
        _overwrite_the_header,
        _make_anothers,
        _make_anothers_with_its_mark,
    ],
)
async def test_a_file_that_is_no_sound_store_is_refused_and_left_untouched(
    path: Path, spoil: Callable[[Path], None]
) -> None:
    await make(path)
    spoil(path)
    before = hashes(path.parent)

    with pytest.raises(StoreCorrupt, match=r"store\.db.*move") as refused:
        async with open_sqlite(path):
            pass

    assert hashes(path.parent) == before
    assert "texttext" not in str(refused.value)


async def test_a_stored_value_that_cannot_be_read_is_reported_without_showing_it(path: Path) -> None:
    await make(path)
    change(path, "INSERT INTO sites VALUES ('s', 1, '{\"cookie\": \"hush\"}', NULL, NULL, '[]', '')")
    async with open_sqlite(path) as store:
        with pytest.raises(StoreCorrupt, match="Credentials") as refused:
            await store.site_state("s")
        assert "hush" not in str(refused.value)
        assert refused.value.__cause__ is None


async def test_opening_waits_for_another_opener_but_not_for_ever(path: Path) -> None:
    await make(path)
    held = os.open(path.parent, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    with pytest.raises(StoreUnavailable, match=f"another program keeps the directory {path.parent} locked"):
        async with open_sqlite(path, busy_timeout=0.2):
            pass
    asyncio.get_running_loop().call_later(0.2, os.close, held)
    async with open_sqlite(path, busy_timeout=5.0) as store:
        assert await store.conversation("conv-1") is not None


async def test_a_directory_in_the_files_place_and_a_file_in_the_directorys_are_refused(tmp_path: Path) -> None:
    (tmp_path / "directory").mkdir()
    (tmp_path / "file").touch()
    for name in ("directory", "file/store.db"):
        with pytest.raises(StoreUnavailable, match=name):
            async with open_sqlite(tmp_path / name):
                pass


async def test_a_lock_held_for_too_long_is_reported_and_the_store_recovers(path: Path) -> None:
    async with open_sqlite(path, busy_timeout=0.2) as store:
        await store.create_conversation(conversation("conv-1", "one"))
        with locked_by_another_process(path):
            with pytest.raises(StoreUnavailable, match="locked"):
                await store.commit_turn("conv-1", turn("t1", "two"))
            assert texts_of(await store.conversation("conv-1")) == ["one"]
        assert await store.commit_turn("conv-1", turn("t1", "two"))
        assert texts_of(await store.conversation("conv-1")) == ["one", "two"]


async def test_calls_that_queue_behind_a_lock_wait_for_it_together(path: Path) -> None:
    async with open_sqlite(path, busy_timeout=0.4) as store:
        await store.create_conversation(conversation("conv-1", "one"))
        with locked_by_another_process(path):
            started = monotonic()
            write_transaction = [store.set_note(f"note {number}", "1") for number in range(8)]
            *ended, found = await asyncio.gather(
                *write_transaction, store.conversation("conv-1"), return_exceptions=True
            )
            seconds = monotonic() - started
        await store.set_note("a", "1")

    assert {type(each) for each in ended} == {StoreUnavailable}
    assert not isinstance(found, BaseException)
    assert 0.3 < seconds < 1.2


async def test_a_call_that_queued_waits_for_a_lock_as_long_as_is_left_and_the_next_has_all_its_time(
    path: Path,
) -> None:
    class Slow(NoteStore):
        @read_transaction
        def look(self, db: sqlite3.Connection) -> int:
            time.sleep(0.06)
            return int(db.execute("PRAGMA busy_timeout").fetchone()[0])

    worker = Worker(path, busy_timeout=4.0, max_pages=None, on_change=lambda: None)
    store = Slow(worker)
    await store.set_note("a", "1")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        asyncio.get_running_loop().call_later(0.15, other.execute, "ROLLBACK")
        await asyncio.gather(store.look(), store.set_note("a", "2"))

    assert await store.look() == 4000
    await worker.close()


async def test_the_event_loop_goes_on_while_a_call_waits_for_a_lock(path: Path) -> None:
    async with open_sqlite(path, busy_timeout=0.6) as store:
        with locked_by_another_process(path):
            write = asyncio.create_task(store.set_note("a", "1"))
            turns = 0
            while not write.done():
                await asyncio.sleep(0.01)
                turns += 1
            assert isinstance(write.exception(), StoreUnavailable)
    assert turns > 20


async def test_a_full_disk_is_reported_nothing_half_written_stays_and_space_fixes_it(path: Path) -> None:
    async with open_sqlite(path, max_pages=40) as store:
        await store.create_conversation(conversation("conv-1", "one"))
        await store.create_conversation(conversation("conv-2", "x" * 40_000))

        with pytest.raises(StoreUnavailable, match="space"):
            await store.commit_turn("conv-1", turn("t1", "small", "y" * 200_000))

        assert texts_of(await store.conversation("conv-1")) == ["one"]
        await store.delete_conversation("conv-2")
        assert await store.commit_turn("conv-1", turn("t1", "small", "y" * 20_000))


async def test_a_disk_that_is_too_full_to_open_the_store_is_reported_as_such(path: Path) -> None:
    async with open_sqlite(path):
        pass
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16_000, before[1]))  # less than what SQLite puts beside the file
    try:
        with pytest.raises(StoreUnavailable, match="no space left"):
            async with open_sqlite(path):
                pass
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def test_a_transaction_that_fails_half_way_changes_nothing(path: Path) -> None:
    class Failing(NoteStore):
        @write_transaction
        def fail(self, db: sqlite3.Connection) -> None:
            db.execute("INSERT INTO notes VALUES ('a', 'half')")
            raise LookupError

    announced: list[str] = []
    worker = Worker(path, busy_timeout=1.0, max_pages=None, on_change=lambda: announced.append("changed"))
    with pytest.raises(LookupError):
        await Failing(worker).fail()
    assert await NoteStore(worker).get_note("a") is None
    await worker.close()
    assert announced == []


async def test_a_deleted_file_is_recreated_and_both_openers_meet_again(path: Path) -> None:
    async with open_sqlite(path) as one, open_sqlite(path) as two:
        await one.set_note("a", "old")
        delete(path)  # its -wal and -shm files stay, as they do when only the database is deleted

        assert await one.get_note("a") is None
        await one.set_note("a", "new")

        assert await two.get_note("a") == "new"
        await two.set_note("b", "from two")
        assert await one.get_note("b") == "from two"
    await _expect_sound(path, a="new", b="from two")


async def test_a_deleted_directory_is_recreated(path: Path) -> None:
    async with open_sqlite(path) as store:
        await store.set_note("a", "old")
        for file in path.parent.iterdir():
            file.unlink()
        path.parent.rmdir()
        assert await store.get_note("a") is None
        await store.set_note("a", "new")
    assert mode(path.parent) == 0o700
    await _expect_sound(path, a="new")


async def test_a_file_put_in_the_place_of_the_open_one_is_used_from_then_on(path: Path, tmp_path: Path) -> None:
    backup = tmp_path / "backup.db"
    async with open_sqlite(backup) as store:
        await store.set_note("a", "restored")
    async with open_sqlite(path) as store:
        await store.set_note("a", "old")
        for file in path.parent.iterdir():
            file.unlink()
        backup.replace(path)
        assert await store.get_note("a") == "restored"
        await store.set_note("b", "1")
    await _expect_sound(path, a="restored", b="1")


async def test_a_broken_file_put_in_its_place_is_refused_until_it_is_gone(path: Path) -> None:
    async with open_sqlite(path) as store:
        await store.set_note("a", "old")
        delete(path)
        _write_text(path)
        for _ in range(2):
            with pytest.raises(StoreCorrupt):
                await store.get_note("a")
        delete(path)
        await store.set_note("a", "new")
        assert await store.get_note("a") == "new"


async def _expect_sound(path: Path, **notes: str) -> None:
    async with open_sqlite(path) as store:
        assert {key: await store.get_note(key) for key in notes} == notes
    assert is_sound(path)
