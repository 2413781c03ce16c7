"""Failures that are repaired during a turn, and the errors if they cannot be."""

import asyncio
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

import proxy.upstreams.site.credentials
from shared.models import Credentials
from tests.proxy.running import RunningProxy, capture, running_proxy
from tests.proxy.upstreams.aipkit.test_renewal import STEP_1, STEP_2, count
from tests.site import SimulatedSite


@pytest.fixture
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the waits for visits that do not come."""
    monkeypatch.setattr(proxy.upstreams.site.credentials, "FIRST_CAPTURE_SECONDS", 0.2)
    monkeypatch.setattr(proxy.upstreams.site.credentials, "RENEWAL_SECONDS", 0.2)


@pytest.mark.parametrize("language", ["en", "de"])
async def test_a_lost_message_is_sent_again(proxy: RunningProxy, site: SimulatedSite, language: str) -> None:
    site.behaviour.language = language
    site.behaviour.cache_key_seconds = 0.0
    site.behaviour.ajax_delay = 0.1
    turn = asyncio.create_task(proxy.chat("hi"))
    while count(site, STEP_1) < 2 and not turn.done():
        await asyncio.sleep(0.005)
    site.behaviour.cache_key_seconds = 60.0

    assert (await turn).status == 200
    assert count(site, STEP_1) == 2
    assert len(site.model_calls) == 1


async def test_a_visit_is_asked_for_and_awaited_without_a_slot_when_the_nonce_does_not_help(
    site: SimulatedSite, tmp_path: Path
) -> None:
    async with running_proxy(site, tmp_path, max_upstream=1) as proxy:
        site.behaviour.nonce_action = False
        site.rotate_nonce()
        turns = [asyncio.create_task(proxy.chat("hi")) for _ in range(2)]
        async with asyncio.timeout(5):
            while (ask := await proxy.store.pending_ask(site.origin)) is None or ask.count < len(turns):
                await asyncio.sleep(0.02)
        await proxy.store.save_capture(await capture(site), base=1)

        assert [(await turn).status for turn in turns] == [200, 200]


async def test_a_visit_is_asked_for_where_another_site_answers_at_once(site: SimulatedSite, tmp_path: Path) -> None:
    async with SimulatedSite() as second, running_proxy(site, tmp_path, more_sites=[second]) as proxy:
        site.behaviour.nonce_action = False
        site.rotate_nonce()

        assert (await proxy.chat("hi")).status == 200
        assert len(second.model_calls) == 1
        assert await proxy.store.pending_ask(site.origin) is not None


async def test_503_with_retry_after_when_no_visit_helps(
    proxy: RunningProxy, site: SimulatedSite, short_waits: None
) -> None:
    site.behaviour.nonce_action = False
    site.rotate_nonce()

    answer = await proxy.chat("hi")

    assert (answer.status, answer.code) == (503, "no_credentials")
    assert int(answer.headers["retry-after"]) > 0
    assert (await proxy.store.pending_ask(site.origin)) is not None


async def test_a_site_that_let_another_turn_pass_meanwhile_is_ready(
    proxy: RunningProxy, site: SimulatedSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proxy.upstreams.site.credentials.RENEWAL_SECONDS", 0.5)
    site.behaviour.challenge_ajax = True
    waiting = asyncio.create_task(proxy.chat("hi"))
    async with asyncio.timeout(5):
        while await proxy.store.pending_ask(site.origin) is None:
            await asyncio.sleep(0.01)
    site.behaviour.challenge_ajax = False

    assert (await proxy.chat("hi")).status == 200
    assert (await waiting).status == 503
    async with proxy.http.get(f"{proxy.url}/readyz") as response:
        assert response.status == 200


async def test_a_block_page_is_reported_as_one(proxy: RunningProxy, site: SimulatedSite, short_waits: None) -> None:
    site.behaviour.ajax_status = 403

    answer = await proxy.chat("hi")

    assert (answer.status, answer.code) == (503, "no_credentials")
    assert "HTTP status 403 with text/html" in answer.body["error"]["message"]


async def test_without_any_credentials_503_and_a_visit_is_asked_for(
    site: SimulatedSite, tmp_path: Path, short_waits: None
) -> None:
    async with running_proxy(site, tmp_path, captured=False) as proxy:
        answer = await proxy.chat("hi", model="gpt-4o-mini")
        async with proxy.http.get(f"{proxy.url}/readyz") as response:
            ready = await response.json()

        assert (answer.status, answer.code) == (503, "no_credentials")
        assert "retry-after" in {name.lower() for name in answer.headers}
        assert (await proxy.store.pending_ask(site.origin)) is not None
        assert (response.status, ready["status"]) == (503, "unavailable")


async def test_the_first_request_waits_for_the_first_capture(site: SimulatedSite, tmp_path: Path) -> None:
    async with running_proxy(site, tmp_path, captured=False) as proxy:
        turn = asyncio.create_task(proxy.chat("hi"))
        async with asyncio.timeout(5):
            while await proxy.store.pending_ask(site.origin) is None:
                await asyncio.sleep(0.01)
        await proxy.store.save_capture(await capture(site), base=0)

        assert (await turn).status == 200


async def test_new_credentials_are_used_within_a_second(proxy: RunningProxy, site: SimulatedSite) -> None:
    taken = await capture(site, cookie="visit=2")
    await proxy.chat("before")
    start = monotonic()
    await proxy.takes(taken, base=1)
    assert monotonic() - start < 1

    await proxy.chat("after")

    assert site.requests[-1].headers["Cookie"] == "visit=2"


@pytest.mark.parametrize("kind", ["challenge", "aws_waf", "anubis", "vercel", "imunify", "cookie"])
async def test_a_challenge_before_admin_ajax_is_named(
    proxy: RunningProxy, site: SimulatedSite, short_waits: None, kind: str
) -> None:
    site.behaviour.update({"challenge_ajax": True, "challenge_kind": kind})

    answer = await proxy.chat("hi")

    assert (answer.status, answer.code) == (503, "challenge")
    ask = await proxy.store.pending_ask(site.origin)
    assert ask is not None
    assert "check page" in ask.reason


@pytest.mark.parametrize("has_worked", [False, True])
@pytest.mark.parametrize("kind", ["challenge", "aws_waf", "anubis", "vercel", "imunify", "cookie"])
async def test_a_challenge_before_the_answer_alone_is_not_about_the_message(
    proxy: RunningProxy, site: SimulatedSite, short_waits: None, kind: str, has_worked: bool
) -> None:
    if has_worked:
        assert (await proxy.chat("hi")).status == 200
    site.behaviour.update({"challenge_ajax": True, "challenge_kind": kind, "front_action": STEP_2})

    answer = await proxy.chat("hi")

    assert (answer.status, answer.code) == (503, "challenge")
    assert await proxy.store.pending_ask(site.origin) is not None


async def test_credentials_that_answered_are_remembered_as_good_once(
    proxy: RunningProxy, site: SimulatedSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted, mark_good = [], proxy.store.mark_good

    async def note(origin: str, generation: int) -> None:
        noted.append(generation)
        await mark_good(origin, generation)

    monkeypatch.setattr(proxy.store, "mark_good", note)
    for _ in range(3):
        await proxy.chat("hi")

    async with asyncio.timeout(5):
        while not (state := await proxy.store.site_state(site.origin)) or state.last_good is None:
            await asyncio.sleep(0.01)
    assert state.last_good == state.current
    assert noted == [1]


@pytest.mark.parametrize("status", [502, 503, 500])
async def test_a_broken_site_is_502(proxy: RunningProxy, site: SimulatedSite, status: int) -> None:
    site.behaviour.ajax_status = status

    assert (await proxy.chat("hi")).status == 502


async def test_a_site_that_limits_the_rate_is_429(proxy: RunningProxy, site: SimulatedSite) -> None:
    site.behaviour.ajax_status = 429

    answer = await proxy.chat("hi")

    assert (answer.status, answer.code) == (429, "rate_limit_exceeded")


async def test_a_site_that_is_gone_is_502(
    proxy: RunningProxy, site: SimulatedSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proxy.chat.upstream.restart_pause", lambda tries: 0.0)
    state = await proxy.store.site_state(site.origin)
    assert state is not None
    gone = replace(state.current, ajax_url="http://127.0.0.1:9/wp-admin/admin-ajax.php")
    taken = replace(await capture(site), credentials=gone)
    await proxy.takes(taken, base=state.current.generation)

    answer = await proxy.chat("hi")

    assert (answer.status, answer.code) == (502, "upstream_unreachable")


async def test_no_secret_reaches_clients_or_logs(
    proxy: RunningProxy, site: SimulatedSite, caplog: Any, short_waits: None
) -> None:
    caplog.set_level("DEBUG")
    state = await proxy.store.site_state(site.origin)
    assert state is not None
    current: Credentials = state.current
    site.behaviour.nonce_action = False
    site.rotate_nonce()

    refused = await proxy.chat("hi")
    site.behaviour.ajax_status = 500
    failed = await proxy.chat("hi")

    shown = f"{refused.body}{failed.body}{refused.headers}{caplog.text}"
    assert current.nonce not in shown
    assert current.session_id not in shown


async def test_a_misconfigured_bot_does_not_affect_others(proxy: RunningProxy, site: SimulatedSite) -> None:
    for _ in range(8):
        broken = await proxy.chat("hi", model="keyless-bot")
        assert (broken.status, broken.code) == (502, "upstream_error")
        assert broken.headers["x-should-retry"] == "false"

    assert (await proxy.chat("hi")).status == 200


async def test_an_unknown_refusal_is_reported_if_no_nonce_can_be_fetched(
    proxy: RunningProxy, site: SimulatedSite
) -> None:
    site.behaviour.nonce_action = False
    site.behaviour.stream_error = "This is refused in words nobody knows."

    answer = await proxy.chat("hi")

    assert (answer.status, answer.code) == (400, "upstream_refused")
    assert "words nobody knows" in answer.body["error"]["message"]
    assert await proxy.store.pending_ask(site.origin) is None


async def test_an_unknown_refusal_of_a_bot_that_the_page_does_not_show_is_that_it_is_gone(
    site: SimulatedSite, tmp_path: Path
) -> None:
    site.behaviour.stream_error = "This is refused in words nobody knows."
    found = await capture(site)
    async with running_proxy(site, tmp_path, models={"gone": found.bots[-1].id}) as proxy:
        await proxy.takes(replace(found, bots=found.bots[:-1]), base=1)
        gone, shown = await proxy.chat("hi", model="gone"), await proxy.chat("hi")

    assert (gone.status, gone.code) == (404, "model_not_found")
    assert (shown.status, shown.code) == (400, "upstream_refused")
