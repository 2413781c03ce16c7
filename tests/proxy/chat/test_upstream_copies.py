"""Upstreams' copies that a history may be gone on from: each is taken once, none is lost while the store is away, and
no more are kept than may be."""

import asyncio
from pathlib import Path

import pytest

from proxy.chat import upstream_copies
from proxy.chat.upstream_copies import UpstreamCopies
from shared.conversations import Note
from shared.store import StoreUnavailable, open_store
from tests.proxy.chat.test_store_outage import locked
from tests.proxy.running import short_store_timeout


def copy(name: str) -> Note:
    return Note(name=name, value=name)


async def take_names(copies: UpstreamCopies, *histories: str) -> list[str | None]:
    """The names of the copies that are taken one after the other."""
    found = [await copies.take(history) for history in histories]
    return [note.name if note else None for note in found]


@pytest.mark.parametrize("stored", [False, True])
async def test_each_copy_is_taken_once_the_newest_first(tmp_path: Path, stored: bool) -> None:
    async with open_store(f"sqlite:///{tmp_path}/store.db") as store:
        copies = UpstreamCopies(store)
        for name in ("one", "two"):
            copies.add("same", copy(name))
            if stored:
                await copies.flush()
        copies.add("other", copy("three"))

        assert await take_names(copies, "same", "same", "same") == ["two", "one", None]
        await copies.flush()
        assert await take_names(copies, "same", "other", "other") == [None, "three", None]


async def test_what_is_just_being_stored_is_found(tmp_path: Path) -> None:
    async with open_store(f"sqlite:///{tmp_path}/store.db") as store:
        copies = UpstreamCopies(store)
        copies.add("same", copy("one"))
        flushing = asyncio.create_task(copies.flush())
        await asyncio.sleep(0)  # it is under way

        assert await take_names(copies, "same", "same") == ["one", None]
        await flushing
        assert await take_names(copies, "same") == [None]


async def test_above_a_limit_the_oldest_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upstream_copies, "MAX_PENDING", 3)
    async with open_store(f"sqlite:///{tmp_path}/store.db") as store:
        copies = UpstreamCopies(store)
        for number in range(5):
            copies.add(str(number), copy(str(number)))

        assert await take_names(copies, *"01234") == [None, None, "2", "3", "4"]
        for number in range(3):  # what was taken counts no more
            copies.add(str(number), copy(str(number)))
        assert await take_names(copies, *"012") == ["0", "1", "2"]


async def test_what_cannot_be_stored_is_kept_and_stored_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    short_store_timeout(monkeypatch)
    async with open_store(f"sqlite:///{tmp_path}/store.db") as store:
        copies = UpstreamCopies(store)
        copies.add("same", copy("one"))
        with locked(tmp_path / "store.db"):
            flushing = asyncio.create_task(copies.flush())
            await asyncio.sleep(0)  # it is under way
            copies.add("same", copy("two"))
            with pytest.raises(StoreUnavailable):
                await flushing
            assert await take_names(copies, "unknown") == [None]
            assert await take_names(copies, "same") == ["two"]
            copies.add("other", copy("three"))
        await copies.flush()

        assert await take_names(UpstreamCopies(store), "same", "other", "same") == ["one", "three", None]
