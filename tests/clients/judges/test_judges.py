"""What judges of OpenAI's APIs and Anthropic's say of the gateway, whose model does whatever their prompts ask for."""

import asyncio
import json
import os
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.clients.installed import CLIENTS, NODE_DIRECTORY, NODE_PACKAGES, node_home
from tests.clients.running import environment
from tests.proxy.running import RunningProxy, running_proxy
from tests.site import SimulatedSite

KEY, MODEL, BOT = "the-key-that-fits", "gpt-4o-mini", 6
COMPLY = CLIENTS.python.with_name("llm-comply")
CANARY = NODE_DIRECTORY / NODE_PACKAGES / "compatcanary" / "src" / "cli.js"
STANDARD = Path(__file__).with_name("langchain_standard.py")
# What of llm-comply does not apply: no bot shows its reasoning.
NOT_OURS = {"anth-thinking-display", "chat-reasoning-summary", "reasoning-summary"}
pytestmark = [pytest.mark.busy, pytest.mark.timeout(600)]


@pytest.fixture
async def proxy(tmp_path: Path) -> AsyncIterator[RunningProxy]:
    """A proxy in front of a willing model."""
    async with (
        SimulatedSite() as site,
        running_proxy(site, tmp_path / "data", key=KEY, models={MODEL: BOT}) as running,
    ):
        site.behaviour.willing = True
        yield running


async def judged(directory: Path, *command: str | Path, **variables: str) -> tuple[int | None, str]:
    """Run a judge; its exit code, and all it said."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdout=PIPE,
        stderr=STDOUT,
        cwd=directory,
        env={**environment(directory), "OPENAI_API_KEY": KEY, **variables},
    )
    try:
        text, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
    return process.returncode, text.decode()


@pytest.mark.parametrize("api", ["openai-chat", "open-responses", "anthropic"])
async def test_llm_comply_finds_no_fault(api: str, proxy: RunningProxy, tmp_path: Path) -> None:
    options = ("--base-url", f"{proxy.url}/v1", "--api-key", KEY, "--model", MODEL, "--format", api, "--json")
    _, text = await judged(tmp_path, COMPLY, *options)

    results = json.loads(text)["results"]
    assert len(results) > 8
    assert [result for result in results if result["status"] == "failed" and result["id"] not in NOT_OURS] == []
    assert {result["id"] for result in results if result["status"] == "skipped"} <= NOT_OURS


@pytest.mark.parametrize("profile", ["chat", "modern"])
async def test_compatcanary_finds_no_fault(profile: str, proxy: RunningProxy, tmp_path: Path) -> None:
    options = ("--base-url", f"{proxy.url}/v1", "--model", MODEL, "--profile", profile)
    code, text = await judged(tmp_path, node_home() / "bin" / "node", CANARY, "scan", *options)

    assert code == 0, text
    assert "Score: 100/100" in text


@pytest.mark.parametrize("api", ["chat", "responses"])
async def test_langchains_standard_tests_pass(api: str, proxy: RunningProxy, tmp_path: Path) -> None:
    """Those with pictures and documents get them from afar, so they are not among what the file says we can."""
    alone = ("--noconftest", "-c", os.devnull, "--rootdir", tmp_path, "-p", "no:cacheprovider")
    one_loop = ("-o", "asyncio_mode=auto", "-o", "asyncio_default_test_loop_scope=session")  # its client keeps to one
    variables = {"JUDGED_URL": f"{proxy.url}/v1", "JUDGED_KEY": KEY, "JUDGED_MODEL": MODEL, "JUDGED_API": api}
    code, text = await judged(tmp_path, CLIENTS.python, "-m", "pytest", "-q", *alone, *one_loop, STANDARD, **variables)

    assert code == 0, text
