"""The main job from one command: a visit, a stream, memory over restarts, and a clean end."""

import asyncio
import re
import signal
from pathlib import Path
from time import monotonic

import openai
import pytest

from tests.end_to_end.running_up import pss_bytes, running_up, still_running
from tests.figures import figure
from tests.site.process import running_site

MODEL = "gpt-4o-mini-helper"
COLD_START_SECONDS = 6.0
MAX_PSS = 130 * 1024 * 1024
SERVICES = 3  # processes, the supervisor among them


@pytest.mark.alone
@pytest.mark.usefixtures("as_users_run_it")
async def test_one_command_becomes_a_stream_that_the_official_client_reads(tmp_path: Path) -> None:
    async with running_site() as site, running_up(site.url, tmp_path) as up:
        await up.ready()
        async with openai.AsyncOpenAI(base_url=f"{up.url}/v1", api_key="unused", max_retries=0) as client:
            stream = await client.chat.completions.create(
                model=MODEL, messages=[{"role": "user", "content": "hi"}], stream=True
            )
            first = await anext(aiter(stream))
            seconds = monotonic() - up.started
            text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

        figure("cold start to first streamed token", f"{seconds:.2f} s")
        assert first.choices[0].delta.role == "assistant"
        assert text.startswith("[gpt-4o-mini] You said: hi")
        assert seconds < COLD_START_SECONDS
        await up.printed("curl")
        assert await up.stop() == 0
    printed = "".join(up.output)
    assert re.search(r"browser found: .+ s\)", printed)
    assert re.search(r"page visited: .+ s\)", printed)
    assert re.search(r"credentials captured: .+ s\)", printed)
    assert f"{up.url}/v1" in printed
    assert "curl" in printed


async def test_a_conversation_goes_on_after_a_restart_of_everything(tmp_path: Path) -> None:
    async with running_site() as site:
        async with running_up(site.url, tmp_path) as up:
            await up.ready()
            async with up.http.post(f"{up.url}/v1/conversations") as response:
                conversation = (await response.json())["id"]
            await up.chat("my name is Ada", conversation_id=conversation)
        async with running_up(site.url, tmp_path) as up:
            await up.ready()
            answer = await up.chat("[[recall]]", conversation_id=conversation)

    assert "my name is Ada" in answer["choices"][0]["message"]["content"]


async def test_the_hand_captured_values_need_no_browser(tmp_path: Path) -> None:
    async with running_site() as site:
        nonce = (await site.state())["nonce"]
        by_hand = {
            "AJAX_NONCE": nonce,
            "SESSION_ID": "1b4e28ba-2fa1-41d2-883f-0016d3cca427",
            "COOKIE": "a=1; b=$$2",
            "FREEAICHAT_BROWSER": "",
            "FREEAICHAT_MODELS": f"{MODEL}=5",
            "PATH": "/nowhere",
        }
        async with running_up(site.url, tmp_path, **by_hand) as up:
            await up.ready()
            answer = await up.chat("hi")
            pages = (await site.state())["requests"].get("/", 0)

    assert answer["choices"][0]["message"]["content"].startswith("[gpt-4o-mini] You said: hi")
    assert pages == 0


@pytest.mark.usefixtures("as_users_run_it")
async def test_everything_together_stays_small_between_visits(tmp_path: Path) -> None:
    async with running_site() as site, running_up(site.url, tmp_path) as up:
        await up.ready()
        await up.chat("hi")
        async with asyncio.timeout(20):
            while len(everything := up.everything()) > SERVICES:  # the browser of the first visit is there yet
                await asyncio.sleep(0.1)
        used = pss_bytes(everything)

    figure("idle memory of everything (PSS)", f"{used / 1024**2:.0f} MB")
    assert len(everything) == SERVICES
    assert used < MAX_PSS


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_one_signal_ends_everything(tmp_path: Path, number: int) -> None:
    async with running_site() as site, running_up(site.url, tmp_path) as up:
        await up.ready()
        everything = up.everything()
        code = await up.stop(number)

    assert code == 0
    assert await still_running(everything, seconds=1) == []


async def test_a_taken_port_is_said_plainly(tmp_path: Path) -> None:
    async with running_site() as site, running_up(site.url, tmp_path / "a") as first:
        await first.ready()
        port = first.url.rpartition(":")[2]
        async with running_up(site.url, tmp_path / "b", FREEAICHAT_PORT=port) as second:
            code = await asyncio.wait_for(second.process.wait(), 20)

    assert code == 4
    assert port in "".join(second.output)
