"""Visits that cannot succeed: each ends as one outcome, with a reason, and leaves nothing behind."""

import asyncio
import os
import re
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from harvester.job import Limits
from harvester.process_trees import kill_process_tree
from harvester.service.visitor import ATTEMPTS
from harvester.service.workspace import Workspace
from shared.models import Cause, Outcome
from shared.processes.lifeline import Lifeline
from shared.processes.services import EXIT_ORPHANED
from shared.store import Store
from tests.cli.processes import program
from tests.harvester.faults import browser, driver, renderer, signal_one, worker
from tests.harvester.visiting import Visits, wait_for
from tests.site import SimulatedSite

PNG = b"\x89PNG\r\n"
LACKING = "error while loading shared libraries: {}: cannot open shared object file: No such file or directory"


@pytest.mark.parametrize(
    ("page", "outcome", "reason"),
    [
        ("challenge", Outcome.CHALLENGE, "pass it with `freeaichat harvest --headed --site http://"),
        ("blocked", Outcome.SITE_ERROR, "firewall (Cloudflare) blocks this address"),
        ("captcha", Outcome.CHALLENGE, "hCaptcha"),
        ("blank", Outcome.NO_CHAT, "FREEAICHAT_SITES"),
        ("endless_blank", Outcome.TIMEOUT, "never finished"),
        ("redirects", Outcome.SITE_ERROR, "circle"),
        ("download", Outcome.SITE_ERROR, "download"),
        ("replaced", Outcome.SITE_ERROR, "replaced what it takes"),
    ],
)
async def test_a_page_that_gives_no_chat_ends_the_visit_with_its_own_outcome(
    visits: Visits, site: SimulatedSite, page: str, outcome: Outcome, reason: str
) -> None:
    site.behaviour.page = page

    visit = await visits.make()

    assert visit.outcome is outcome, visit
    assert reason in visit.reason
    assert visit.cause in set(Cause)
    assert await visits.store.visits() == [visit]
    assert await visits.store.site_state(site.origin) is None
    picture = await visits.store.screenshot(visit.id)
    assert picture is not None
    assert picture.startswith(PNG)
    assert visit.screenshot is True


@pytest.mark.parametrize("page", ["busy", "dialog_loop", "reloads"])
async def test_a_page_without_end_is_given_up(visits: Visits, store: Store, site: SimulatedSite, page: str) -> None:
    site.behaviour.page = page

    visit = await visits.changed(limits=Limits(chat=1.5, settle=0.5)).make()

    assert visit.outcome is Outcome.TIMEOUT, visit
    reason = "never finished|loaded itself" if page == "reloads" else "busy, or reload it"
    assert re.search(reason, visit.reason)
    assert visit.seconds < 15
    assert await store.visits() == [visit]


@pytest.mark.parametrize(("status", "reason"), [(500, "HTTP 500"), (503, "HTTP 503"), (429, "HTTP 429"), (403, "403")])
async def test_an_error_of_the_site_is_reported_with_its_status(
    visits: Visits, site: SimulatedSite, status: int, reason: str
) -> None:
    site.behaviour.page_status = status

    visit = await visits.make()

    assert visit.outcome is Outcome.SITE_ERROR
    assert reason in visit.reason


async def test_a_site_that_refuses_connections_is_a_site_error(visits: Visits) -> None:
    async with SimulatedSite() as gone:
        pass

    visit = await visits.changed(site=gone).make()

    assert visit.outcome is Outcome.SITE_ERROR
    assert "refuses connections" in visit.reason
    assert visit.cause == Cause.UNREACHABLE


async def test_a_site_that_does_not_answer_is_a_timeout(visits: Visits, site: SimulatedSite) -> None:
    site.behaviour.page_delay = 60

    visit = await visits.changed(limits=Limits(load=1.0)).make()

    assert visit.outcome is Outcome.TIMEOUT
    assert "did not begin to answer" in visit.reason
    assert visit.cause == Cause.SILENT


async def test_a_failure_leaves_credentials_and_identity_as_they_were(visits: Visits, site: SimulatedSite) -> None:
    found = await visits.capture()
    identity = await visits.store.identity(site.origin)
    site.behaviour.page = "challenge"

    await visits.make()

    assert (await visits.state()).current == found
    assert await visits.store.identity(site.origin) == identity


async def test_a_browser_that_is_not_there_is_named_with_what_to_do(
    store: Store, workspace: Workspace, site: SimulatedSite, tmp_path: Path
) -> None:
    visit = await Visits(store, workspace, site, browser=str(tmp_path / "chromium")).make()

    assert visit.outcome is Outcome.BROWSER_ERROR
    assert "FREEAICHAT_BROWSER" in visit.reason
    assert visit.cause == Cause.NO_BROWSER
    assert "freeaichat browser install" in visit.reason


async def test_a_browser_that_may_not_be_run_is_reported_like_one_that_is_not_there(
    store: Store, workspace: Workspace, site: SimulatedSite, tmp_path: Path
) -> None:
    found = program(tmp_path / "chromium", "exit 0")
    found.chmod(0o600)

    visit = await Visits(store, workspace, site, browser=str(found)).make()

    assert visit.outcome is Outcome.BROWSER_ERROR
    assert "freeaichat browser install" in visit.reason


async def test_a_browser_that_lacks_a_library_is_reported_with_its_last_output(
    store: Store, workspace: Workspace, site: SimulatedSite, tmp_path: Path
) -> None:
    broken = program(tmp_path / "chromium", f"echo '{LACKING.format('libnss3.so')}' >&2; exit 127")

    visit = await Visits(store, workspace, site, browser=str(broken)).make()

    assert visit.outcome is Outcome.BROWSER_ERROR
    assert "libnss3.so" in visit.reason
    assert visit.cause == Cause.NOT_STARTED
    assert site.requests == []


async def test_a_driver_that_lacks_a_library_is_distinguished_from_the_browser(
    own_visits: Visits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = program(tmp_path / "node", f"echo '{LACKING.format('libatomic.so.1')}' >&2; exit 127")
    monkeypatch.setenv("PLAYWRIGHT_NODEJS_PATH", str(broken))

    visit = await own_visits.make()

    assert visit.outcome is Outcome.BROWSER_ERROR
    assert "libatomic.so.1" in visit.reason
    assert visit.cause == Cause.NOT_STARTED


@pytest.mark.parametrize("victim", [worker, driver, browser, renderer])
async def test_what_is_killed_during_a_visit_is_started_again_and_the_visit_succeeds(
    own_visits: Visits, site: SimulatedSite, victim: Callable[[psutil.Process], bool]
) -> None:
    site.behaviour.page_delay = 1.0  # the kill comes in the middle

    async def kill_one() -> None:
        async with asyncio.timeout(20):
            while not site.requests:
                await asyncio.sleep(0.01)
        await signal_one(own_visits.workspace.path, victim)

    killing = asyncio.create_task(kill_one())
    visit = await own_visits.make()
    await killing

    assert visit.outcome is Outcome.CAPTURED, visit
    assert len(await own_visits.store.visits()) == 1


async def test_a_visit_that_hangs_is_ended_from_outside(
    store: Store, workspace: Workspace, site: SimulatedSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harvester.service.visit_processes.MARGIN_SECONDS", 0.5)
    visits = Visits(store, workspace, site, limits=Limits(visit=2.0))

    stopping = asyncio.create_task(signal_one(workspace.path, worker, signal.SIGSTOP))
    visit = await visits.make()
    await stopping

    assert visit.outcome is Outcome.TIMEOUT
    assert "hung" in visit.reason
    assert visit.cause == Cause.SLOW
    assert visit.seconds < 20


async def test_a_browser_that_is_killed_again_and_again_is_given_up(own_visits: Visits, site: SimulatedSite) -> None:
    site.behaviour.page_delay = 30.0

    async def kill_all() -> None:
        while True:
            await signal_one(own_visits.workspace.path, browser)

    killing = asyncio.create_task(kill_all())
    visit = await own_visits.make()
    killing.cancel()

    assert visit.outcome is Outcome.BROWSER_ERROR
    assert site.request_counts["/"] <= ATTEMPTS
    assert visit.seconds < 25


async def test_a_visit_that_is_cancelled_ends_everything_and_is_recorded(
    own_visits: Visits, site: SimulatedSite
) -> None:
    site.behaviour.page_delay = 30.0
    making = asyncio.create_task(own_visits.make())
    while not site.requests:
        await asyncio.sleep(0.02)

    making.cancel()
    await asyncio.wait({making})

    assert making.cancelled()
    assert [(visit.outcome, visit.reason) for visit in await own_visits.store.visits()] == [
        (Outcome.BROWSER_ERROR, "the harvester was stopped during this visit")
    ]


@pytest.mark.alone
async def test_a_page_that_uses_too_much_memory_is_ended(own_visits: Visits, site: SimulatedSite) -> None:
    site.behaviour.page = "memory"

    visit = await own_visits.make()

    assert visit.outcome is Outcome.SITE_ERROR
    used = re.search(r"use (\d+\.\d) GB of memory", visit.reason)
    assert used is not None, visit
    assert 1.5 <= float(used[1]) < 3.0
    assert "browser of your own" in visit.reason
    assert visit.cause == Cause.MEMORY
    assert visit.seconds < 15


async def test_a_visit_whose_service_is_gone_removes_its_own_directory_and_no_other(tmp_path: Path) -> None:
    visit_directory, other = tmp_path / "own", tmp_path / "other"
    for directory in (visit_directory, other):
        directory.mkdir()
        (directory / "file").touch()
    lifeline = Lifeline()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "harvester.visit"),
        # A full or missing temporary directory makes Python fall back to another one, which belongs to everybody.
        env=os.environ | lifeline.environment | {"TMPDIR": str(tmp_path / "missing"), "TEMP": str(other)},
        stdin=asyncio.subprocess.PIPE,
        pass_fds=lifeline.pass_fds,
    )
    lifeline.close_child_end()
    assert process.stdin is not None
    process.stdin.write(b"%s\n" % os.fsencode(visit_directory))
    await wait_for(lambda: psutil.Process(process.pid).cwd() == str(visit_directory), "it is where it was told to be")
    lifeline.stop()

    assert await asyncio.wait_for(process.wait(), 10) == EXIT_ORPHANED
    assert not visit_directory.exists()
    assert (other / "file").exists()


async def test_a_visit_that_is_cancelled_while_it_cleans_up_cleans_up_to_the_end(
    own_visits: Visits, monkeypatch: pytest.MonkeyPatch
) -> None:
    started, go_on = threading.Event(), threading.Event()

    def slowly(directory: Path, *, root: psutil.Process) -> None:
        started.set()
        go_on.wait(10)
        kill_process_tree(directory, root=root)

    monkeypatch.setattr("harvester.service.visit_processes.kill_process_tree", slowly)
    making = asyncio.create_task(own_visits.make())
    assert await asyncio.to_thread(started.wait, 10)

    making.cancel()
    await asyncio.sleep(0)  # it is told
    assert not making.done()
    go_on.set()
    await asyncio.wait({making})

    assert making.cancelled()
    assert [visit.outcome for visit in await own_visits.store.visits()] == [Outcome.CAPTURED]
    assert not own_visits.workspace.path.exists()
