"""The main job from one command: a visit, a stream, memory over restarts, and a clean end."""

import asyncio
import re
import signal
from pathlib import Path
from time import monotonic

import openai
import pytest

from tests.end_to_end.running_up import MODEL, pss_bytes, running_up, still_running
from tests.figures import figure
from tests.site import SimulatedSite
from tests.site.process import running_site

COLD_START_SECONDS = 6.0
MAX_PSS = 130 * 1024 * 1024
MAX_SUPERVISOR_PSS = 15_000_000
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
        await up.printed("\ncurl ")
        (line,) = [line for line in up.output if line.startswith("curl ")]
        shell = await asyncio.create_subprocess_shell(line, stdout=asyncio.subprocess.PIPE)
        answer, _ = await asyncio.wait_for(shell.communicate(), 30)
        assert await up.stop() == 0
    printed = "".join(up.output)
    summary = r"\d+ bots? of AIPKit, cookie none, session \w{4}…"
    for step in (r"browser found: /\S+", r"page visited: http://127\S+", f"credentials captured: {summary}"):
        assert re.search(rf"^{step} \(\d+\.\d s\)$", printed, re.MULTILINE), step
    assert f"base URL: {up.url}/v1\n" in up.output
    assert "key: no key needed" in printed
    assert "\x1b" not in printed
    assert answer.decode().rstrip().endswith("data: [DONE]")


async def test_one_signal_ends_everything_and_a_conversation_goes_on_after_the_restart(tmp_path: Path) -> None:
    async with SimulatedSite() as site:
        async with running_up(site.url, tmp_path) as up:
            await up.ready()
            async with up.http.post(f"{up.url}/v1/conversations") as response:
                conversation = (await response.json())["id"]
            await up.chat("my name is Ada", conversation_id=conversation)
            all_processes = up.all_processes()
            assert await up.stop(signal.SIGTERM) == 0
            assert await still_running(all_processes, seconds=1) == []
        async with running_up(site.url, tmp_path) as up:
            await up.ready()
            answer = await up.chat("[[recall]]", conversation_id=conversation)

    assert "my name is Ada" in answer["choices"][0]["message"]["content"]


@pytest.mark.usefixtures("as_users_run_it")
async def test_everything_together_stays_small_between_visits(tmp_path: Path) -> None:
    async with SimulatedSite() as site, running_up(site.url, tmp_path) as up:
        await up.ready()
        await up.chat("hi")
        async with asyncio.timeout(20):
            while len(all_processes := up.all_processes()) > SERVICES:  # the browser of the first visit is there yet
                await asyncio.sleep(0.1)
        used, supervisor = pss_bytes(all_processes), pss_bytes([up.supervisor])

    figure("idle memory of everything (PSS)", f"{used / 1024**2:.0f} MB")
    assert len(all_processes) == SERVICES
    assert used < MAX_PSS
    assert supervisor < MAX_SUPERVISOR_PSS
