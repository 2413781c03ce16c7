"""What every store promises about the site's copies that clients without a conversation id continue."""

import asyncio

import pytest

from shared.store import Store
from shared.store.redis import pruning as redis_pruning
from shared.store.sqlite import pruning as sqlite_pruning
from tests.shared.samples import note


async def test_a_copy_is_handed_out_once_the_newest_first(store: Store) -> None:
    await store.add_copies([("a", note("one"), 1.0), ("b", note("other"), 1.0)])
    await store.add_copies([("a", note("two"), 2.0)])

    assert await store.take_copy("a") == note("two")
    assert await store.take_copy("a") == note("one")
    assert await store.take_copy("a") is None
    assert await store.take_copy("b") == note("other")


async def test_no_two_turns_get_the_same_copy(store: Store) -> None:
    await store.add_copies([("a", note(f"copy-{number}"), float(number)) for number in range(10)])

    popped = await asyncio.gather(*(store.take_copy("a") for _ in range(20)))

    names = [copy.name for copy in popped if copy]
    assert len(names) == len(set(names)) == 10


async def test_copies_that_nobody_continued_for_long_are_dropped(store: Store) -> None:
    await store.add_copies([("old", note("one"), 1.0), ("new", note("two"), 100.0)])

    await store.prune(before=50.0, max_bytes=1000)

    assert await store.take_copy("old") is None
    assert await store.take_copy("new") == note("two")


async def test_adding_no_copies_is_no_error(store: Store) -> None:
    await store.add_copies([])
    assert await store.take_copy("a") is None


async def test_of_too_many_copies_the_oldest_are_dropped(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (sqlite_pruning, redis_pruning):
        monkeypatch.setattr(module, "MAX_COPIES", 3)
    await store.add_copies([(f"history {number}", note(str(number)), float(number)) for number in range(5)])

    await store.prune(before=0.0, max_bytes=10**9)

    assert [bool(await store.take_copy(f"history {number}")) for number in range(5)] == [False] * 2 + [True] * 3
