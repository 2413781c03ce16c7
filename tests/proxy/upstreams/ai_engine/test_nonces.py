"""Nonces of the AI Engine site: expired ones are renewed once, and new ones are used."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import proxy.upstreams.site.credentials
from proxy.api.app_keys import UPSTREAMS
from shared.store import StoreUnavailable
from tests.proxy.running import NOW, RunningProxy
from tests.proxy.upstreams.ai_engine.engine import capture_engine, running_engine_proxy
from tests.site_ai_engine import SimulatedAiEngine

START, SUBMIT = "start_session", "chats/submit"
MODEL = "gpt-4o-mini"


async def nonce_of(engine_proxy: RunningProxy, engine: SimulatedAiEngine) -> str:
    state = await engine_proxy.store.site_state(engine.origin)
    assert state is not None
    return state.current.nonce


async def test_a_dead_nonce_is_renewed_without_it_and_the_client_notices_nothing(
    engine_proxy: RunningProxy, engine: SimulatedAiEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proxy.chat.upstream.restart_pause", lambda attempts: 1000.0)
    engine.rotate_nonce()

    async with asyncio.timeout(10):
        assert (await engine_proxy.chat("hi", model=MODEL)).status == 200
    renewal = engine.requests_to(START)[-1]
    assert "X-WP-Nonce" not in renewal.headers
    assert "mwai_session_id=" in renewal.headers["Cookie"]
    assert await nonce_of(engine_proxy, engine) == engine.nonce
    assert (len(engine.requests_to(START)), len(engine.requests_to(SUBMIT)), len(engine.model_calls)) == (2, 2, 1)


async def test_many_turns_with_a_dead_nonce_share_one_renewal(
    engine_proxy: RunningProxy, engine: SimulatedAiEngine
) -> None:
    engine.rotate_nonce()
    answers = await asyncio.gather(*(engine_proxy.chat(f"hi {number}", model=MODEL) for number in range(8)))

    assert {answer.status for answer in answers} == {200}
    assert len(engine.requests_to(START)) == 2


async def test_a_site_that_refuses_fresh_nonces_too_is_asked_once_more_and_then_visited(
    engine_proxy: RunningProxy, engine: SimulatedAiEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proxy.upstreams.site.credentials, "RENEWAL_SECONDS", 0.1)
    engine.nonces.accepts = lambda nonce, token: False  # type: ignore[method-assign]
    engine.rotate_nonce()
    answer = await engine_proxy.chat("hi", model=MODEL)

    assert (answer.status, answer.code) == (503, "no_credentials")
    assert len(engine.requests_to(SUBMIT)) == 2
    assert await engine_proxy.store.pending_ask(engine.origin) is not None


async def test_a_nonce_that_never_lasts_is_tried_three_times_in_all(
    engine_proxy: RunningProxy, engine: SimulatedAiEngine
) -> None:
    engine.behaviour.nonce_life = 0.00001  # each one is old when it comes back

    answer = await engine_proxy.chat("hi", model=MODEL)

    assert (answer.status, answer.code) == (503, "credentials_refused")
    assert len(engine.requests_to(SUBMIT)) == 3


@pytest.mark.parametrize("streams", [True, False])
async def test_the_token_of_an_answer_is_used_from_the_next_turn_on(
    engine: SimulatedAiEngine, tmp_path: Path, streams: bool
) -> None:
    engine.behaviour.streams = streams
    async with running_engine_proxy(engine, data_dir=tmp_path) as running:
        old = engine.nonce
        engine.rotate_nonce(keep_previous=True)
        for text in ("one", "two"):
            assert (await running.chat(text, model=MODEL)).status == 200
        kept = await nonce_of(running, engine)

    sent = [seen.headers["X-WP-Nonce"] for seen in engine.requests_to(SUBMIT)]
    assert sent[0] == old
    assert kept == engine.nonce
    assert len(engine.requests_to(START)) == 1


@pytest.mark.parametrize("streams", [True, False])
async def test_the_nonce_of_now_comes_with_a_refusal_as_well(
    engine: SimulatedAiEngine, tmp_path: Path, streams: bool
) -> None:
    engine.behaviour.streams = streams
    async with running_engine_proxy(engine, data_dir=tmp_path) as running:
        engine.rotate_nonce(keep_previous=True)
        engine.behaviour.limit_text = "You have reached the limit."
        async with asyncio.timeout(10):
            while await nonce_of(running, engine) != engine.nonce:
                assert (await running.chat("hi", model=MODEL)).status == 429

    assert len(engine.requests_to(START)) == 1


async def test_an_old_plugin_hands_out_no_nonce_and_a_visit_is_asked_for(
    engine: SimulatedAiEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proxy.upstreams.site.credentials, "RENEWAL_SECONDS", 0.1)
    engine.behaviour.version = "2.4.1"
    async with running_engine_proxy(engine, data_dir=tmp_path) as running:
        assert "[gpt-4o]" in (await running.chat("hi", model=MODEL)).text
        engine.rotate_nonce()
        answer = await running.chat("hi", model=MODEL)
        ask = await running.store.pending_ask(engine.origin)

    assert (answer.status, answer.code) == (503, "no_credentials")
    assert ask is not None


@pytest.mark.parametrize(
    "switches",
    [{"challenge_rest": True}, {"rest_leads_to": "https://new.example/wp-json"}, {"rest_status": 404}],
)
async def test_a_visit_that_brings_other_credentials_helps_the_turn_that_waits(
    engine_proxy: RunningProxy, engine: SimulatedAiEngine, switches: dict[str, Any]
) -> None:
    state = await engine_proxy.store.site_state(engine.origin)
    assert state is not None
    well, engine.behaviour = engine.behaviour, replace(engine.behaviour, **switches)
    waiting = asyncio.create_task(engine_proxy.chat("hi", model=MODEL))
    async with asyncio.timeout(10):
        while await engine_proxy.store.pending_ask(engine.origin) is None:
            await asyncio.sleep(0.01)
    engine.behaviour = well
    await engine_proxy.takes(await capture_engine(engine), base=state.current.generation)

    assert (await waiting).status == 200


async def test_a_bot_that_the_visit_found_gone_does_not_answer_the_turn_that_waited(
    engine_proxy: RunningProxy, engine: SimulatedAiEngine
) -> None:
    state = await engine_proxy.store.site_state(engine.origin)
    assert state is not None
    engine.behaviour.challenge_rest = True
    waiting = asyncio.create_task(engine_proxy.chat("hi", model=f"{MODEL}@{engine.origin.removeprefix('http://')}"))
    async with asyncio.timeout(10):
        while await engine_proxy.store.pending_ask(engine.origin) is None:
            await asyncio.sleep(0.01)
    engine.behaviour.challenge_rest = False
    engine.shown = [engine.bots["default"]]
    await engine_proxy.takes(await capture_engine(engine), base=state.current.generation)
    answer = await waiting

    assert (answer.status, answer.code) == (404, "model_not_found")
    assert not engine.model_calls


async def test_a_bot_that_a_visit_found_gone_does_not_answer_the_turn_that_queued(
    engine: SimulatedAiEngine, tmp_path: Path
) -> None:
    async with running_engine_proxy(engine, data_dir=tmp_path, max_upstream=1) as running:
        engine.behaviour.delta_delay = 0.05
        first = asyncio.create_task(running.chat("first", model=MODEL))
        second = asyncio.create_task(running.chat("second", model=MODEL))
        upstream = running.app[UPSTREAMS][0]
        async with asyncio.timeout(10):
            while not upstream.health().queued:
                await asyncio.sleep(0.01)
        engine.shown = [engine.bots["default"]]
        await running.takes(await capture_engine(engine), base=1)

        assert sorted([(await first).status, (await second).status]) == [200, 404]
    assert len(engine.model_calls) == 1


async def test_a_nonce_that_the_store_could_not_take_is_kept_once_it_is_back(
    engine_proxy: RunningProxy, engine: SimulatedAiEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def used(nonce: str) -> None:
        async with asyncio.timeout(10):
            while (held := engine_proxy.app[UPSTREAMS][0].health().credentials) is None or held.nonce != nonce:
                await asyncio.sleep(0.01)

    async def away(*_: object, **__: object) -> None:
        raise StoreUnavailable("away")

    old = engine.nonce
    engine.rotate_nonce(keep_previous=True)
    with monkeypatch.context() as patch:
        patch.setattr(engine_proxy.store, "save_nonce", away)
        await engine_proxy.chat("one", model=MODEL)
        await used(engine.nonce)
    await engine_proxy.store.ask_visit(engine.origin, "anything that changes the store", at=NOW)
    await used(old)
    await engine_proxy.chat("two", model=MODEL)
    await used(engine.nonce)

    assert await nonce_of(engine_proxy, engine) == engine.nonce
