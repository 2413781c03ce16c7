"""What every store promises about slots on a site that all proxies share."""

import asyncio
import random
import sqlite3
from contextlib import closing
from pathlib import Path
from time import time

import pytest

from shared.store import Store, open_store
from shared.store.slots import LEASE_SECONDS, SLICE_SECONDS, Claim, PeerDemand, Share, compute_share
from tests.redis_server import RedisServer
from tests.shared.samples import SITE

MOST = 8
TABLE = (  # where all can be divided equally: a claim, what the others hold and want, all slots, the share
    (Claim("me", 0, 0, 1), (), 8, Share(8, 8, 0, 0)),
    (Claim("me", 0, 1, 1), (), 0, Share(0, 0, 0, 0)),
    (Claim("me", 0, 3, 1), (PeerDemand("a", 2, 2),), 8, Share(4, 6, 1, 0)),
    (Claim("me", 0, 2, 1), (PeerDemand("a", 8, 0),), 8, Share(0, 8, 1, 0)),
    (Claim("me", 0, 20, 1), (PeerDemand("a", 8, 20),), 8, Share(0, 4, 1, 12)),
    (Claim("me", 5, 5, 1), (PeerDemand("a", 8, 8),), 8, Share(5, 4, 1, 0)),
    (Claim("me", 1, 1, 2), (PeerDemand("a", 2, 2), PeerDemand("z", 0, 6)), 9, Share(1, 4, 2, 6)),
)


async def take(
    store: Store, holder: str, kept: int = 0, demand: int = 0, *, limit: int = MOST, prefetch: int = 1
) -> Share:
    return await store.acquire_slots(SITE, Claim(holder, kept, demand, prefetch), limit=limit, at=time())


async def hold(store: Store, site: str, others: tuple[PeerDemand, ...]) -> None:
    for name, slots, demand in others:  # where there are none at all, one gets what it keeps
        assert (await store.acquire_slots(site, Claim(name, slots, demand, 0), limit=0, at=time())).slots == slots


@pytest.mark.parametrize(("claim", "others", "limit", "expected"), TABLE)
async def test_compute_share_and_every_store_agree(
    store: Store, claim: Claim, others: tuple[PeerDemand, ...], limit: int, expected: Share
) -> None:
    assert compute_share(claim, others, limit=limit, now=time()) == expected

    await hold(store, SITE, others)
    assert await store.acquire_slots(SITE, claim, limit=limit, at=time()) == expected


async def test_every_store_follows_the_rule_where_slots_cannot_be_divided_equally(store: Store) -> None:
    chance = random.Random(0)
    for number in range(100):
        others = tuple(
            PeerDemand(name, chance.randrange(4), chance.randrange(6)) for name in "az"[: chance.randrange(3)]
        )
        claim = Claim("me", chance.randrange(3), chance.randrange(6), chance.randrange(3))
        limit = chance.randrange(1, 12)
        await hold(store, f"{SITE}/{number}", others)

        started = time()
        found = await store.acquire_slots(f"{SITE}/{number}", claim, limit=limit, at=started)

        # The next slice of time may have begun meanwhile.
        assert found in [compute_share(claim, others, limit=limit, now=now) for now in (started, time())], (
            claim,
            others,
            limit,
        )


async def test_a_lone_holder_gets_all_slots(store: Store) -> None:
    assert await take(store, "one") == Share(MOST, MOST, 0, 0)
    assert await take(store, "one", MOST, 3) == Share(MOST, MOST, 0, 0)
    assert await store.acquire_slots("https://other.example", Claim("two", 0, 0, 1), limit=3, at=time()) == Share(
        3, 3, 0, 0
    )


async def test_with_peers_a_holder_gets_free_slots_and_one_prefetched(store: Store) -> None:
    await take(store, "one")
    assert (await take(store, "two", 0, 2)).slots == 0
    assert (await take(store, "one", 3, 2)).shortage == 2

    assert (await take(store, "two", 0, 2)).slots == 3
    assert (await take(store, "two", 3, 4)).slots == 5
    assert await take(store, "one", 3, 3) == Share(3, 4, 1, 0)


async def test_with_waiting_peers_each_is_entitled_to_an_equal_share(store: Store) -> None:
    await take(store, "one", 0, 20)
    assert (await take(store, "two", 0, 20)).slots == 0

    shared = await take(store, "one", MOST, 20)
    assert (shared.slots, shared.entitled) == (MOST, MOST // 2)
    assert (await take(store, "one", 4, 20)).slots == 4
    assert (await take(store, "two", 0, 20)).slots == 4


async def test_slots_that_peers_do_not_need_are_not_reserved_for_them(store: Store) -> None:
    await take(store, "one", 0, 20)
    await take(store, "two", 0, 1)

    assert (await take(store, "one", 0, 20)).slots == MOST - 1
    assert (await take(store, "two", 0, 1)).slots == 1


async def test_a_single_slot_goes_round_among_those_who_wait(store: Store) -> None:
    holders = {"one": 0, "two": 0, "three": 0}
    turns: set[str] = set()
    for holder in holders:
        await take(store, holder, 0, 5, limit=1)
    async with asyncio.timeout(10 * SLICE_SECONDS):
        while turns != set(holders):
            for holder in holders:
                share = await take(store, holder, 0, 5, limit=1)
                turns |= {holder} if share.slots else set()
            await asyncio.sleep(0.05)


async def test_released_slots_are_free_at_once(store: Store) -> None:
    await take(store, "one")
    await store.release_slots(SITE, "one")
    await store.release_slots(SITE, "nobody")

    assert await take(store, "two") == Share(MOST, MOST, 0, 0)


async def test_the_slots_of_a_silent_holder_are_free_after_its_lease(
    store: Store, store_url: str, request: pytest.FixtureRequest
) -> None:
    await take(store, "one")
    if store_url.startswith("redis"):  # by its own clock, so that the lease is shortened where it stands
        server: RedisServer = request.getfixturevalue("redis_server")
        server.command("HSET", f"{{freeaichat}}:places:{SITE}", "one", f"{MOST} 0 {time() - 0.001:.3f}")
        found = await take(store, "two", 0, 2)
    else:
        assert (
            await store.acquire_slots(SITE, Claim("x", 0, 2, 1), limit=MOST, at=time() + 0.9 * LEASE_SECONDS)
        ).slots == 0
        await store.release_slots(SITE, "x")
        found = await store.acquire_slots(SITE, Claim("two", 0, 2, 1), limit=MOST, at=time() + LEASE_SECONDS + 0.1)

    assert found == Share(MOST, MOST, 0, 0)


async def test_a_lease_that_stays_the_same_is_written_again_after_half_of_its_time(tmp_path: Path) -> None:
    claim, path = Claim("one", 0, 1, 0), tmp_path / "store.db"
    async with open_store(f"sqlite:///{path}") as store:
        with closing(sqlite3.connect(path)) as looking:
            written = []
            for at in (100.0, 100.0 + LEASE_SECONDS / 2 - 0.25, 100.0 + LEASE_SECONDS / 2 + 0.25):
                before = looking.execute("PRAGMA data_version").fetchone()
                await store.acquire_slots(SITE, claim, limit=MOST, at=at)
                written.append(looking.execute("PRAGMA data_version").fetchone() != before)
    assert written == [True, False, True]


async def test_a_lease_that_stays_the_same_is_not_written_again_at_once_in_redis(redis_server: RedisServer) -> None:
    async with open_store(redis_server.url) as store:
        for demand, is_written in ((1, True), (1, False), (2, True)):
            before = _changes(redis_server)
            await take(store, "one", demand=demand)
            assert (_changes(redis_server) != before) == is_written


def _changes(server: RedisServer) -> object:
    """How often something in it was changed."""
    fields = server.command("INFO", "persistence")
    assert isinstance(fields, dict)
    return fields["rdb_changes_since_last_save"]


async def test_a_lease_from_before_the_clock_was_set_back_holds_nothing(
    store: Store, store_url: str, request: pytest.FixtureRequest
) -> None:
    if store_url.startswith("redis"):
        server: RedisServer = request.getfixturevalue("redis_server")
        server.command("HSET", f"{{freeaichat}}:places:{SITE}", "one", f"{MOST} {MOST} {time() + 3600:.3f}")
    else:
        await store.acquire_slots(SITE, Claim("one", MOST, MOST, 1), limit=MOST, at=time() + 3600)

    assert await take(store, "two", 0, 2) == Share(MOST, MOST, 0, 0)


async def test_slots_kept_after_a_lease_ended_count_and_no_more_are_given(store: Store) -> None:
    await take(store, "two", 0, MOST)
    await store.acquire_slots(SITE, Claim("one", 5, 5, 1), limit=MOST, at=time())

    assert await take(store, "one", 5, 6) == Share(5, 4, 1, 0)
    assert (await take(store, "two", 3, 3)).slots == 3
    assert (await take(store, "one", 5, 6)).slots == 5


@pytest.mark.parametrize("seed", range(4))
async def test_all_slots_together_never_exceed_the_limit(store: Store, store_url: str, seed: int) -> None:
    chance = random.Random(seed)
    limit = chance.choice((1, 3, 8))
    held = dict.fromkeys("abcd", 0)
    async with open_store(store_url) as other:
        for _ in range(120):
            holder = chance.choice("abcd")
            held[holder] = chance.randint(0, held[holder])
            kept = held[holder]
            share = await take(chance.choice((store, other)), holder, kept, kept + chance.randrange(5), limit=limit)
            held[holder] = share.slots

            assert sum(held.values()) <= limit, held
            assert share.slots >= kept
            if chance.random() < 0.1:
                await store.release_slots(SITE, holder)
                held[holder] = 0


async def test_concurrent_claims_never_exceed_the_limit(store: Store, store_url: str) -> None:
    async with open_store(store_url) as other:
        shares = await asyncio.gather(*(take((store, other)[n % 2], f"holder-{n}", 0, 2) for n in range(12)))

    assert sum(each.slots for each in shares) == MOST  # the first one holds all
