"""A site that recovers after repeated failures: ordinary requests detect it without delay."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

import proxy.upstreams.aipkit.site
from proxy.api.app_keys import UPSTREAMS
from proxy.upstreams import breaker
from tests.proxy.running import RunningProxy, capture, running_proxy
from tests.proxy.wire import connected
from tests.site import SimulatedSite

MODEL = "gpt-4o-mini-helper"
TROUBLES: dict[str, dict[str, Any]] = {
    "fails": {"ajax_status": 500},
    "checks": {"challenge_ajax": True},
    "lets nothing pass": {"ajax_status": 403},
}


@pytest.fixture
async def second() -> AsyncIterator[SimulatedSite]:
    async with SimulatedSite() as site:
        yield site


@pytest.fixture
async def two_sites(site: SimulatedSite, second: SimulatedSite, tmp_path: Path) -> AsyncIterator[RunningProxy]:
    """A proxy with *site* before *second*."""
    async with running_proxy(site, tmp_path, more_sites=[second]) as proxy:
        yield proxy


@pytest.fixture
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breaker, "FIRST_PAUSE", 0.2)


@pytest.fixture
def long_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breaker, "FIRST_PAUSE", 600.0)


async def health(proxy: RunningProxy, number: int = 0) -> tuple[int, dict[str, Any]]:
    """The status of `/readyz`, and what it tells of the site of that *number*."""
    async with proxy.http.get(f"{proxy.url}/readyz") as response:
        return response.status, (await response.json())["sites"][number]


async def until(proxy: RunningProxy, state: str) -> None:
    """Wait until the first site's breaker is so."""
    async with asyncio.timeout(5):
        while (await health(proxy))[1]["breaker"] != state:
            await asyncio.sleep(0.01)


async def break_down(proxy: RunningProxy, site: SimulatedSite, fault: str) -> None:
    """Let *site* fail until its breaker is open, then recover."""
    well = {switch: getattr(site.behaviour, switch) for switch in TROUBLES[fault]}
    site.behaviour.update(TROUBLES[fault])
    for _ in range(breaker.FAILURES_TO_OPEN):
        await proxy.chat("hi")
    await until(proxy, "open")
    site.behaviour.update(well)
    site.requests.clear()


@pytest.mark.parametrize("fault", TROUBLES)
@pytest.mark.usefixtures("short_pauses")
async def test_the_preferred_site_is_used_again_once_it_recovers(
    two_sites: RunningProxy, site: SimulatedSite, second: SimulatedSite, fault: str
) -> None:
    await break_down(two_sites, site, fault)
    elsewhere = len(second.model_calls)
    assert elsewhere == breaker.FAILURES_TO_OPEN
    await until(two_sites, "half_open")

    for _ in range(3):
        assert (await two_sites.chat("hi")).status == 200

    assert (len(site.model_calls), len(second.model_calls)) == (3, elsewhere)
    assert (await health(two_sites))[1]["breaker"] == "closed"


@pytest.mark.usefixtures("short_pauses")
async def test_a_trial_that_fails_is_answered_by_the_next_site(
    two_sites: RunningProxy, site: SimulatedSite, second: SimulatedSite
) -> None:
    await break_down(two_sites, site, "fails")
    site.behaviour.ajax_status = 500
    await until(two_sites, "half_open")

    answers = await asyncio.gather(*(two_sites.chat("hi") for _ in range(8)))

    assert [answer.status for answer in answers] == [200] * 8
    assert len(site.requests) == 1, "one request is the trial, the others do not wait for it"
    assert (await health(two_sites))[1]["breaker"] == "open"


@pytest.mark.usefixtures("short_pauses")
async def test_a_trial_of_a_site_that_hangs_does_not_keep_its_client_waiting(
    two_sites: RunningProxy, site: SimulatedSite, second: SimulatedSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proxy.upstreams.aipkit.site, "TRIAL_SECONDS", 0.3)
    await break_down(two_sites, site, "fails")
    site.behaviour.ajax_delay = 60.0
    await until(two_sites, "half_open")
    start = monotonic()

    assert (await two_sites.chat("hi")).status == 200

    assert len(site.requests) == 1
    assert monotonic() - start < 5
    assert (await health(two_sites))[1]["breaker"] == "open"


@pytest.mark.parametrize("sign", ["capture", "renewal"])
@pytest.mark.parametrize("fault", TROUBLES)
@pytest.mark.usefixtures("long_pauses")
async def test_credentials_that_are_newer_are_a_sign_of_life(
    two_sites: RunningProxy, site: SimulatedSite, second: SimulatedSite, fault: str, sign: str
) -> None:
    await break_down(two_sites, site, fault)
    state = await two_sites.store.site_state(site.origin)
    assert state is not None
    base = state.current.generation
    if sign == "capture":
        await two_sites.store.save_capture(await capture(site), base=base)
    else:
        site.rotate_nonce()
        await two_sites.store.save_nonce(site.origin, site.nonce, checked_at=state.current.nonce_checked_at, base=base)
    await until(two_sites, "half_open")

    assert (await two_sites.chat("hi")).status == 200

    assert len(site.model_calls) == 1
    assert (await health(two_sites))[1]["breaker"] == "closed"


@pytest.mark.parametrize("cut", [{"stop": ["word5"]}, {"max_tokens": 5}])
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.usefixtures("short_pauses")
async def test_a_truncated_answer_closes_the_breaker(
    proxy: RunningProxy, site: SimulatedSite, cut: dict[str, Any], stream: bool
) -> None:
    await break_down(proxy, site, "fails")
    await until(proxy, "half_open")

    body = {"model": MODEL, "messages": [{"role": "user", "content": "[[tokens:500]]"}], "stream": stream, **cut}
    async with proxy.http.post(f"{proxy.url}/v1/chat/completions", json=body) as response:
        assert response.status == 200
        await response.read()

    assert (await health(proxy))[1]["breaker"] == "closed"


@pytest.mark.usefixtures("short_pauses")
async def test_an_answer_in_progress_closes_the_breaker_too(proxy: RunningProxy, site: SimulatedSite) -> None:
    """Else all others would be refused for as long as the trial's answer lasts."""
    await break_down(proxy, site, "fails")
    await until(proxy, "half_open")
    body = {"model": MODEL, "stream": True, "messages": [{"role": "user", "content": "[[tokens:500]] [[delay:0.1]]"}]}
    async with connected(proxy.url, "POST", "/v1/chat/completions", body) as connection:
        await connection.reader.readuntil(b"word1 ")

        assert (await proxy.chat("hi")).status == 200
        assert site.open_streams == 1


async def test_a_cut_answer_shows_that_refused_credentials_are_good(
    proxy: RunningProxy, site: SimulatedSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proxy.upstreams.site.credentials.RENEWAL_SECONDS", 0.1)
    site.behaviour.challenge_ajax = True
    assert (await proxy.chat("hi")).code == "challenge"
    assert (await health(proxy))[0] == 503
    site.behaviour.challenge_ajax = False

    assert (await proxy.chat("[[tokens:500]]", max_tokens=5)).status == 200

    assert (await health(proxy))[0] == 200


@pytest.mark.usefixtures("long_pauses")
async def test_a_site_with_an_open_breaker_is_reported(proxy: RunningProxy, site: SimulatedSite) -> None:
    await break_down(proxy, site, "fails")

    assert "left alone" in str(proxy.app[UPSTREAMS][0].health().problem)


@pytest.mark.usefixtures("short_pauses")
async def test_a_site_is_not_ready_for_others_while_its_trial_is_under_way(
    proxy: RunningProxy, site: SimulatedSite
) -> None:
    await break_down(proxy, site, "fails")
    await until(proxy, "half_open")
    assert (await health(proxy))[0] == 200
    site.behaviour.first_delta_delay = 1.0
    trial = asyncio.create_task(proxy.chat("hi"))
    async with asyncio.timeout(5):
        while not site.requests:
            await asyncio.sleep(0.01)

    assert (await health(proxy))[0] == 503
    assert (await proxy.chat("hi")).code == "site_unavailable"
    assert (await trial).status == 200
    assert (await health(proxy))[0] == 200


async def test_a_site_whose_credentials_are_refused_is_asked_last(
    proxy: RunningProxy, site: SimulatedSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proxy.upstreams.site.credentials.RENEWAL_SECONDS", 0.1)
    upstream = proxy.app[UPSTREAMS][0]
    bot = upstream.bots().bots[0]
    well = upstream.rank(bot)
    site.behaviour.challenge_ajax = True
    await proxy.chat("hi")

    assert (well, upstream.rank(bot)) == (0, 3)


async def test_what_a_site_offers_is_the_same_object_until_another_visit(
    proxy: RunningProxy, site: SimulatedSite
) -> None:
    upstream = proxy.app[UPSTREAMS][0]
    before, taken = upstream.bots(), await capture(site)
    assert upstream.bots() is before

    later = replace(taken.credentials, captured_at=taken.credentials.captured_at + 60)
    await proxy.takes(replace(taken, credentials=later), base=1)

    assert (upstream.bots().bots, upstream.bots().discovered_at) == (before.bots, later.captured_at)
