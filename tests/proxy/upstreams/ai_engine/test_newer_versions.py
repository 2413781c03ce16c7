"""Turns with plugins newer than the recorded one: what they tell of a limit, and what they no longer tell."""

from pathlib import Path

import pytest

from tests.proxy.upstreams.ai_engine.engine import chat, running_engine_proxy, streamed
from tests.site_ai_engine import SimulatedAiEngine

NEWER = "3.8.1"


@pytest.mark.parametrize("streams", [True, False])
async def test_a_limit_is_one_in_whatever_words_the_operator_tells_it(
    engine: SimulatedAiEngine, tmp_path: Path, streams: bool
) -> None:
    words = "Our chatbot went to sleep. Please try again later."
    engine.behaviour.version, engine.behaviour.streams, engine.behaviour.limit_text = NEWER, streams, words
    async with running_engine_proxy(engine, data_dir=tmp_path) as proxy:
        answer, events = await chat(proxy, "hello"), await streamed(proxy, "hello")

    assert (answer.status, answer.code) == (429, "insufficient_quota")
    assert words in answer.body["error"]["message"]
    assert events[-1]["error"]["code"] == "insufficient_quota"


@pytest.mark.parametrize("streams", [True, False])
async def test_a_refusal_that_is_of_no_limit_is_told_as_before(
    engine: SimulatedAiEngine, tmp_path: Path, streams: bool
) -> None:
    engine.behaviour.version, engine.behaviour.streams, engine.behaviour.banned_words = NEWER, streams, ["hello"]
    async with running_engine_proxy(engine, data_dir=tmp_path) as proxy:
        answer = await chat(proxy, "hello")

    assert (answer.status, answer.code) == (400, "upstream_refused")


@pytest.mark.parametrize("mode", ["err400", "err429", "refused"])
@pytest.mark.parametrize("streams", [True, False])
async def test_an_error_that_visitors_are_not_shown_is_the_sites_and_leaves_it_well(
    engine: SimulatedAiEngine, tmp_path: Path, streams: bool, mode: str
) -> None:
    engine.behaviour.version, engine.behaviour.streams = NEWER, streams
    async with running_engine_proxy(engine, data_dir=tmp_path) as proxy:
        answers = [await chat(proxy, f"[[mode:{mode}]] x") for _ in range(6)]
        after = await chat(proxy, "hello")

    assert {(answer.status, answer.code) for answer in answers} == {(502, "upstream_error")}
    assert after.status == 200
