"""Which requests are retried and how often; the site never gets a message twice."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

import proxy.upstreams.site.credentials
from proxy.api.app_keys import UPSTREAMS
from tests.proxy.running import RunningProxy, running_proxy, wait_until_idle
from tests.site import SimulatedSite

STEP_1, STEP_2 = "aipkit_cache_sse_message", "aipkit_frontend_chat_stream"
NONCE = "aipkit_get_frontend_chat_nonce"
MODELS = ("gpt-4o-mini-helper", "gpt-5-nano")
MOST_TRIES = 3  # the first and at most two more
# Faults of every stage; the site stays so until the turn has ended.
FAULTS: dict[str, dict[str, Any]] = {
    "step 1 breaks": {"ajax_status": 500, "ajax_status_action": STEP_1},
    "step 1 is limited": {"ajax_status": 429, "ajax_status_action": STEP_1},
    "step 1 breaks once": {"ajax_status": 502, "ajax_status_action": STEP_1, "ajax_status_times": 1},
    "a check page": {"challenge_ajax": True},
    "no nonce": {"nonce_action": False},
    "the message is lost": {"cache_key_seconds": 0.0},
    "the message is lost, told in another language": {"cache_key_seconds": 0.0, "language": "de"},
    "a refusal before the message is logged": {"stream_error": "Heute geschlossen."},
    "a refused nonce in another language": {"language": "de"},
    "banned": {"banned_ips": ["127.0.0.1"]},
    "step 2 breaks": {"ajax_status": 502, "ajax_status_action": STEP_2},
    "step 2 is limited": {"ajax_status": 429, "ajax_status_action": STEP_2},
    "step 2 breaks once": {"ajax_status": 503, "ajax_status_action": STEP_2, "ajax_status_times": 1},
    "a server in front gives up": {"gateway_status": 504},
    "nothing comes": {"first_delta_delay": 30.0},
    "cut before the first text": {"cut_connection_after": 0},
    "cut after some text": {"cut_connection_after": 2},
    "silent after some text": {"delta_delay": 30.0},
    "no end mark": {"drop_done": True},
    "the site's own limit": {"upstream_timeout": 0.2, "delta_delay": 0.15},
}
ROTATED = ("no nonce", "a refused nonce in another language")
MODES = ("err429", "err500", "empty", "reset", "error_event", "late_error", "cut", "failed")


@pytest.fixture
async def fast_proxy(
    site: SimulatedSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[RunningProxy]:
    """A proxy with short timeouts."""
    monkeypatch.setattr(proxy.upstreams.site.credentials, "RENEWAL_SECONDS", 0.1)
    async with running_proxy(site, tmp_path, idle_timeout=0.4) as running:
        yield running


def tries(site: SimulatedSite) -> int:
    """How often a message was given to the site."""
    return sum(request.action == STEP_1 for request in site.requests)


def times_logged(site: SimulatedSite, mark: str) -> list[int]:
    """How often *mark* is in each of the site's conversations that have it."""
    counts = [sum(mark in row.content for row in rows if row.role == "user") for rows in site.logs.values()]
    return [count for count in counts if count]


async def ended(running: RunningProxy, text: str, **fields: Any) -> bool:
    """Stream a turn; return whether it completed. Any error must have OpenAI's shape."""
    body = {"messages": [{"role": "user", "content": text}], "stream": True, **fields}
    async with running.http.post(f"{running.url}/v1/chat/completions", json=body) as response:
        raw = await response.text()
    if raw.endswith("data: [DONE]\n\n"):
        return True
    last = raw.rstrip().rpartition("data: ")[2] if response.status == 200 else raw
    assert set(json.loads(last)["error"]) == {"message", "type", "param", "code"}, raw
    return False


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_at_any_stage_doubles_no_message(
    fast_proxy: RunningProxy, site: SimulatedSite, fault: str, model: str
) -> None:
    async with fast_proxy.http.post(f"{fast_proxy.url}/v1/conversations") as response:
        conversation = (await response.json())["id"]
    turn: dict[str, Any] = {"model": model, "conversation_id": conversation}
    assert await ended(fast_proxy, "mark-one [[say:one]]", **turn)
    well = {switch: getattr(site.behaviour, switch) for switch in FAULTS[fault]}
    site.behaviour.update(FAULTS[fault])
    if fault in ROTATED:
        site.rotate_nonce()
    site.requests.clear()

    is_whole = await ended(fast_proxy, "mark-two [[say:two, and some more of it]]", **turn)
    tried = tries(site)
    logged = times_logged(site, "mark-two")
    site.behaviour.update(well)
    await wait_until_idle(fast_proxy)
    while not is_whole:  # what a client does
        is_whole = await ended(fast_proxy, "mark-two [[say:two, and some more of it]]", **turn)
    assert await ended(fast_proxy, "mark-three", **turn)

    assert 1 <= tried <= MOST_TRIES
    assert logged in ([], [1])
    known = str(site.model_calls[-1].context)
    assert {mark: known.count(mark) for mark in ("mark-one", "mark-two", "mark-three")} == {
        "mark-one": 1,
        "mark-two": 1,
        "mark-three": 1,
    }


@pytest.mark.parametrize("mode", MODES)
async def test_what_the_model_has_seen_is_not_sent_again(
    fast_proxy: RunningProxy, site: SimulatedSite, mode: str
) -> None:
    assert not await ended(fast_proxy, f"[[mode:{mode}]] mark-one", model=MODELS[0])

    assert tries(site) == 1
    assert len(site.model_calls) == 1


async def test_after_the_first_text_nothing_is_tried_again(fast_proxy: RunningProxy, site: SimulatedSite) -> None:
    site.behaviour.cut_connection_after = 1

    assert not await ended(fast_proxy, "mark-one", model=MODELS[0])

    assert tries(site) == 1


async def test_after_text_a_refusal_is_reported_and_nothing_is_tried_again(
    fast_proxy: RunningProxy, site: SimulatedSite
) -> None:
    """Also one that is mended as a rule, without the sign that the plugin has begun."""
    site.behaviour.stray_delta = "stray text"
    site.behaviour.cache_key_seconds = 0.0
    body = {"model": MODELS[0], "messages": [{"role": "user", "content": "hi"}], "stream": True}
    async with fast_proxy.http.post(f"{fast_proxy.url}/v1/chat/completions", json=body) as response:
        raw = await response.text()

    assert raw.count("stray text") == 1
    assert "The site lost the message" in raw
    assert not raw.endswith("data: [DONE]\n\n")
    assert tries(site) == 1


async def test_a_sites_restart_is_bridged(proxy: RunningProxy, site: SimulatedSite) -> None:
    await proxy.chat("hi")
    await site.close()
    turn = asyncio.create_task(proxy.chat("hi"))
    async with asyncio.timeout(5):
        while not proxy.app[UPSTREAMS][0].health().open_streams:
            await asyncio.sleep(0)
        while proxy.app[UPSTREAMS][0].health().open_streams:  # it waits for another try without a slot
            await asyncio.sleep(0)
    async with site:
        assert (await turn).status == 200


async def test_a_restart_is_bridged_while_a_nonce_is_renewed(proxy: RunningProxy, site: SimulatedSite) -> None:
    site.rotate_nonce()
    site.behaviour.ajax_delay = 0.2
    turn = asyncio.create_task(proxy.chat("hi"))
    async with asyncio.timeout(5):
        for action in (STEP_1, NONCE):
            while not any(request.action == action for request in site.requests):
                await asyncio.sleep(0.01)
            site.behaviour.ajax_delay = 60.0  # what is asked next has no answer when the site goes
    await site.close()
    site.behaviour.ajax_delay = 0.0
    await asyncio.sleep(0.5)
    assert not turn.done()
    async with site:
        assert (await turn).status == 200
    assert await proxy.store.pending_ask(site.origin) is None, "no visit is needed for that"


async def test_a_site_that_stays_away_is_given_up_after_a_few_seconds(proxy: RunningProxy, site: SimulatedSite) -> None:
    await site.close()
    start = asyncio.get_running_loop().time()

    answer = await proxy.chat("hi")

    assert (answer.status, answer.code) == (502, "upstream_unreachable")
    assert 2.0 < asyncio.get_running_loop().time() - start < 6.0


async def test_where_another_site_can_answer_nobody_waits_for_one_that_is_away(
    site: SimulatedSite, tmp_path: Path
) -> None:
    async with SimulatedSite() as other, running_proxy(site, tmp_path, more_sites=[other]) as both:
        await site.close()
        start = asyncio.get_running_loop().time()

        assert (await both.chat("hi")).status == 200
        assert asyncio.get_running_loop().time() - start < 0.6


async def test_a_nonce_that_never_lasts_is_tried_three_times_in_all(
    fast_proxy: RunningProxy, site: SimulatedSite
) -> None:
    site.behaviour.nonce_life = 0.00001  # each one is old when it comes back

    assert not await ended(fast_proxy, "mark-one", model=MODELS[0])

    assert tries(site) == MOST_TRIES
    assert not site.model_calls


async def test_a_silent_upstream_is_cut_after_the_idle_time(fast_proxy: RunningProxy, site: SimulatedSite) -> None:
    site.behaviour.first_delta_delay = 30.0
    start = asyncio.get_running_loop().time()

    answer = await fast_proxy.chat("hi")

    assert (answer.status, answer.code) == (504, "upstream_timeout")
    assert "0.4 s" in answer.body["error"]["message"]
    assert 0.4 <= asyncio.get_running_loop().time() - start < 3


async def test_the_sites_own_limit_is_named_as_such(fast_proxy: RunningProxy, site: SimulatedSite) -> None:
    site.behaviour.upstream_timeout = 0.2
    site.behaviour.delta_delay = 0.15

    answer = await fast_proxy.chat("hi")

    assert (answer.status, answer.code) == (504, "upstream_timeout")
    assert "its own time limit" in answer.body["error"]["message"]
