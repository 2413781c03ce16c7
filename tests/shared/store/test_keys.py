"""What every store promises about API keys and what limited ones have used."""

import asyncio
from dataclasses import replace
from pathlib import Path
from time import time

import pytest

from shared.admin import key_admin
from shared.admin.keys import ApiKey, NewKey, digest, new_key
from shared.admin.usage import UsageBatch, UsageGroup
from shared.serialization import to_json
from shared.store import Store, open_store
from tests.shared.poll_counter import PollCounter

DAY = 1_795_392_000.0  # 00:00 UTC
NOON = DAY + 12 * 3600


def key(name: str = "app", *, at: float = 1.0) -> ApiKey:
    return new_key(b"secret", NewKey(name, rpm=3, models=("gpt-5-nano",)), now=at)[1]


async def test_keys_are_listed_as_they_were_stored_newest_first(store: Store) -> None:
    first, second = key("first", at=1.0), key("second", at=2.0)
    assert await store.add_key(first)
    assert await store.add_key(second)

    assert await store.keys() == [second, first]


async def test_a_name_belongs_to_one_key_until_that_is_revoked(store: Store) -> None:
    first, second = key(at=1.0), key(at=2.0)

    assert await store.add_key(first)
    assert not await store.add_key(second)
    assert await store.revoke_key(first.id, at=3.0)
    assert await store.add_key(second)

    assert await store.keys() == [second, replace(first, revoked_at=3.0)]


async def test_a_key_is_revoked_once_and_never_rotated_afterwards(store: Store) -> None:
    one = key()
    await store.add_key(one)

    assert await store.rotate_key(one.id, digest="d", hint="h")
    assert await store.revoke_key(one.id, at=3.0)
    assert not await store.revoke_key(one.id, at=4.0)
    assert not await store.rotate_key(one.id, digest="e", hint="i")
    assert not await store.revoke_key("key_none", at=5.0)

    assert await store.keys() == [replace(one, digest="d", hint="h", revoked_at=3.0)]


async def test_changes_of_a_key_at_once_are_all_made(store: Store) -> None:
    for number in range(5):
        one = key(f"app{number}")
        await store.add_key(one)
        rotations = [store.rotate_key(one.id, digest=f"d{each}", hint="h") for each in range(4)]
        *rotated, revoked = await asyncio.gather(*rotations, store.revoke_key(one.id, at=3.0))

        assert revoked
        [found] = [each for each in await store.keys() if each.id == one.id]
        assert found.revoked_at == 3.0
        assert (found.digest in {f"d{each}" for each in range(4)}) == any(rotated)


async def test_the_version_differs_after_every_change_of_keys_and_of_nothing_else(store: Store) -> None:
    one = key()
    versions = [await store.keys_version()]
    await store.add_key(one)
    versions.append(await store.keys_version())
    await store.rotate_key(one.id, digest="d", hint="h")
    versions.append(await store.keys_version())
    await store.revoke_key(one.id, at=3.0)
    versions.append(await store.keys_version())
    await store.set_note("other", "thing")
    await store.admit_requests(one.id, at=NOON, rpm=3, tpd=None)

    assert len(set(versions)) == 4
    assert versions[0] == ""
    assert await store.keys_version() == versions[-1]


async def test_a_change_of_keys_wakes_the_watchers(store: Store) -> None:
    changes = store.watch()
    await anext(changes)
    await store.add_key(key())

    async with asyncio.timeout(2):
        await anext(changes)
    await changes.aclose()


async def test_all_who_open_a_store_hash_with_one_secret_that_no_other_store_has(
    store_url: str, tmp_path: Path
) -> None:
    async with open_store(store_url) as one, open_store(store_url) as other:
        secrets = await asyncio.gather(*(each.key_secret() for each in (one, other, one, other)))
    async with open_store(store_url) as later, open_store(f"sqlite:///{tmp_path}/different.db") as different:
        assert {*secrets} == {await later.key_secret()}
        assert await different.key_secret() not in secrets
    assert len(secrets[0]) >= 32


async def test_requests_are_admitted_up_to_the_limit_of_a_minute(store: Store) -> None:
    counts = [await store.admit_requests("key_a", at=NOON + n, rpm=2, tpd=None) for n in (0.5, 10.0, 59.9)]

    assert [each.is_admitted for each in counts] == [True, True, False]
    assert [each.requests for each in counts] == [1, 2, 2]
    assert {each.oldest for each in counts} == {int(NOON)}
    assert (await store.admit_requests("key_b", at=NOON, rpm=1, tpd=None)).is_admitted
    # The first one has left the window, the second has not.
    assert (await store.admit_requests("key_a", at=NOON + 60.0, rpm=2, tpd=None)).is_admitted
    assert not (await store.admit_requests("key_a", at=NOON + 69.9, rpm=2, tpd=None)).is_admitted
    assert (await store.key_counts("key_a", at=NOON + 69.9))[1:3] == (2, int(NOON) + 10)


async def test_several_requests_are_admitted_together_or_not_at_all(store: Store) -> None:
    first = await store.admit_requests("key_a", at=NOON, rpm=5, tpd=None, count=3)
    second = await store.admit_requests("key_a", at=NOON, rpm=5, tpd=None, count=3)
    third = await store.admit_requests("key_a", at=NOON, rpm=5, tpd=None, count=2)

    assert [(each.is_admitted, each.requests) for each in (first, second, third)] == [(True, 3), (False, 3), (True, 5)]


async def test_requests_that_come_at_once_from_everywhere_are_never_more_than_the_limit(store_url: str) -> None:
    async with open_store(store_url) as one, open_store(store_url) as other:
        counts = await asyncio.gather(
            *(each.admit_requests("key_a", at=NOON, rpm=7, tpd=None) for each in (one, other) for _ in range(10))
        )

    assert sum(each.is_admitted for each in counts) == 7


async def test_tokens_are_counted_by_utc_day_and_refuse_further_requests(store: Store) -> None:
    yesterday, today = int(DAY // 86400) - 1, int(DAY // 86400)
    await store.add_usage(UsageBatch("1", {}, tokens={("key_a", yesterday): 500, ("key_a", today): 60}))
    first = await store.admit_requests("key_a", at=NOON, rpm=None, tpd=100)
    await store.add_usage(UsageBatch("2", {}, tokens={("key_a", today): 40}))
    second = await store.admit_requests("key_a", at=NOON, rpm=None, tpd=100)

    assert (first.is_admitted, first.tokens) == (True, 60)
    assert (second.is_admitted, second.tokens, second.requests) == (False, 100, 1)
    assert (await store.admit_requests("key_a", at=DAY + 86400, rpm=None, tpd=100)).is_admitted


async def test_when_a_key_was_last_used_is_kept(store: Store) -> None:
    one = key()
    await store.add_key(one)
    await store.add_usage(UsageBatch("1", {}, seen={one.id: 50.5, "key_gone": 1.0}))
    await store.add_usage(UsageBatch("2", {}, seen={one.id: 40.0}))

    assert [each.last_used_at for each in await store.keys()] == [50.5]


async def test_usage_adds_up_and_is_read_by_hour(store: Store) -> None:
    noon, later = UsageGroup(int(NOON), "key_a", "视觉", "https://a"), UsageGroup(int(NOON) + 3600, "master", "", "")
    await store.add_usage(UsageBatch("1", {noon: {"requests": 1, "error:x": 1}, later: {"refused": 1}}))
    await store.add_usage(UsageBatch("2", {noon: {"requests": 2}}))

    assert dict(await store.usage(since=NOON, until=NOON + 7200)) == {
        noon: {"requests": 3, "error:x": 1},
        later: {"refused": 1},
    }
    assert await store.usage(since=NOON, until=NOON + 3600) == [(noon, {"requests": 3, "error:x": 1})]
    assert await store.usage(since=0.0, until=NOON) == []


async def test_a_batch_that_is_sent_twice_counts_once(store: Store) -> None:
    group = UsageGroup(int(NOON), "key_a", "m", "s")
    batch = UsageBatch("1", {group: {"requests": 1}}, tokens={("key_a", int(NOON // 86400)): 5})
    await store.add_usage(batch)
    await store.add_usage(batch)

    assert await store.usage(since=0.0, until=NOON + 1) == [(group, {"requests": 1})]
    assert (await store.key_counts("key_a", at=NOON)).tokens == 5


async def test_old_usage_is_forgotten(store: Store) -> None:
    old, new = UsageGroup(int(NOON), "key_a", "m", "s"), UsageGroup(int(NOON) + 3600, "key_a", "m", "s")
    await store.add_usage(UsageBatch("1", {old: {"requests": 1}, new: {"requests": 1}}))

    assert await store.prune_usage(before=NOON + 3600) == 1
    assert [group for group, _ in await store.usage(since=0.0, until=NOON * 2)] == [new]


async def test_counting_usage_wakes_no_watcher(store: Store, polls: PollCounter) -> None:
    changes = store.watch()
    await anext(changes)
    news = asyncio.create_task(anext(changes))
    await store.add_usage(UsageBatch("1", {UsageGroup(0, "", "", ""): {"requests": 1}}))
    await store.admit_requests("key_a", at=time(), rpm=3, tpd=None)
    await polls.wait_for_two()
    assert not news.done()
    await store.set_note("a", "b")
    async with asyncio.timeout(2):
        await news
    await changes.aclose()


async def test_making_rotating_and_revoking_by_name(store: Store) -> None:
    key, record = await key_admin.create(store, NewKey("app", lifetime=60.0), now=100.0)
    with pytest.raises(key_admin.KeyUnavailable, match="exists"):
        await key_admin.create(store, NewKey("app"), now=100.0)
    renewed, rotated = await key_admin.rotate(store, "app", now=101.0)
    with pytest.raises(key_admin.KeyUnavailable, match="expired"):
        await key_admin.rotate(store, "app", now=160.0)
    revoked = await key_admin.revoke(store, record.id, now=102.0)

    assert key.startswith("sk-fac-")
    assert record.expires_at == 160.0
    assert rotated.id == record.id
    assert rotated.digest == digest(await store.key_secret(), renewed) != record.digest
    assert revoked.revoked_at == 102.0
    assert await key_admin.revoke(store, "app", now=103.0) == revoked
    with pytest.raises(key_admin.KeyUnavailable, match="revoked"):
        await key_admin.rotate(store, "app", now=103.0)
    with pytest.raises(key_admin.NoSuchKey):
        await key_admin.revoke(store, "nobody", now=103.0)


async def test_keys_are_made_up_to_a_number_of_which_revoked_ones_are_part(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_admin, "MAX_KEYS", 2)
    for at in (1.0, 2.0):
        await key_admin.create(store, NewKey("app"), now=at)
        await key_admin.revoke(store, "app", now=at)

    with pytest.raises(key_admin.KeyUnavailable, match="2 keys were made"):
        await key_admin.create(store, NewKey("app"), now=3.0)
    assert len(await store.keys()) == 2


async def test_no_secret_is_in_what_is_stored(store: Store) -> None:
    key, record = await key_admin.create(store, NewKey("app"), now=100.0)

    assert key not in to_json(record)
    assert record.digest not in repr(record)
