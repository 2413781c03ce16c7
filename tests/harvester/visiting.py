"""Make visits of the simulated site with a real browser, and find what they leave behind."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from harvester.job import Limits
from harvester.service.visit_processes import VisitProcesses
from harvester.service.visitor import Visitor
from harvester.service.workspace import Workspace
from shared.models import Credentials, Outcome, SiteState, Visit
from shared.parsing import Site
from shared.store import Store
from tests.site import SeenRequest, SimulatedSite

NONCE_ACTION = "aipkit_get_frontend_chat_nonce"
# Nobody waits long for a page that is known to be bad.
QUICK = Limits(load=5.0, chat=2.5, settle=1.0, glance=0.7, guest_id=0.5, visit=30.0)


class Visits:
    """Visits of one simulated site, as one harvester makes them."""

    def __init__(
        self,
        store: Store,
        workspace: Workspace,
        site: SimulatedSite,
        processes: VisitProcesses | None = None,
        *,
        browser: str = "",
        limits: Limits = QUICK,
    ) -> None:
        """*processes*: what makes the visits; processes of their own where nothing else is given."""
        self.store = store
        self.workspace = workspace
        self.site = site
        self.processes = processes or VisitProcesses()
        self.visitor = Visitor(store, workspace, self.processes, browser=browser, limits=limits)

    def restarted(self) -> "Visits":
        """The same as a new process would make them."""
        return Visits(self.store, Workspace(f"other {self.workspace.path}"), self.site, self.processes)

    def changed(self, *, site: SimulatedSite | None = None, limits: Limits = QUICK) -> "Visits":
        """The same for another site, or with other limits."""
        return Visits(self.store, self.workspace, site or self.site, self.processes, limits=limits)

    async def make(self, *, path: str = "", is_page_given: bool = False) -> Visit:
        """Visit the site's front page, or the one at *path* below it."""
        page = Site(self.site.origin, self.site.url + path)
        visit = await self.visitor.visit(page, "command", is_page_given=is_page_given)
        assert visit is not None
        return visit

    async def capture(self, *, path: str = "", is_page_given: bool = False) -> Credentials:
        """Make a visit that must succeed; the credentials that are current then."""
        visit = await self.make(path=path, is_page_given=is_page_given)
        assert visit.outcome is Outcome.CAPTURED, visit
        return (await self.state()).current

    async def state(self) -> SiteState:
        """What the store holds of the site."""
        state = await self.store.site_state(self.site.origin)
        assert state is not None
        return state

    def requests(self, name: str) -> list[SeenRequest]:
        """Requests to the site, by their action or path."""
        return [request for request in self.site.requests if name in (request.action, request.path)]


def processes_of(directory: Path) -> list[psutil.Process]:
    """Processes that have to do with *directory* or anything in it, and ended children that nobody waited for."""
    return list(_processes_of(str(directory)))


def _processes_of(directory: str) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.ppid() == psutil.Process().pid and process.status() == psutil.STATUS_ZOMBIE:
                yield process
                continue
            args = [process.environ().get("TMPDIR", ""), process.cwd(), *process.cmdline()]
            if process.pid != psutil.Process().pid and any(directory in word for word in args):
                yield process


async def wait_for(question: Callable[[], Any], what: str, *, seconds: float = 60.0) -> Any:
    """The first true answer to *question*, which may be awaitable; fails the test after *seconds*."""
    deadline = time.monotonic() + seconds
    while True:
        answer = question()
        if isinstance(answer, Awaitable):
            answer = await answer
        if answer:
            return answer
        assert time.monotonic() < deadline, f"waited {seconds} s in vain until {what}"
        await asyncio.sleep(0.02)
