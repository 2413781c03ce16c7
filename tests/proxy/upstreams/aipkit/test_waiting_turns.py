"""Turns that wait for a visit: they block no others, and continue as soon as any may."""

import asyncio
from dataclasses import replace
from pathlib import Path
from time import monotonic

import pytest

from shared.store import StoreUnavailable
from tests.proxy.running import NOW, Answered, RunningProxy, capture, running_proxy
from tests.site import SimulatedSite


async def waiting_turn(proxy: RunningProxy, site: SimulatedSite) -> asyncio.Task[Answered]:
    """A turn that waits for a visit, since its nonce is old and the site gave no other at that moment."""
    site.behaviour.nonce_action = False
    site.rotate_nonce()
    turn = asyncio.create_task(proxy.chat("first"))
    async with asyncio.timeout(5):
        while await proxy.store.pending_ask(site.origin) is None:
            await asyncio.sleep(0.01)
    site.behaviour.nonce_action = True
    return turn


async def open_streams(proxy: RunningProxy) -> int:
    async with proxy.http.get(f"{proxy.url}/readyz") as response:
        return int((await response.json())["sites"][0]["open_streams"])


async def test_a_nonce_that_another_turn_renews_ends_the_wait(proxy: RunningProxy, site: SimulatedSite) -> None:
    first = await waiting_turn(proxy, site)
    start = monotonic()

    assert (await proxy.chat("second")).status == 200
    assert (await first).text.startswith("[gpt-4o-mini] You said: first")
    assert monotonic() - start < 5


async def test_a_renewed_nonce_ends_the_wait_while_the_store_cannot_take_it(
    proxy: RunningProxy, site: SimulatedSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await waiting_turn(proxy, site)
    start = monotonic()

    async def away(*_: object, **__: object) -> None:
        raise StoreUnavailable("away")

    monkeypatch.setattr(proxy.store, "save_nonce", away)
    monkeypatch.setattr(proxy.store, "site_state", away)

    assert (await proxy.chat("second")).status == 200
    assert (await first).status == 200
    assert monotonic() - start < 5


async def test_a_visit_ends_the_wait_though_the_store_lost_everything(proxy: RunningProxy, site: SimulatedSite) -> None:
    for _ in range(2):
        site.rotate_nonce()
        assert (await proxy.chat("hi")).status == 200
    first = await waiting_turn(proxy, site)
    start = monotonic()

    (proxy.settings.data_dir / "freeaichat.db").unlink()
    taken = await capture(site)
    await proxy.store.save_capture(replace(taken, credentials=replace(taken.credentials, captured_at=NOW + 1)), base=0)

    assert (await first).status == 200
    assert monotonic() - start < 5


async def test_a_turn_that_waits_for_a_visit_holds_no_place(site: SimulatedSite, tmp_path: Path) -> None:
    async with running_proxy(site, tmp_path, max_upstream=1) as proxy:
        first = await waiting_turn(proxy, site)
        async with asyncio.timeout(5):
            while await open_streams(proxy):
                await asyncio.sleep(0.01)
        start = monotonic()

        assert (await proxy.chat("second")).status == 200
        assert monotonic() - start < 5
        assert (await first).status == 200
        assert await open_streams(proxy) == 0


async def test_a_client_that_leaves_while_it_waits_gives_back_nothing_twice(
    site: SimulatedSite, tmp_path: Path
) -> None:
    async with running_proxy(site, tmp_path, max_upstream=1) as proxy:
        first = await waiting_turn(proxy, site)
        async with asyncio.timeout(5):
            while await open_streams(proxy):
                await asyncio.sleep(0.01)
        first.cancel()
        await asyncio.wait({first})
        site.behaviour.first_delta_delay = 0.3
        answers = [asyncio.create_task(proxy.chat(f"turn {number}")) for number in range(3)]
        most = 0
        while not all(answer.done() for answer in answers):
            most = max(most, site.open_streams)
            await asyncio.sleep(0.01)

    assert [answer.result().status for answer in answers] == [200] * 3
    assert most == 1
