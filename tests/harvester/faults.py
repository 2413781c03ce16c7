"""Temporary faults for a running harvester, with the outcome and reason its visits must record."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from shared.browsers import find_browser
from shared.models import Outcome, Visit
from tests.cli.processes import program
from tests.harvester.running import Installation, Running
from tests.harvester.short_limits import STORE_SECONDS
from tests.harvester.visiting import NONCE_ACTION, processes_of, wait_for
from tests.site import SimulatedSite


@dataclass(frozen=True, slots=True)
class Scene:
    """The targets of faults: the site, the harvester, and the program file that it uses as its browser."""

    site: SimulatedSite
    installation: Installation
    browser: Path
    running: Running


@dataclass(frozen=True, slots=True)
class Fault:
    """*happens* lasts as long as its context; a visit meanwhile ends as *outcome* with *reason* in its text."""

    name: str
    outcome: Outcome
    reason: str
    happens: Callable[[Scene], AbstractAsyncContextManager[None]]

    def is_reported_by(self, visit: Visit) -> bool:
        """Whether the record of *visit* names this fault."""
        return visit.outcome is self.outcome and self.reason in visit.reason


def working_browser(path: Path) -> Path:
    """A program at *path* that becomes the real browser."""
    return program(path, f'exec {find_browser("").path} "$@"')


def worker(process: psutil.Process) -> bool:
    return "harvester.visit" in process.cmdline()


def driver(process: psutil.Process) -> bool:
    return "run-driver" in process.cmdline()


def browser(process: psutil.Process) -> bool:
    # It may be started through a shell, which it then replaces; a process that was seen before remembers the shell.
    is_shell_around_it = "chrom" not in psutil.Process(process.pid).exe()
    return not is_shell_around_it and any(word.startswith("--user-data-dir") for word in process.cmdline())


def renderer(process: psutil.Process) -> bool:
    return "--type=renderer" in process.cmdline()


async def signal_one(
    directory: Path, is_chosen: Callable[[psutil.Process], bool], number: signal.Signals = signal.SIGKILL
) -> None:
    """Send a signal to a process of this kind, of a visit in *directory*, as soon as there is one."""
    async with asyncio.timeout(20):
        while True:
            for process in await asyncio.to_thread(processes_of, directory):
                with suppress(psutil.Error):
                    if is_chosen(process):
                        process.send_signal(number)
                        return
            await asyncio.sleep(0.05)  # to look takes as long, since it looks at every process of the machine


@contextmanager
def switched(site: SimulatedSite, **switches: Any) -> Iterator[None]:
    """The site with these switches."""
    before = {name: getattr(site.behaviour, name) for name in switches}
    site.behaviour.update(switches)
    try:
        yield
    finally:
        site.behaviour.update(before)


@asynccontextmanager
async def _switches(scene: Scene, **switches: Any) -> AsyncIterator[None]:
    with switched(scene.site, **switches):
        yield


@asynccontextmanager
async def _browser_becomes(scene: Scene, script: str) -> AsyncIterator[None]:
    program(scene.browser, script)
    yield
    working_browser(scene.browser)


@asynccontextmanager
async def _browser_loses_its_mode(scene: Scene) -> AsyncIterator[None]:
    scene.browser.chmod(0o600)
    yield
    scene.browser.chmod(0o755)


@asynccontextmanager
async def _browser_is_gone(scene: Scene) -> AsyncIterator[None]:
    scene.browser.unlink()
    yield
    working_browser(scene.browser)


@asynccontextmanager
async def _renderers_crash(scene: Scene) -> AsyncIterator[None]:
    async def kill_all() -> None:
        while True:
            with suppress(TimeoutError):
                await signal_one(scene.installation.workspace, renderer)

    killing = asyncio.create_task(kill_all())
    with switched(scene.site, page_delay=1.0):
        yield
    killing.cancel()
    await asyncio.wait({killing})


@asynccontextmanager
async def _workspace_is_taken(scene: Scene) -> AsyncIterator[None]:
    def take() -> None:
        deadline = time.monotonic() + 15.0
        while True:
            try:
                scene.installation.workspace.touch(exist_ok=False)
                return
            except FileExistsError:  # the directory of a visit; between two of them it is gone for a moment
                assert time.monotonic() < deadline

    await asyncio.to_thread(take)
    yield
    scene.installation.workspace.unlink()


@asynccontextmanager
async def _visit_hangs(scene: Scene) -> AsyncIterator[None]:
    with switched(scene.site, page_delay=1.0):
        await signal_one(scene.installation.workspace, worker, signal.SIGSTOP)
        yield


@asynccontextmanager
async def _disk_is_full(scene: Scene) -> AsyncIterator[None]:
    """As on a full disk nothing can be written any more, from the middle of a visit until a while after it."""
    counts, service = scene.site.request_counts, scene.running.system
    with switched(scene.site, page_delay=0.5):
        loads, confirmed = counts["/"], counts[NONCE_ACTION]
        await wait_for(lambda: counts["/"] > loads, "a visit is under way")
        _, most = service.rlimit(psutil.RLIMIT_FSIZE)
        service.rlimit(psutil.RLIMIT_FSIZE, (0, most))
        await wait_for(lambda: counts[NONCE_ACTION] > confirmed, "the visit has all it wanted")
    await wait_for(lambda: scene.running.family() == [], "the visit is over")
    await asyncio.sleep(3 * STORE_SECONDS)  # neither can its record be kept
    service.rlimit(psutil.RLIMIT_FSIZE, (most, most))
    yield


def _page(page: str, outcome: Outcome, reason: str) -> Fault:
    return Fault(page, outcome, reason, partial(_switches, page=page))


ONE_OF_EACH_KIND = (
    _page("challenge", Outcome.CHALLENGE, "harvest --headed --site http"),
    _page("endless_blank", Outcome.TIMEOUT, "never finished"),
    _page("redirects", Outcome.SITE_ERROR, "redirects in a circle"),
    _page("download", Outcome.SITE_ERROR, "a file to download"),
    Fault("silent site", Outcome.TIMEOUT, "did not begin to answer", partial(_switches, page_delay=30.0)),
    Fault("no browser", Outcome.BROWSER_ERROR, "freeaichat browser install", _browser_is_gone),
    Fault("browser ends", Outcome.BROWSER_ERROR, "did not start", partial(_browser_becomes, script="exit 0")),
    Fault("browser hangs", Outcome.BROWSER_ERROR, "did not start within", partial(_browser_becomes, script="sleep 60")),
    Fault("no place", Outcome.BROWSER_ERROR, "TMPDIR", _workspace_is_taken),
    Fault("disk full", Outcome.BROWSER_ERROR, "could not be stored", _disk_is_full),
)
MORE = (
    _page("blank", Outcome.NO_CHAT, "FREEAICHAT_SITES"),
    Fault("failing site", Outcome.SITE_ERROR, "HTTP 500", partial(_switches, page_status=500)),
    _page("captcha", Outcome.CHALLENGE, "hCaptcha"),
    Fault("no program", Outcome.BROWSER_ERROR, "freeaichat browser install", _browser_loses_its_mode),
    _page("reloads", Outcome.TIMEOUT, "never finished"),
    _page("busy", Outcome.TIMEOUT, "keep the browser busy"),
    _page("dialog_loop", Outcome.TIMEOUT, "keep the browser busy"),
    _page("memory", Outcome.SITE_ERROR, "GB of memory"),
    Fault("visit hangs", Outcome.TIMEOUT, "the visit hung", _visit_hangs),
    Fault("renderers crash", Outcome.BROWSER_ERROR, "crashed", _renderers_crash),
)
