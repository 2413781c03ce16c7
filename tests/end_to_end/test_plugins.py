"""The running program with an AI Engine site, and with one of each kind."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.end_to_end.running_up import RunningUp, running_up
from tests.needs import FREEAICHAT
from tests.site import SimulatedSite, SiteBot
from tests.site_ai_engine import EngineBot, SimulatedAiEngine

SUBMIT = "chats/submit"


def client(up: RunningUp) -> openai.AsyncOpenAI:
    """The official client, without retries of its own."""
    return openai.AsyncOpenAI(base_url=f"{up.url}/v1", api_key="unused", max_retries=0)


async def streamed(up: RunningUp, text: str, model: str) -> str:
    """The text of one streamed answer."""
    async with client(up) as openai:
        stream = await openai.chat.completions.create(
            model=model, messages=[{"role": "user", "content": text}], stream=True
        )
        return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])


async def all_ready(up: RunningUp) -> None:
    """Wait until every site can answer."""
    await up.ready()
    async with asyncio.timeout(30):
        while True:
            async with up.http.get(f"{up.url}/readyz") as response:
                if (await response.json())["status"] == "ready":
                    return
            await asyncio.sleep(0.05)


async def command(up: RunningUp, *arguments: str) -> str:
    """What `freeaichat` prints beside the running program."""
    run = await asyncio.create_subprocess_exec(
        FREEAICHAT, *arguments, env=up.environment, stdout=asyncio.subprocess.PIPE
    )
    return (await asyncio.wait_for(run.communicate(), 60))[0].decode()


@pytest.mark.usefixtures("as_users_run_it")
async def test_an_ai_engine_site_is_visited_and_answers_through_new_nonces_and_restarts(tmp_path: Path) -> None:
    async with SimulatedAiEngine() as engine:
        async with running_up(engine.url, tmp_path) as up:
            await up.ready()
            assert (await streamed(up, "hello", "gpt-4o-mini")).startswith("[gpt-4o-mini] You said: hello")
            engine.rotate_nonce()
            assert "You said: again" in await streamed(up, "again", "gpt-4o-mini")
            [site] = json.loads(await command(up, "status", "--json"))["sites"]
            await up.printed("of AI Engine")
            assert await up.stop() == 0
        engine.rotate_nonce()
        async with running_up(engine.url, tmp_path) as up:
            await up.ready()
            assert "You said: and again" in await streamed(up, "and again", "gpt-4o-mini")

    assert site["kind"] == "ai_engine"
    assert len(engine.model_calls) == 3
    assert engine.overrides == []


async def say(up: RunningUp, conversation: str, text: str) -> Any:
    async with client(up) as openai:
        return await openai.responses.create(model="shared", conversation=conversation, input=text)


def reached_model(messages: Any, texts: Sequence[str]) -> bool:
    return all(text in str(messages) for text in texts)


@pytest.mark.usefixtures("as_users_run_it")
async def test_a_conversation_goes_on_at_a_site_of_the_other_kind_whichever_fails(tmp_path: Path) -> None:
    messages = ["my name is Ada", "who am I?", "and who am I now?"]
    async with (
        SimulatedSite([SiteBot(5, "Shared")]) as aipkit,
        SimulatedAiEngine([EngineBot("default", "Shared: ", max_length=1000)]) as engine,
        running_up(f"{aipkit.url},{engine.url}", tmp_path) as up,
    ):
        await all_ready(up)
        async with client(up) as openai:
            conversation = (await openai.conversations.create()).id
        await say(up, conversation, messages[0])
        aipkit.behaviour.ajax_status = 429  # so that the other one is asked first for a while
        await say(up, conversation, messages[1])
        assert (len(aipkit.model_calls), len(engine.model_calls)) == (1, 1)
        assert reached_model(engine.model_calls[0].messages, messages[:2])
        aipkit.behaviour.ajax_status, engine.behaviour.rest_status = 0, 502
        await say(up, conversation, messages[2])

    assert (len(engine.requests_to(SUBMIT)), len(engine.model_calls), len(aipkit.model_calls)) == (2, 1, 2)
    assert reached_model(aipkit.model_calls[1].messages, messages)
