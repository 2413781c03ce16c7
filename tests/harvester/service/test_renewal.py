"""Renewing a nonce over HTTP, in front of the simulated site."""

import time
from dataclasses import replace
from typing import Any

from harvester.service.renewal import renew_nonce
from shared.models import Capture, Credentials
from shared.store import Store
from tests.site import SimulatedSite


async def stored(store: Store, site: SimulatedSite, nonce: str, **values: Any) -> Credentials:
    """Credentials of *site* as a visit of an hour ago would have stored them."""
    credentials = replace(
        Credentials(
            site=site.origin,
            ajax_url=site.ajax_url,
            page_url=site.url,
            nonce=nonce,
            session_id="s-1",
            user_agent="Visitor/1.0",
            source="visit",
            captured_at=time.time() - 3600,
            nonce_checked_at=time.time() - 3600,
        ),
        **values,
    )
    return await store.save_capture(Capture(credentials=credentials, bots=(), identity="{}"), base=0)


async def current(store: Store, site: SimulatedSite) -> Credentials:
    state = await store.site_state(site.origin)
    assert state is not None
    return state.current


async def test_a_new_nonce_is_stored_as_a_renewal(store: Store, site: SimulatedSite) -> None:
    old = await stored(store, site, "0000000000")

    assert await renew_nonce(store, old)

    new = await current(store, site)
    assert (new.nonce, new.source, new.generation) == (site.nonce, "renewal", old.generation + 1)
    assert new.captured_at == old.captured_at
    assert time.time() - new.nonce_checked_at < 10
    assert await store.pending_ask(site.origin) is None


async def test_the_same_nonce_is_recorded_as_confirmed(store: Store, site: SimulatedSite) -> None:
    old = await stored(store, site, site.nonce)

    assert await renew_nonce(store, old)

    new = await current(store, site)
    assert new.generation == old.generation
    assert new.nonce_checked_at > old.nonce_checked_at


async def test_it_asks_as_the_guest_whose_nonce_it_is(store: Store, site: SimulatedSite) -> None:
    await renew_nonce(store, await stored(store, site, "0", cookie='a="b,c"; d=1'))

    headers = site.requests[-1].headers
    assert (headers["Cookie"], headers["User-Agent"]) == ('a="b,c"; d=1', "Visitor/1.0")
    assert "Origin" not in headers


async def test_a_site_that_hands_out_none_gets_a_visit_asked_for(store: Store, site: SimulatedSite) -> None:
    site.behaviour.nonce_action = False
    old = await stored(store, site, "0000000000")

    assert not await renew_nonce(store, old)

    ask = await store.pending_ask(site.origin)
    assert ask is not None
    assert "HTTP 400" in ask.reason
    assert await current(store, site) == old


async def test_where_none_is_handed_out_the_one_that_the_site_takes_is_recorded_as_confirmed(
    store: Store, site: SimulatedSite
) -> None:
    site.behaviour.nonce_action = False  # as before version 2.3.41
    old = await stored(store, site, site.nonce)

    assert await renew_nonce(store, old)

    new = await current(store, site)
    assert new.generation == old.generation
    assert new.nonce_checked_at > old.nonce_checked_at
    assert await store.pending_ask(site.origin) is None


async def test_a_site_that_cannot_be_reached_is_tried_again_and_then_visited(store: Store) -> None:
    async with SimulatedSite() as site:
        old = await stored(store, site, "0000000000")
    started = time.monotonic()

    assert not await renew_nonce(store, old)

    assert time.monotonic() - started > 0.01
    ask = await store.pending_ask(site.origin)
    assert ask is not None
    assert "cannot connect" in ask.reason


async def test_a_renewal_survives_a_short_outage(store: Store, site: SimulatedSite) -> None:
    old = await stored(store, site, "0000000000")
    await site.close()
    async with SimulatedSite(port=int(site.origin.rpartition(":")[2])) as restarted:
        assert await renew_nonce(store, old)
        assert (await current(store, site)).nonce == restarted.nonce


async def test_newer_credentials_stored_meanwhile_are_left_alone(store: Store, site: SimulatedSite) -> None:
    old = await stored(store, site, "0000000000")
    newer = await store.save_nonce(site.origin, "1111111111", checked_at=time.time(), base=old.generation)

    assert await renew_nonce(store, old)

    assert await current(store, site) == newer
