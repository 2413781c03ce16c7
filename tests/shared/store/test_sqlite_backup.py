"""Copies of the store: whole while it is written, private, never over something unasked, and back from any version."""

import asyncio
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from shared.store import StoreCorrupt, StoreError, StoreTooNew, StoreUnavailable
from shared.store.sqlite import schema
from shared.store.sqlite.backup import TargetExists, back_up, restore
from shared.store.sqlite.store import open_sqlite
from tests.shared.samples import SITE, capture, conversation, messages_of, texts_of
from tests.shared.store.sqlite_files import change, hashes, is_sound, make, mode, modes, overwrite_a_page


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the store is."""
    return tmp_path / "data" / "store.db"


async def test_a_backup_taken_while_a_service_writes_is_whole(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    async with open_sqlite(path) as store:
        await store.create_conversation(conversation("conv-1", "first"))
        writing = asyncio.create_task(_write_for_ever(path))
        for _ in range(5):
            await asyncio.to_thread(back_up, path, copy, replace=True)
            assert is_sound(copy)
        writing.cancel()
        written = len(texts_of(await store.conversation("conv-1")))

    async with open_sqlite(copy) as store:
        kept = texts_of(await store.conversation("conv-1"))
    assert kept[0] == "first"
    assert 1 < len(kept) <= written


async def _write_for_ever(path: Path) -> None:
    async with open_sqlite(path) as store:
        while True:
            await store.add_messages("conv-1", messages_of("more " * 500), at=200.0)


@pytest.mark.parametrize("is_writable", [True, False])
async def test_a_backup_is_one_private_file_of_its_size(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_writable: bool
) -> None:
    monkeypatch.setattr("os.access", lambda *_: is_writable)  # a disk that failed may only be read
    target = tmp_path / "backups" / "copy.db"
    target.parent.mkdir()
    async with open_sqlite(path) as store:
        await store.create_conversation(conversation("conv-1"))
        size = back_up(path, target, replace=False)

    assert modes(target.parent) == {"copy.db": 0o600}
    assert target.stat().st_size == size
    assert is_sound(target)


@pytest.mark.parametrize("replace", [False, True])
async def test_a_backup_replaces_a_file_only_when_told(path: Path, tmp_path: Path, replace: bool) -> None:
    target = tmp_path / "copy.db"
    target.write_text("precious")
    target.chmod(0o644)
    async with open_sqlite(path):
        pass

    if replace:
        (tmp_path / "copy.db.new").touch()  # of one that was killed
        back_up(path, target, replace=True)
        assert is_sound(target)
        assert mode(target) == 0o600
        assert modes(tmp_path).keys() == {"data", "copy.db"}
    else:
        with pytest.raises(TargetExists, match=r"copy\.db is there already"):
            back_up(path, target, replace=False)
        assert target.read_text() == "precious"


async def test_nothing_is_left_of_a_backup_that_cannot_be_made(path: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="no store at"):
        back_up(path, tmp_path / "copy.db", replace=False)
    async with open_sqlite(path):
        pass
    with pytest.raises(StoreUnavailable, match=r"the copy .*copy\.db cannot be used: No such file or directory"):
        back_up(path, tmp_path / "missing" / "copy.db", replace=False)
    os.mkfifo(tmp_path / "device")
    with pytest.raises(StoreUnavailable, match="is no regular file"):
        back_up(path, tmp_path / "device", replace=True)
    assert (tmp_path / "device").is_fifo()
    (tmp_path / "device").unlink()
    with pytest.raises(StoreError, match="is the store itself"):
        restore(path, path, replace=True)
    before = hashes(path.parent)
    with pytest.raises(StoreError, match="is the store itself"):
        back_up(path, path, replace=True)
    assert hashes(path.parent) == before
    change(path, "PRAGMA application_id = 1")
    with pytest.raises(StoreCorrupt, match="another program"):
        back_up(path, tmp_path / "copy.db", replace=False)

    assert modes(tmp_path).keys() == {"data"}


async def test_a_damaged_store_takes_no_earlier_backups_place_and_a_damaged_copy_no_stores(
    path: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copies" / "copy.db"
    copy.parent.mkdir()
    await make(path)
    back_up(path, copy, replace=False)
    before = hashes(path.parent)

    overwrite_a_page(copy)
    with pytest.raises(StoreCorrupt, match="or is damaged; name one that"):
        restore(copy, path, replace=True)
    assert hashes(path.parent) == before

    before = hashes(copy.parent)
    overwrite_a_page(path)
    with pytest.raises(StoreCorrupt, match="is damaged"):
        back_up(path, copy, replace=True)
    assert hashes(copy.parent) == before


async def test_a_backup_by_a_newer_version_leaves_the_store_to_the_older_services(path: Path, tmp_path: Path) -> None:
    _make_old(path)

    back_up(path, tmp_path / "copy.db", replace=False)

    with closing(sqlite3.connect(path)) as connection:
        assert schema.version(connection) == 1


async def test_services_go_on_with_what_was_restored(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    async with open_sqlite(path) as store:
        await store.save_capture(capture(), base=0)
        await store.create_conversation(conversation("conv-1", "then"))
        back_up(path, copy, replace=False)
        await store.add_messages("conv-1", messages_of("later"), at=200.0)
        await store.create_conversation(conversation("conv-2", "later"))
        changes = store.watch()
        await anext(changes)

        await asyncio.to_thread(restore, copy, path, replace=True)

        await asyncio.wait_for(anext(changes), 5)
        await changes.aclose()
        assert texts_of(await store.conversation("conv-1")) == ["then"]
        assert await store.conversation("conv-2") is None
        assert await store.add_messages("conv-1", messages_of("and on"), at=300.0)
        assert await store.site_state(SITE) is not None
    async with open_sqlite(path) as store:
        assert texts_of(await store.conversation("conv-1")) == ["then", "and on"]
    assert is_sound(path)
    assert modes(path.parent) == {"store.db": 0o600}


async def test_a_store_that_holds_something_is_replaced_only_when_told(path: Path, tmp_path: Path) -> None:
    async with open_sqlite(tmp_path / "copy.db") as store:
        await store.create_conversation(conversation("conv-1"))
    async with open_sqlite(path) as store:
        await store.save_capture(capture(), base=0)
        await store.create_conversation(conversation("conv-2"))

        with pytest.raises(TargetExists, match=r"the credentials of 1 site\(s\) and 1 conversation\(s\)"):
            restore(tmp_path / "copy.db", path, replace=False)

        assert await store.conversation("conv-2") is not None


async def test_a_missing_store_is_made_from_the_copy_without_asking(path: Path, tmp_path: Path) -> None:
    async with open_sqlite(tmp_path / "copy.db") as store:
        await store.create_conversation(conversation("conv-1", "text"))

    restore(tmp_path / "copy.db", path, replace=False)

    async with open_sqlite(path) as store:
        assert texts_of(await store.conversation("conv-1")) == ["text"]
    assert modes(path.parent) == {"store.db": 0o600}


async def test_a_copy_of_an_older_version_is_brought_up_to_date_and_itself_left_alone(
    path: Path, tmp_path: Path
) -> None:
    old = tmp_path / "old"
    old.mkdir()
    _make_old(old / "copy.db")
    before = hashes(old)
    async with open_sqlite(path) as store:
        restore(old / "copy.db", path, replace=True)

        assert await store.take_copy("a table the old version did not have") is None
        assert hashes(old) == before


@pytest.mark.parametrize("suffixes", [("", "-wal", "-shm"), ("", "-wal")])
async def test_files_copied_while_a_service_ran_are_restored_with_what_it_wrote_last(
    path: Path, tmp_path: Path, suffixes: tuple[str, ...]
) -> None:
    copied = tmp_path / "copied"
    copied.mkdir()
    async with open_sqlite(path) as store:
        await store.create_conversation(conversation("conv-1", "text"))
        for suffix in suffixes:
            shutil.copy(f"{path}{suffix}", copied)
    data = [(copied / path.name).read_bytes(), (copied / f"{path.name}-wal").read_bytes()]

    restore(copied / path.name, tmp_path / "new" / "store.db", replace=False)

    async with open_sqlite(tmp_path / "new" / "store.db") as store:
        assert texts_of(await store.conversation("conv-1")) == ["text"]
    assert [(copied / path.name).read_bytes(), (copied / f"{path.name}-wal").read_bytes()] == data


def test_what_is_no_store_of_ours_is_never_restored(path: Path, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("not a database, but long enough to be looked at\n" * 50)
    _make_old(tmp_path / "newer.db")
    change(tmp_path / "newer.db", "PRAGMA user_version = 999")

    with pytest.raises(StoreUnavailable, match="no file"):
        restore(tmp_path / "missing", path, replace=True)
    (tmp_path / "empty").touch()
    for name in ("text", "empty"):
        with pytest.raises(StoreCorrupt, match=f"{name} is no copy of a store.*`freeaichat backup`"):
            restore(tmp_path / name, path, replace=True)
    with pytest.raises(StoreTooNew, match="newer version"):
        restore(tmp_path / "newer.db", path, replace=True)
    assert not path.exists()


def _make_old(path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        schema.migrate(connection, schema.MIGRATIONS[:1])
