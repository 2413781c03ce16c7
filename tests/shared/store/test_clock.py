"""What every store does about times that were taken before the clock was set back."""

from dataclasses import replace

import pytest

from shared.admin.usage import UsageBatch, UsageGroup
from shared.store import Store
from tests.shared.samples import SITE, conversation, note, visit

NOON = 1_795_435_200.0


async def test_a_visit_drops_asks_from_before_the_clock_was_set_back(store: Store) -> None:
    await store.ask_visit(SITE, "yesterday, as it was called then", at=100.0 + 86400)
    await store.ask_visit(SITE, "by a clock that is a little ahead", at=130.0)

    await store.begin_visit(SITE, "me", at=110.0, ttl=60)
    await store.end_visit(visit(1, at=110.0), "me")

    ask = await store.pending_ask(SITE)
    assert ask is not None
    assert (ask.reason, ask.count) == ("by a clock that is a little ahead", 1)


async def test_what_was_used_before_the_clock_was_set_back_is_kept_as_long_as_what_is_used_now(store: Store) -> None:
    await store.create_conversation(conversation("ahead", at=10_000.0))
    await store.create_conversation(conversation("now", at=100.0))
    await store.add_copies([("ahead", note(), 10_000.0)])

    assert await store.prune(before=0.0, now=100.0, max_bytes=10**9) == 0
    assert await store.conversation("ahead") == replace(conversation("ahead", at=100.0), created_at=10_000.0)
    assert await store.prune(before=101.0, now=201.0, max_bytes=10**9) == 2
    assert await store.take_copy("ahead") is None


async def test_of_many_from_before_the_clock_was_set_back_none_is_skipped(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.store.sqlite.pruning.REDATED_AT_ONCE", 2)
    for number in range(5):
        await store.create_conversation(conversation(f"conv-{number}", at=1000.0 + number))

    assert await store.prune(before=0.0, now=100.0, max_bytes=10**9) == 0
    assert await store.prune(before=101.0, now=150.0, max_bytes=10**9) == 5


async def test_requests_from_before_the_clock_was_set_back_do_not_count(store: Store) -> None:
    for second in range(5):
        await store.admit_requests("key_a", at=NOON + 3600 + second, rpm=5, tpd=None)

    assert (await store.key_counts("key_a", at=NOON)).requests == 0
    counts = await store.admit_requests("key_a", at=NOON, rpm=5, tpd=None)
    assert (counts.is_admitted, counts.requests, counts.oldest) == (True, 1, int(NOON))
    assert (await store.key_counts("key_a", at=NOON + 3600 + 4)).requests == 0  # and are forgotten


async def test_usage_from_far_ahead_is_forgotten_and_what_is_not_so_far_stands(store: Store) -> None:
    ahead, far = UsageGroup(int(NOON) + 3600, "key_a", "m", "s"), UsageGroup(int(NOON) + 7200, "key_a", "m", "s")
    await store.add_usage(UsageBatch("1", {ahead: {"requests": 1}, far: {"requests": 1}}))

    assert await store.prune_usage(before=NOON, after=NOON + 3600) == 1
    assert [group for group, _ in await store.usage(since=0.0, until=NOON * 2)] == [ahead]
