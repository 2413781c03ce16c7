"""What every store promises about visits, the claims on them and the asks for them."""

import asyncio
from time import time

from shared.models import VISIT_IN_PROGRESS
from shared.store import KEPT_ASKS, KEPT_SCREENSHOTS, KEPT_VISITS, Store
from tests.shared.samples import SITE, visit

OTHER_SITE = "http://127.0.0.1:8090"


async def test_many_asks_make_one_that_tells_the_first_time_and_reason(store: Store) -> None:
    assert await store.pending_ask(SITE) is None

    await store.ask_visit(SITE, "reason 0", at=100.0)
    await asyncio.gather(*(store.ask_visit(SITE, f"reason {number}", at=100.0 + number) for number in range(1, 40)))

    ask = await store.pending_ask(SITE)
    assert ask is not None
    assert (ask.site, ask.asked_at, ask.reason, ask.count) == (SITE, 100.0, "reason 0", 40)


async def test_a_visit_drops_the_asks_made_before_it_and_keeps_the_later_ones(store: Store) -> None:
    await store.ask_visit(SITE, "before", at=100.0)
    await store.ask_visit(SITE, "just before", at=110.0)
    await store.begin_visit(SITE, "one", at=110.0, ttl=60.0)
    await store.ask_visit(SITE, "during", at=115.0)
    await store.ask_visit(SITE, "during again", at=116.0)

    await store.end_visit(visit(1, at=110.0), "one")

    ask = await store.pending_ask(SITE)
    assert ask is not None
    assert (ask.asked_at, ask.reason, ask.count) == (115.0, "during", 2)
    await store.end_visit(visit(2, at=120.0), "one")
    assert await store.pending_ask(SITE) is None


async def test_an_ask_made_during_a_visit_survives_it_however_many_came_before(store: Store) -> None:
    for number in range(200):
        await store.ask_visit(SITE, "before", at=float(number))
    await store.ask_visit(SITE, "during", at=1001.0)
    await store.end_visit(visit(1, at=1000.0), "one")
    ask = await store.pending_ask(SITE)
    assert ask is not None
    assert ask.asked_at == 1001.0


async def test_asks_beyond_the_first_ones_count_as_made_when_the_last_of_them_was(store: Store) -> None:
    for number in range(1, KEPT_ASKS + 5):
        await store.ask_visit(SITE, "why", at=float(number))

    await store.end_visit(visit(1, at=KEPT_ASKS - 0.5), "one")

    ask = await store.pending_ask(SITE)
    assert ask is not None
    assert (ask.asked_at, ask.count) == (KEPT_ASKS + 4.0, 5)


async def test_two_holders_never_visit_one_site_at_once(store: Store) -> None:
    claims = await asyncio.gather(*(store.begin_visit(SITE, f"h{n}", at=100.0, ttl=60.0) for n in range(5)))
    assert sorted(claims) == [False, False, False, False, True]


async def _may_begin(store: Store, site: str, holder: str) -> None:
    async with asyncio.timeout(5):
        while not await store.begin_visit(site, holder, at=time(), ttl=60.0):
            await asyncio.sleep(0.02)


async def test_a_claim_ends_with_its_visit_or_its_time(store: Store) -> None:
    assert await store.begin_visit(SITE, "one", at=time(), ttl=0.4)
    assert not await store.begin_visit(SITE, "two", at=time(), ttl=60.0)
    await _may_begin(store, SITE, "two")

    await store.end_visit(visit(1), "one")  # of a holder that was paused for longer than its claim stood
    assert not await store.begin_visit(SITE, "one", at=time(), ttl=60.0)
    await store.end_visit(visit(2), "two")
    assert await store.begin_visit(SITE, "one", at=time(), ttl=60.0)


async def test_a_holder_may_claim_again_and_so_prolong_its_claim(store: Store) -> None:
    assert await store.begin_visit(SITE, "one", at=time(), ttl=0.4)
    assert await store.begin_visit(SITE, "one", at=time(), ttl=60.0)
    assert await store.begin_visit(OTHER_SITE, "one", at=time(), ttl=0.4)
    await _may_begin(store, OTHER_SITE, "two")  # a claim of the same length, that began later, has ended
    assert not await store.begin_visit(SITE, "two", at=time(), ttl=60.0)


async def test_the_last_fifty_visits_and_five_screenshots_are_kept(store: Store) -> None:
    for number in range(64):  # more than drop out together with those of the first visits
        await store.end_visit(visit(number), "one", screenshot=b"png %d" % number if number % 2 else None)

    kept = await store.visits(limit=100)

    assert [found.id for found in kept] == [f"visit-{number}" for number in range(63, 13, -1)]
    assert [found.id for found in kept if found.screenshot] == [f"visit-{n}" for n in (63, 61, 59, 57, 55)]
    assert await store.screenshot("visit-55") == b"png 55"
    assert await store.screenshot("visit-53") is None
    assert await store.screenshot("visit-62") is None
    assert await store.screenshot("never") is None


async def test_visits_are_listed_by_site_and_up_to_the_limit(store: Store) -> None:
    await store.end_visit(visit(1), "one")
    await store.end_visit(visit(2, site=OTHER_SITE), "one")
    await store.end_visit(visit(3), "one")

    assert await store.visits(SITE) == [visit(3), visit(1)]
    assert await store.visits(limit=2) == [visit(3), visit(2, site=OTHER_SITE)]
    assert await store.visits("https://nowhere.example") == []


async def test_a_visit_that_is_recorded_again_is_one_with_the_last_record_at_its_place(store: Store) -> None:
    await store.end_visit(visit(1), "one", screenshot=b"png")
    await store.end_visit(visit(2), "one")
    await store.end_visit(visit(1), "one")

    assert await store.visits() == [visit(2), visit(1)]
    assert await store.screenshot("visit-1") is None


async def test_the_note_of_a_visit_ends_with_its_record_and_that_of_a_later_one_does_not(store: Store) -> None:
    note, other_note = (VISIT_IN_PROGRESS.format(site=site) for site in (SITE, OTHER_SITE))
    for name in (note, other_note):
        await store.set_note(name, "visit 1")

    await store.end_visit(visit(1), "one", note="visit 1")
    assert (await store.get_note(note), await store.get_note(other_note)) == ("", "visit 1")

    await store.set_note(note, "visit 2")
    await store.end_visit(visit(1), "one", note="visit 1")
    assert await store.get_note(note) == "visit 2"


async def test_a_dropped_visit_takes_no_place_from_the_screenshots_of_the_kept_ones(store: Store) -> None:
    rare = "https://rare.example"
    await store.end_visit(visit(0, site=rare), "h", screenshot=b"rare")
    await store.end_visit(visit(1), "h", screenshot=b"goes")
    last = KEPT_VISITS + 1
    for number in range(2, last + 1):
        picture = b"kept" if number < KEPT_SCREENSHOTS or number == last else None
        await store.end_visit(visit(number), "h", screenshot=picture)

    assert await store.screenshot("visit-1") is None
    assert await store.screenshot("visit-0") == b"rare"
