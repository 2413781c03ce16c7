"""What every store promises about credentials and notes, and of opening and closing."""

import asyncio
import json
from dataclasses import replace

import pytest

from shared.store import StaleWrite, Store, StoreError, StoreUnavailable, open_store
from tests.shared.samples import BOTS, SITE, capture

OTHER_SITE = "http://127.0.0.1:8090"


async def test_a_site_without_a_capture_has_no_state_and_no_identity(store: Store) -> None:
    assert await store.site_state(SITE) is None
    assert await store.identity(SITE) is None


async def test_a_capture_is_read_back_as_it_was_with_generation_one(store: Store) -> None:
    taken = capture(identity='{"cookies": [{"value": "视觉"}], "origins": []}')

    saved = await store.save_capture(taken, base=0)

    state = await store.site_state(SITE)
    assert saved == replace(taken.credentials, generation=1)
    assert state is not None
    assert state.current == saved
    assert state.last_good is None
    assert state.bots == BOTS
    assert await store.identity(SITE) == taken.identity


async def test_sites_are_kept_apart(store: Store) -> None:
    await store.save_capture(capture(), base=0)
    await store.save_capture(capture("bbbbbbbbbb", site=OTHER_SITE), base=0)
    await store.mark_good(SITE, 1)
    await store.save_nonce(SITE, "cccccccccc", checked_at=101.0, base=1)
    await store.ask_visit(SITE, "refused", at=1.0)

    state = await store.site_state(OTHER_SITE)
    assert state is not None
    assert (state.current.nonce, state.current.generation) == ("bbbbbbbbbb", 1)
    assert state.last_good is None
    assert await store.pending_ask(OTHER_SITE) is None
    assert await store.begin_visit(SITE, "one", at=1.0, ttl=60.0)
    assert await store.begin_visit(OTHER_SITE, "two", at=1.0, ttl=60.0)


async def test_what_is_stored_is_there_after_reopening(store_url: str) -> None:
    async with open_store(store_url) as store:
        await store.save_capture(capture(identity="{1}"), base=0)
        await store.mark_good(SITE, 1)
    async with open_store(store_url) as store:
        state = await store.site_state(SITE)
        assert state is not None
        assert state.current == state.last_good == replace(capture().credentials, generation=1)
        assert await store.identity(SITE) == "{1}"


@pytest.mark.parametrize("base", [0, 1, 3])
async def test_a_capture_on_another_generation_is_stale_and_writes_nothing(store: Store, base: int) -> None:
    await store.save_capture(capture(), base=0)
    newest = await store.save_capture(capture("bbbbbbbbbb", identity="{2}"), base=1)

    with pytest.raises(StaleWrite) as refused:
        await store.save_capture(capture("cccccccccc", identity="{3}"), base=base)

    state = await store.site_state(SITE)
    assert refused.value.current == newest
    assert newest.cookie not in str(refused.value)
    assert state is not None
    assert state.current == newest
    assert await store.identity(SITE) == "{2}"


async def test_a_capture_for_an_unknown_site_must_start_from_nothing(store: Store) -> None:
    with pytest.raises(StaleWrite) as refused:
        await store.save_capture(capture(), base=1)
    assert refused.value.current is None
    assert await store.site_state(SITE) is None


async def test_a_new_nonce_makes_a_new_generation_and_keeps_the_rest(store: Store) -> None:
    first = await store.save_capture(capture(identity="{1}"), base=0)

    renewed = await store.save_nonce(SITE, "bbbbbbbbbb", checked_at=150.0, base=1)

    assert renewed == replace(first, nonce="bbbbbbbbbb", nonce_checked_at=150.0, generation=2, source="renewal")
    state = await store.site_state(SITE)
    assert state is not None
    assert (state.current, state.bots) == (renewed, BOTS)
    assert await store.identity(SITE) == "{1}"


async def test_the_same_nonce_only_moves_the_time_it_was_checked(store: Store) -> None:
    first = await store.save_capture(capture(), base=0)
    await store.mark_good(SITE, 1)

    checked = await store.save_nonce(SITE, first.nonce, checked_at=150.0, base=1)
    late = await store.save_nonce(SITE, first.nonce, checked_at=120.0, base=1)

    state = await store.site_state(SITE)
    assert checked == late == replace(first, nonce_checked_at=150.0)
    assert state is not None
    assert state.current == state.last_good == checked


@pytest.mark.parametrize("base", [0, 1, 3])
async def test_a_nonce_on_another_generation_is_stale(store: Store, base: int) -> None:
    await store.save_capture(capture(), base=0)
    newest = await store.save_nonce(SITE, "bbbbbbbbbb", checked_at=150.0, base=1)

    with pytest.raises(StaleWrite) as refused:
        await store.save_nonce(SITE, "cccccccccc", checked_at=160.0, base=base)

    state = await store.site_state(SITE)
    assert refused.value.current == newest
    assert state is not None
    assert state.current == newest


@pytest.mark.parametrize("base", [0, 1])
async def test_a_nonce_for_an_unknown_site_is_stale(store: Store, base: int) -> None:
    with pytest.raises(StaleWrite) as refused:
        await store.save_nonce(SITE, "cccccccccc", checked_at=160.0, base=base)
    assert refused.value.current is None


async def test_of_many_writers_on_one_generation_exactly_one_wins(store: Store) -> None:
    await store.save_capture(capture(), base=0)
    writes = [store.save_capture(capture(f"{number:010d}"), base=1) for number in range(8)]
    writes += [store.save_nonce(SITE, f"{number:010x}", checked_at=1.0, base=1) for number in range(90, 98)]

    results = await asyncio.gather(*writes, return_exceptions=True)

    won = [result for result in results if not isinstance(result, BaseException)]
    state = await store.site_state(SITE)
    assert len(won) == 1
    assert all(isinstance(result, StaleWrite) for result in results if result not in won)
    assert state is not None
    assert state.current == won[0]


@pytest.mark.parametrize("is_renewal", [False, True])
async def test_last_good_stays_behind_until_a_turn_succeeds_again(store: Store, is_renewal: bool) -> None:
    first = await store.save_capture(capture(), base=0)
    await store.mark_good(SITE, 1)
    second = (
        await store.save_nonce(SITE, "bbbbbbbbbb", checked_at=101.0, base=1)
        if is_renewal
        else await store.save_capture(capture("bbbbbbbbbb"), base=1)
    )

    before = await store.site_state(SITE)
    await store.mark_good(SITE, 1)
    late = await store.site_state(SITE)
    await store.mark_good(SITE, 2)
    await store.mark_good(SITE, 2)
    after = await store.site_state(SITE)

    assert before is not None
    assert (before.current, before.last_good) == (second, first)
    assert late == before
    assert after is not None
    assert after.last_good == second


async def test_marking_an_unknown_site_or_generation_does_nothing(store: Store) -> None:
    await store.mark_good(SITE, 1)
    await store.save_capture(capture(), base=0)
    await store.mark_good(SITE, 5)
    state = await store.site_state(SITE)
    assert state is not None
    assert state.last_good is None


async def test_notes_are_kept_under_their_keys(store: Store) -> None:
    assert await store.get_note("heartbeat") is None
    await store.set_note("heartbeat", "1")
    await store.set_note("heartbeat", "2")
    await store.set_note("other", json.dumps({"a": "\ud83d 视"}))
    assert await store.get_note("heartbeat") == "2"
    assert await store.get_note("other") == '{"a": "\\ud83d \\u89c6"}'


async def test_a_closed_store_refuses_calls_and_ends_its_watchers(store_url: str) -> None:
    async with open_store(store_url) as store:
        watcher = store.watch()
        await anext(watcher)
    with pytest.raises(StoreError, match="closed"):
        await store.get_note("x")
    assert [change async for change in watcher] == []
    with pytest.raises(StoreUnavailable, match="closed"):
        await anext(store.watch())


async def test_closing_waits_for_the_calls_that_run(store_url: str) -> None:
    async with open_store(store_url) as store:
        calls = [asyncio.create_task(store.set_note(f"n{number}", "kept")) for number in range(20)]
        await asyncio.sleep(0)
    assert await asyncio.gather(*calls) == [None] * 20
    async with open_store(store_url) as store:
        assert await store.get_note("n19") == "kept"


@pytest.mark.parametrize(
    "url",
    [
        *("", "freeaichat.db", "sqlite://x", "mysql://u:pw@host/x", "sqlite:///"),
        *("redis://u:pw@host:port/", "redis://u:pw@host?db=pw", "redis://u:pw@host?unknown=pw"),
        "redis://u:pw@host/name",
    ],
)
async def test_an_url_that_names_no_store_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(StoreError, match="FREEAICHAT_STORE") as refused:
        async with open_store(url):
            pass
    assert "pw" not in str(refused.value)
