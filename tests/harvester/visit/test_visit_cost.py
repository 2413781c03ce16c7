"""What a visit costs beside a plain Playwright script that loads the whole page, with every browser found here."""

import asyncio
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psutil
import pytest

from harvester.service.renewal import renew_nonce
from shared.browsers import installed_browsers
from shared.models import Capture, Credentials
from shared.store import open_store
from tests.cli.processes import ROOT, clean_environment
from tests.figures import figure
from tests.needs import FREEAICHAT
from tests.site import SimulatedSite
from tests.site.process import running_site

pytestmark = [pytest.mark.alone, pytest.mark.usefixtures("as_users_run_it")]
ROUNDS = int(os.environ.get("TEST_VISIT_ROUNDS", "1"))
RENEWALS = 20
MOST_TIMES = 3.0  # as long as the plain script: it asks the site nothing, and stores nothing
RENEWAL_SECONDS = 0.005


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one program from start to end: seconds, and the most memory of it and all below it, in bytes (PSS)."""

    seconds: float
    memory: int


async def cost(*command: str, environment: dict[str, str]) -> Cost:
    started, most = time.monotonic(), 0
    process = await asyncio.create_subprocess_exec(
        *command, env=environment, cwd=ROOT, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    ending = asyncio.create_task(process.communicate())
    while not ending.done():
        most = max(most, await asyncio.to_thread(_memory, process.pid))
        await asyncio.wait({ending}, timeout=0.05)
    assert process.returncode == 0, ending.result()[1].decode()
    return Cost(time.monotonic() - started, most)


def _memory(pid: int) -> int:
    total = 0
    try:
        family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    for each in family:
        try:
            total += each.memory_full_info().pss
        except psutil.Error:
            continue
    return total


async def test_a_visit_costs_hardly_more_than_loading_the_page(site: SimulatedSite, tmp_path: Path) -> None:
    browsers = list(installed_browsers())
    assert browsers
    for number, browser in enumerate(browsers):
        plain, ours = [], []
        for each in range(ROUNDS):
            environment = clean_environment(
                tmp_path / f"{number}-{each}", site.url, 0, FREEAICHAT_BROWSER=str(browser.path)
            )
            script = (sys.executable, "-m", "tests.harvester.plain_visit", str(browser.path), site.url)
            plain.append(await cost(*script, environment=environment))
            ours.append(await cost(FREEAICHAT, "harvest", environment=environment))
        seconds = [median(each.seconds for each in runs) for runs in (ours, plain)]
        memory = [median(each.memory for each in runs) for runs in (ours, plain)]
        name = f"one visit with {browser.path.name}"
        figure(
            f"{name}, time", f"{seconds[0]:.2f} s, a plain script {seconds[1]:.2f} s, {seconds[0] / seconds[1]:.2f} x"
        )
        figure(
            f"{name}, most memory",
            f"{memory[0] / 1e6:.0f} MB, a plain script {memory[1] / 1e6:.0f} MB, {memory[0] / memory[1]:.2f} x",
        )
        assert seconds[0] < MOST_TIMES * seconds[1]
        assert memory[0] < MOST_TIMES * memory[1]


async def test_renewing_a_nonce_takes_little_time_of_our_own(tmp_path: Path) -> None:
    async with running_site() as site, open_store(f"sqlite:///{tmp_path}/store.db") as store:
        credentials = Credentials(
            site=site.origin,
            ajax_url=f"{site.origin}/wp-admin/admin-ajax.php",
            page_url=site.url,
            nonce="0000000000",
            session_id="s-1",
            user_agent="Visitor/1.0",
            source="visit",
            captured_at=time.time(),
            nonce_checked_at=time.time(),
        )
        await store.save_capture(Capture(credentials=credentials, bots=(), identity="{}"), base=0)
        await renew_nonce(store, credentials)
        started = time.process_time()
        for _ in range(RENEWALS):
            assert await renew_nonce(store, credentials)
        each = (time.process_time() - started) / RENEWALS

    figure("renewing a nonce, our own time", f"{each * 1000:.2f} ms")
    assert each < RENEWAL_SECONDS * (1 if ROUNDS > 1 else 4)  # in short form the machine may be busy
