"""Several sites that offer the same model: which one answers, and what happens when it does not."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from proxy.api.app_keys import UPSTREAMS
from proxy.chat import upstream
from proxy.upstreams import breaker
from proxy.upstreams.aipkit import site as aipkit_site
from tests.proxy.running import RunningProxy, capture, running_proxy
from tests.site import SimulatedSite

MODEL = "gpt-4o-mini-helper"


@pytest.fixture
async def second() -> AsyncIterator[SimulatedSite]:
    async with SimulatedSite() as site:
        yield site


@pytest.fixture
async def two_sites(site: SimulatedSite, second: SimulatedSite, tmp_path: Path) -> AsyncIterator[RunningProxy]:
    """A proxy with *site* before *second*."""
    async with running_proxy(site, tmp_path, more_sites=[second]) as proxy:
        yield proxy


def host(site: SimulatedSite) -> str:
    return site.origin.removeprefix("http://")


async def test_the_first_site_answers_while_it_is_healthy(
    two_sites: RunningProxy, site: SimulatedSite, second: SimulatedSite
) -> None:
    for _ in range(3):
        assert (await two_sites.chat("hi")).status == 200

    assert len(site.model_calls) == 3
    assert not second.model_calls


async def test_a_pinned_model_is_asked_on_its_site_alone(
    two_sites: RunningProxy, site: SimulatedSite, second: SimulatedSite
) -> None:
    assert (await two_sites.chat("hi", model=f"{MODEL}@{host(second)}")).status == 200
    site.behaviour.ajax_status = 500
    failed = await two_sites.chat("hi", model=f"{MODEL}@{host(site)}")

    assert failed.status == 502
    assert len(second.model_calls) == 1
    assert not site.model_calls


@pytest.mark.parametrize(
    "fault",
    [
        {"ajax_status": 500},
        {"ajax_status": 429},
        {"challenge_ajax": True},
        {"cut_connection_after": 0},
        {"banned_ips": ["127.0.0.1"]},
        {"cache_key_seconds": 0.0},
        {"body_limit": 100},
    ],
)
async def test_a_failure_before_the_first_token_moves_on_with_the_whole_text(
    two_sites: RunningProxy, site: SimulatedSite, second: SimulatedSite, fault: dict[str, object]
) -> None:
    first = await two_sites.chat("my name is Ada")
    site.behaviour.update(fault)

    answer = await two_sites.chat("my name is Ada", {"role": "assistant", "content": first.text}, "[[recall]]")

    assert "my name is Ada" in answer.text
    assert len(second.model_calls) == 1


async def test_a_message_that_is_lost_once_is_sent_again_before_another_site_is_asked(
    two_sites: RunningProxy, site: SimulatedSite, second: SimulatedSite
) -> None:
    site.behaviour.cache_key_seconds = 0.0
    site.behaviour.ajax_delay = 0.1
    turn = asyncio.create_task(two_sites.chat("hi"))
    while all(request.action != "aipkit_frontend_chat_stream" for request in site.requests):
        await asyncio.sleep(0.005)
    site.behaviour.cache_key_seconds = 60.0

    assert (await turn).status == 200
    assert (len(site.model_calls), len(second.model_calls)) == (1, 0)


@pytest.mark.parametrize(
    "text",
    [
        "You have reached your quota for this period.",
        "Invalid chatbot specified.",
        "Access disabled for guests.",
        "API key missing for OpenAI.",
    ],
)
async def test_a_bot_that_refuses_for_long_moves_on_and_its_site_is_asked_last_for_a_while(
    two_sites: RunningProxy, site: SimulatedSite, second: SimulatedSite, text: str
) -> None:
    site.behaviour.stream_error = text

    assert (await two_sites.chat("hi")).status == 200
    site.behaviour.stream_error = ""
    assert (await two_sites.chat("hi")).status == 200

    assert not site.model_calls
    assert len(second.model_calls) == 2


async def test_a_conversation_moves_to_the_next_site_with_its_text(
    two_sites: RunningProxy, site: SimulatedSite, second: SimulatedSite
) -> None:
    conversation = (await two_sites.openai.conversations.create()).id
    await two_sites.chat("my name is Ada", conversation_id=conversation)
    site.behaviour.ajax_status = 502
    moved = await two_sites.chat("[[recall]]", conversation_id=conversation)
    again = await two_sites.chat("and now?", conversation_id=conversation)

    assert "my name is Ada" in moved.text
    assert again.status == 200
    assert second.model_calls[1].conversation_uuid == second.model_calls[0].conversation_uuid


async def test_there_is_no_failover_after_the_first_token(two_sites: RunningProxy, second: SimulatedSite) -> None:
    body = {"model": MODEL, "stream": True, "messages": [{"role": "user", "content": "[[mode:cut]]"}]}
    async with two_sites.http.post(f"{two_sites.url}/v1/chat/completions", json=body) as response:
        text = await response.text()

    assert '"error"' in text
    assert "[DONE]" not in text
    assert not second.model_calls


async def test_a_refusal_of_the_message_does_not_move_on(
    two_sites: RunningProxy, site: SimulatedSite, second: SimulatedSite
) -> None:
    site.behaviour.banned_words = ["naughty"]
    answer = await two_sites.chat("naughty")

    assert (answer.status, answer.code) == (400, "content_filter")
    assert not second.model_calls


async def test_when_all_fail_the_client_is_told_why(
    two_sites: RunningProxy, site: SimulatedSite, second: SimulatedSite
) -> None:
    site.behaviour.ajax_status = second.behaviour.ajax_status = 500

    answer = await two_sites.chat("hi")

    assert (answer.status, answer.code) == (502, "upstream_error")


async def test_no_request_is_tried_more_than_three_times(
    two_sites: RunningProxy, site: SimulatedSite, second: SimulatedSite
) -> None:
    site.behaviour.ajax_status = second.behaviour.ajax_status = 500
    await two_sites.chat("hi")

    stored = [
        request for each in (site, second) for request in each.requests if request.action == "aipkit_cache_sse_message"
    ]
    assert 1 <= len(stored) <= 3


@pytest.mark.parametrize("action", ["", "aipkit_frontend_chat_stream"])
async def test_a_site_that_fails_again_and_again_is_left_alone_and_taken_up_by_itself(
    site: SimulatedSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, action: str
) -> None:
    monkeypatch.setattr(breaker, "FIRST_PAUSE", 0.3)
    async with running_proxy(site, tmp_path, max_upstream=64) as proxy:
        site.behaviour.ajax_status, site.behaviour.ajax_status_action = 500, action
        for _ in range(breaker.FAILURES_TO_OPEN):
            assert (await proxy.chat("hi")).code == "upstream_error"
        count = len(site.requests)
        resting = await proxy.chat("hi")
        assert len(site.requests) == count, "an open breaker must not ask the site"
        site.behaviour.ajax_status = 0
        async with asyncio.timeout(5):
            while (recovered := await proxy.chat("hi")).status == resting.status:
                await asyncio.sleep(0.05)

    assert (resting.status, resting.code) == (503, "site_unavailable")
    assert float(resting.headers["retry-after"]) >= 1
    assert recovered.status == 200


@pytest.mark.parametrize("pauses", [(30.0, 600.0), (600.0, 30.0)], ids=["the first", "the second"])
async def test_where_all_sites_are_left_alone_the_wait_is_that_of_the_one_that_is_asked_soonest(
    two_sites: RunningProxy,
    site: SimulatedSite,
    second: SimulatedSite,
    monkeypatch: pytest.MonkeyPatch,
    pauses: tuple[float, float],
) -> None:
    for each, pause in zip((site, second), pauses, strict=True):
        monkeypatch.setattr(breaker, "FIRST_PAUSE", pause)
        pinned = f"{MODEL}@{host(each)}"
        each.behaviour.ajax_status = 500
        assert (await two_sites.chat("hi", model=pinned)).status == 502
        each.behaviour.ajax_status = 0
        assert (await two_sites.chat("hi", model=pinned)).status == 200, "the pause is the first one again"
        each.behaviour.ajax_status = 500
        for _ in range(breaker.FAILURES_TO_OPEN):
            assert (await two_sites.chat("hi", model=pinned)).status == 502
    soonest = (site, second)[pauses.index(30.0)]

    answer = await two_sites.chat("hi")

    assert (answer.status, answer.code) == (503, "site_unavailable")
    assert 20 <= int(answer.headers["retry-after"]) <= 30
    assert soonest.origin in answer.body["error"]["message"]


async def test_a_failure_that_names_no_wait_is_told_though_an_earlier_one_did(
    two_sites: RunningProxy, site: SimulatedSite, second: SimulatedSite
) -> None:
    site.behaviour.ajax_status = 429
    second.behaviour.ajax_status = 500

    answer = await two_sites.chat("hi")

    assert (answer.status, answer.code) == (502, "upstream_error")
    assert "retry-after" not in answer.headers


async def test_what_a_model_is_told_to_refuse_opens_no_breaker(proxy: RunningProxy, site: SimulatedSite) -> None:
    for _ in range(3 * breaker.FAILURES_TO_OPEN):
        assert (await proxy.chat("[[mode:err429]]")).status == 429

    assert (await proxy.chat("hi")).status == 200


async def test_nothing_is_given_up_for_a_site_that_is_left_alone(
    two_sites: RunningProxy, site: SimulatedSite, second: SimulatedSite
) -> None:
    second.behaviour.ajax_status = 500
    for _ in range(breaker.FAILURES_TO_OPEN):
        assert (await two_sites.chat("hi", model=f"{MODEL}@{host(second)}")).status == 502
    site.behaviour.nonce_action = False
    site.rotate_nonce()
    waiting = asyncio.create_task(two_sites.chat("hi"))
    async with asyncio.timeout(5):
        while await two_sites.store.pending_ask(site.origin) is None:
            await asyncio.sleep(0.01)
    await two_sites.store.save_capture(await capture(site), base=1)

    assert (await waiting).status == 200


async def test_a_site_that_hangs_is_given_up_in_time_for_another(
    two_sites: RunningProxy, site: SimulatedSite, second: SimulatedSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aipkit_site, "MOVE_ON_SECONDS", 0.3)
    site.behaviour.ajax_delay = 90.0

    assert (await two_sites.chat("hi")).status == 200
    assert len(second.model_calls) == 1


async def test_a_site_that_fails_late_is_followed_by_one_that_was_not_asked_yet(
    two_sites: RunningProxy, site: SimulatedSite, second: SimulatedSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the server in front of it gives up after a minute, which is all the time that tries have."""
    monkeypatch.setattr(upstream, "RETRY_SECONDS", 0.2)
    site.behaviour.update({"ajax_delay": 0.3, "ajax_status": 504})

    assert (await two_sites.chat("hi")).status == 200
    assert (site.request_counts["aipkit_cache_sse_message"], len(second.model_calls)) == (1, 1)


async def test_a_turn_goes_to_another_site_where_others_wait_for_the_first(
    site: SimulatedSite, second: SimulatedSite, tmp_path: Path
) -> None:
    async with running_proxy(site, tmp_path, more_sites=[second], max_upstream=1) as proxy:
        first = proxy.app[UPSTREAMS][0]
        site.behaviour.delta_delay = 0.1
        turns = [asyncio.create_task(proxy.chat("hi"))]
        async with asyncio.timeout(10):
            while not first.health().open_streams:
                await asyncio.sleep(0.01)
            turns.append(asyncio.create_task(proxy.chat("hi")))
            while not first.health().queued:
                await asyncio.sleep(0.01)

        assert (await proxy.chat("hi")).status == 200
        assert len(second.model_calls) == 1
        site.behaviour.delta_delay = 0.0
        assert [(await turn).status for turn in turns] == [200, 200]
        assert len(site.model_calls) == 2
