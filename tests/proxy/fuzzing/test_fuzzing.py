"""The running proxy answers everything as its own OpenAPI document says, valid requests and invalid ones."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from proxy.access import wrong_keys
from tests.figures import figure
from tests.proxy.running import running_proxy
from tests.site import SimulatedSite

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
KEY = "the key"
MODEL = "gpt-4o-mini-helper"
# Requests made up at random, by operation; those that cover each rule of a schema come on top.
EXAMPLES = int(os.environ.get("TEST_FUZZ_EXAMPLES", "3"))
IS_LONG = "TEST_FUZZ_EXAMPLES" in os.environ
# Short histories, for the simulated model repeats all it is told; and whatever name is made up, a bot answers.
SETTINGS: dict[str, Any] = {"default_model": MODEL, "max_transcript": 2000}


async def fuzzed(url: str, report: Path) -> tuple[int, str]:
    """Run schemathesis against *url*; returns its exit code and what it printed. *report* is its JSON report."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(HERE / "schemathesis.toml"), "run"),
        f"{url}/openapi.json",
        *("--header", f"Authorization: Bearer {KEY}", "--no-color", "--max-examples", str(EXAMPLES)),
        *(() if IS_LONG else ("--generation-deterministic",)),
        *("--report", "json", "--report-json-path", str(report)),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        printed, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, printed.decode()


@pytest.mark.busy
@pytest.mark.timeout(1800)
async def test_every_answer_is_of_a_declared_status_type_and_shape(
    site: SimulatedSite, tmp_path: Path, as_users_run_it: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wrong_keys, "BURST", 10**9)  # it sends wrong keys by the hundred, and each is to be answered
    report = tmp_path / "report.json"
    site.behaviour.willing = True  # to call tools and answer by schemas
    async with running_proxy(site, tmp_path / "data", key=KEY, **SETTINGS) as proxy:
        exit_code, printed = await fuzzed(proxy.url, report)

    assert exit_code == 0, printed
    body = json.loads(report.read_bytes())
    assert body["operations"]["tested"] == body["operations"]["total"]
    for operation in ("POST /v1/chat/completions", "POST /v1/completions", "POST /v1/responses", "POST /v1/messages"):
        answered = sum(phase["accepted"] for phase in body["valid_rates"][operation].values())
        assert answered > 20, f"{operation} was hardly ever given what it could answer"
    figure("fuzzed requests, all answered as the OpenAPI document says", f"{body['test_cases']['generated']:,}")
    figure("turns in them", f"{len(site.model_calls):,}")
