"""Two sites of different kinds with one model name: a turn moves on with its text, both ways."""

import asyncio
import base64
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from proxy.upstreams import breaker
from tests.pictures import PNG
from tests.proxy.running import capture
from tests.proxy.upstreams.ai_engine.engine import capture_engine, running_engine_proxy
from tests.proxy.upstreams.list_upstream import assistant_message
from tests.site import SimulatedSite, SiteBot
from tests.site_ai_engine import EngineBot, SimulatedAiEngine

MODEL = "shared"
TOLD = "[[say:noted]] my name is Ada"


@pytest.fixture
async def aipkit() -> AsyncIterator[SimulatedSite]:
    async with SimulatedSite([SiteBot(5, "Shared")]) as running:
        yield running


@pytest.fixture
async def engine() -> AsyncIterator[SimulatedAiEngine]:
    async with SimulatedAiEngine([EngineBot("default", "Shared: ", max_length=1000)]) as running:
        yield running


def known_texts(messages: Any) -> bool:
    return "my name is Ada" in str(messages) and "who am I?" in str(messages)


async def test_what_the_first_kind_cannot_answer_the_second_does(
    aipkit: SimulatedSite, engine: SimulatedAiEngine, tmp_path: Path
) -> None:
    async with running_engine_proxy(aipkit, engine, data_dir=tmp_path) as proxy:
        first = (await proxy.chat(TOLD, model=MODEL)).text
        aipkit.behaviour.ajax_status = 500
        answer = await proxy.chat(TOLD, assistant_message(first), "who am I?", model=MODEL)

    assert answer.status == 200
    assert (len(aipkit.model_calls), len(engine.model_calls)) == (1, 1)
    assert engine.model_calls[0].messages == [("user", TOLD), ("assistant", "noted"), ("user", "who am I?")]


@pytest.mark.parametrize(
    "fault",
    [
        {"rest_status": 502},
        {"limit_text": "You have reached the limit (x)."},
        {"banned_words": ["ada"]},
        {"rest_closed": True},
        {"gateway_status": 504},
        {"challenge_rest": True},
    ],
)
async def test_what_the_second_kind_cannot_answer_the_first_does(
    aipkit: SimulatedSite, engine: SimulatedAiEngine, tmp_path: Path, fault: dict[str, Any]
) -> None:
    async with running_engine_proxy(engine, aipkit, data_dir=tmp_path) as proxy:
        first = (await proxy.chat(TOLD, model=MODEL)).text
        for name, value in fault.items():
            setattr(engine.behaviour, name, value)
        answer = await proxy.chat(TOLD, assistant_message(first), "who am I? Ada?", model=MODEL)

    assert answer.status == 200
    assert "my name is Ada" in str(aipkit.model_calls[0].messages)
    assert len(engine.model_calls) == 1


async def test_what_is_too_long_for_one_page_goes_to_the_other(
    aipkit: SimulatedSite, engine: SimulatedAiEngine, tmp_path: Path
) -> None:
    async with running_engine_proxy(engine, aipkit, data_dir=tmp_path) as proxy:
        answer = await proxy.chat("x" * 1001, model=MODEL)

    assert answer.status == 200
    assert (len(engine.model_calls), len(aipkit.model_calls)) == (0, 1)


async def test_an_answer_without_text_moves_on_before_anything_was_passed_on(
    aipkit: SimulatedSite, engine: SimulatedAiEngine, tmp_path: Path
) -> None:
    async with running_engine_proxy(engine, aipkit, data_dir=tmp_path) as proxy:
        answer = await proxy.chat("[[say: \n ]]", model=MODEL)

    assert (len(engine.model_calls), len(aipkit.model_calls)) == (1, 1)
    assert answer.text == " \n "


async def test_where_one_kind_of_site_is_down_the_other_answers_at_once(
    aipkit: SimulatedSite, engine: SimulatedAiEngine, tmp_path: Path
) -> None:
    async with running_engine_proxy(engine, aipkit, data_dir=tmp_path) as proxy:
        await engine.close()
        async with asyncio.timeout(2):
            answer = await proxy.chat("hi", model=MODEL)

    assert "You said: hi" in answer.text


async def test_a_trial_of_a_site_that_hangs_does_not_keep_its_client_waiting(
    aipkit: SimulatedSite, engine: SimulatedAiEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breaker, "FIRST_PAUSE", 0.0)
    monkeypatch.setattr("proxy.upstreams.ai_engine.site.TRIAL_SECONDS", 0.3)
    async with running_engine_proxy(engine, aipkit, data_dir=tmp_path) as proxy:
        engine.behaviour.rest_status = 502
        for _ in range(breaker.FAILURES_TO_OPEN):
            await proxy.chat("hi", model=MODEL)
        engine.behaviour.update({"rest_status": 0, "rest_delay": 60.0})
        async with asyncio.timeout(5):
            elsewhere = await proxy.chat("hi", model=MODEL)
        engine.behaviour.rest_delay = 0.0
        tried = await proxy.chat("hi", model=MODEL)

    assert (elsewhere.status, tried.status) == (200, 200)
    assert (len(aipkit.model_calls), len(engine.model_calls)) == (breaker.FAILURES_TO_OPEN + 1, 1)


@pytest.mark.parametrize("picture", [False, True], ids=["a text", "with a picture"])
@pytest.mark.parametrize("streams", [True, False])
async def test_a_site_that_hangs_is_given_up_in_time_for_another(
    aipkit: SimulatedSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, streams: bool, picture: bool
) -> None:
    monkeypatch.setattr("proxy.upstreams.ai_engine.silence.QUIET_SECONDS", 0.2)
    monkeypatch.setattr("proxy.upstreams.ai_engine.site.MOVE_ON_SECONDS", 0.3)
    url = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
    image = [{"type": "image_url", "image_url": {"url": url}}] if picture else []
    message = {"role": "user", "content": [{"type": "text", "text": "hi"}, *image]}
    bot = EngineBot("default", "Shared: ", max_length=1000, uploads=True)
    async with SimulatedAiEngine([bot]) as engine:
        engine.behaviour.streams = streams
        async with running_engine_proxy(engine, aipkit, data_dir=tmp_path) as proxy:
            engine.behaviour.rest_delay = 60.0
            async with asyncio.timeout(5):
                answer = await proxy.chat(message, model=MODEL)

    assert answer.status == 200
    assert (len(aipkit.model_calls), len(engine.model_calls)) == (1, 0)
    assert engine.route_counts["/mwai/v1/start_session"] == 2, "by the capture, and to see whether it answers at all"


@pytest.mark.parametrize("locks", [False, True], ids=["", "one request of a PHP session at a time"])
@pytest.mark.parametrize("streams", [True, False])
async def test_a_model_that_takes_its_time_is_waited_for(
    aipkit: SimulatedSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, streams: bool, locks: bool
) -> None:
    monkeypatch.setattr("proxy.upstreams.ai_engine.silence.QUIET_SECONDS", 0.1)
    monkeypatch.setattr("proxy.upstreams.ai_engine.site.MOVE_ON_SECONDS", 0.3)
    async with SimulatedAiEngine([EngineBot("default", "Shared: ", max_length=1000)]) as engine:
        engine.behaviour.update({"streams": streams, "first_delta_delay": 1.0, "locks_php_sessions": locks})
        async with running_engine_proxy(engine, aipkit, data_dir=tmp_path) as proxy:
            answer = await proxy.chat("hi", model=MODEL)

    assert answer.status == 200
    assert (len(aipkit.model_calls), len(engine.model_calls)) == (0, 1)


async def test_a_site_that_has_begun_to_answer_is_asked_nothing_beside_the_turn(
    aipkit: SimulatedSite, engine: SimulatedAiEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proxy.upstreams.ai_engine.silence.QUIET_SECONDS", 0.5)
    async with running_engine_proxy(engine, aipkit, data_dir=tmp_path) as proxy:
        engine.behaviour.delta_delay = 0.1
        asked = engine.route_counts.copy()
        assert (await proxy.chat("[[tokens:10]]", model=MODEL)).status == 200

    assert engine.route_counts - asked == {"/mwai-ui/v1/chats/submit": 1}


async def test_the_only_site_is_asked_nothing_beside_the_turn(
    engine: SimulatedAiEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proxy.upstreams.ai_engine.silence.QUIET_SECONDS", 0.1)
    async with running_engine_proxy(engine, data_dir=tmp_path) as proxy:
        engine.behaviour.first_delta_delay = 0.5
        asked = engine.route_counts.copy()
        assert (await proxy.chat("hi", model=MODEL)).status == 200

    assert engine.route_counts - asked == {"/mwai-ui/v1/chats/submit": 1}


async def test_a_site_whose_plugin_changed_is_asked_in_the_new_ones_way(
    aipkit: SimulatedSite, engine: SimulatedAiEngine, tmp_path: Path
) -> None:
    engine.also = aipkit
    as_aipkit = await capture(aipkit)
    changed = replace(as_aipkit.credentials, site=engine.origin, ajax_url=f"{engine.url}wp-admin/admin-ajax.php")
    before = replace(as_aipkit, credentials=changed)
    async with running_engine_proxy(engine, data_dir=tmp_path, capture=before) as proxy:
        await proxy.chat("one", model=MODEL)
        await proxy.takes(await capture_engine(engine), base=1)
        answer = await proxy.chat("two", model=MODEL)

    assert answer.status == 200
    assert (len(aipkit.model_calls), len(engine.model_calls)) == (1, 1)


async def test_a_stored_conversation_moves_from_kind_to_kind_with_its_whole_text(
    aipkit: SimulatedSite, engine: SimulatedAiEngine, tmp_path: Path
) -> None:
    async with running_engine_proxy(aipkit, engine, data_dir=tmp_path) as proxy:
        stored = await proxy.openai.conversations.create()

        async def say(text: str) -> None:
            await proxy.openai.responses.create(model=MODEL, conversation=stored.id, input=text)

        await say("my name is Ada")
        aipkit.behaviour.ajax_status = 500
        await say("who am I?")
        aipkit.behaviour.ajax_status = 0
        await say("and now: who am I?")

    assert known_texts(engine.model_calls[0].messages)
    assert known_texts(aipkit.model_calls[-1].messages)
    assert "and now" in str(aipkit.model_calls[-1].messages)
