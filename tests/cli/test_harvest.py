"""`freeaichat harvest` and `freeaichat harvester`: real visits of the simulated site."""

import asyncio
import json
import signal
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from shared.cli.harvest import report_lines
from tests.cli import forked
from tests.cli.processes import clean_environment, running, wait_until
from tests.needs import FREEAICHAT
from tests.site.process import RunningSite, running_site

pytestmark = pytest.mark.usefixtures("measured")


@pytest.fixture
async def site() -> AsyncIterator[RunningSite]:
    """The simulated site, as a process of its own."""
    async with running_site() as started:
        yield started


@pytest.fixture
def environment(site: RunningSite, tmp_path: Path, free_port: int) -> dict[str, str]:
    """Settings for the simulated site."""
    return clean_environment(tmp_path / "data", site.url, free_port)


def harvest(environment: dict[str, str], *options: str) -> "subprocess.CompletedProcess[str]":
    return forked.run("harvest", *options, environment=environment, seconds=90)


def test_a_visit_is_reported_in_words_and_as_json_without_secrets(
    environment: dict[str, str], site: RunningSite
) -> None:
    as_text, as_json = harvest(environment), harvest(environment, "--json")
    result = json.loads(as_json.stdout)

    assert (as_text.returncode, as_json.returncode) == (0, 0), as_text.stderr + as_json.stderr
    assert "captured" in as_text.stdout
    assert result["visit"]["outcome"] == "captured"
    assert all(bot["name"] in as_text.stdout for bot in result["bots"])


def test_any_site_of_the_settings_may_be_visited(environment: dict[str, str], site: RunningSite) -> None:
    page = f"{site.url}?chat"
    environment["FREEAICHAT_SITES"] = f"http://127.0.0.1:9/, {page}"

    result = harvest(environment, "--json", "--site", site.url.rstrip("/"))

    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["credentials"]["named_url"] == page
    assert harvest(environment, "--site", "no site").returncode == 2


async def test_a_visit_of_the_page_in_the_settings_leads_back_to_it(
    environment: dict[str, str], site: RunningSite
) -> None:
    await site.control(page="links")
    assert "it was taken since that one showed none" in harvest(environment).stdout
    await site.control(page="inline")

    page = json.loads(harvest(environment, "--json", "--site", site.url).stdout)["credentials"]["page_url"]

    assert page == site.url


async def test_a_visit_that_captures_nothing_exits_1_with_its_reason(
    environment: dict[str, str], site: RunningSite
) -> None:
    await site.control(page="blank")

    result = harvest(environment)

    assert result.returncode == 1
    assert "no_chat" in result.stdout


@pytest.mark.parametrize("is_killed", [False, True])
async def test_an_interrupt_ends_the_visit_and_so_does_who_kills_the_harvester(
    environment: dict[str, str], site: RunningSite, is_killed: bool
) -> None:
    await site.control(page_delay=30.0)
    with running([FREEAICHAT, "harvest"], environment) as command:
        async with asyncio.timeout(30):
            while not (await site.state())["requests"].get("/"):
                await asyncio.sleep(0.05)
        if is_killed:
            psutil.Process(command.pid).children()[0].kill()
        else:
            command.send_signal(signal.SIGINT)
        _, log = command.communicate(timeout=30)

    assert command.returncode == 1
    assert ("was ended from outside: Killed" if is_killed else "stopping") in log


def test_settings_that_make_no_sense_exit_2(environment: dict[str, str]) -> None:
    assert harvest(environment | {"FREEAICHAT_HARVEST_INTERVAL": "often"}).returncode == 2


def test_the_harvester_alone_ends_well_when_told_to_at_once(environment: dict[str, str], tmp_path: Path) -> None:
    with running([FREEAICHAT, "harvester"], environment, cwd=tmp_path) as service:
        wait_until(lambda: psutil.Process(service.pid).cmdline()[-2:] == ["-m", "harvester"], "it begins to start")
        service.send_signal(signal.SIGTERM)

        assert service.wait(20) == 0


def test_the_report_of_a_visit_in_words() -> None:
    result: dict[str, Any] = {
        "visit": {
            "site": "https://chat.example",
            "outcome": "timeout",
            "seconds": 30.04,
            "reason": "no answer",
            "steps": {"browser": 0.51},
        },
        "credentials": None,
        "bots": [],
    }

    assert report_lines(result) == [
        "https://chat.example: \x1b[31mtimeout\x1b[0m in 30.0 s (browser 0.5 s)",
        "  no answer",
    ]
    assert report_lines(result | {"visit": result["visit"] | {"steps": {}}})[0].endswith(" in 30.0 s")
