"""The process of one visit, as the service starts it."""

import asyncio
import os
import sys
from pathlib import Path

import psutil
import pytest

from harvester.process_trees import kill_process_tree
from harvester.service.child import start_child
from harvester.service.visit_processes import VisitProcesses
from harvester.service.visitor import Visitor
from shared.models import Outcome
from shared.parsing import Site
from shared.processes.lifeline import Lifeline
from shared.processes.services import EXIT_ORPHANED
from tests.cli.processes import ROOT
from tests.end_to_end.running_up import still_running
from tests.harvester.visiting import Visits, wait_for

SECONDS = 40.0  # on a machine that is busy with other tests


def drivers(process: psutil.Process) -> list[psutil.Process]:
    """Playwright's drivers that *process* has started."""
    return [child for child in process.children() if "run-driver" in child.cmdline()]


async def start(*args: str, lifeline: Lifeline | None = None) -> asyncio.subprocess.Process:
    """The process of a visit, or what *args* make of it, which has been told nothing yet."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, *(args or ("-m", "harvester.visit"))),
        stdin=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | (lifeline.environment if lifeline is not None else {}),
        pass_fds=lifeline.pass_fds if lifeline is not None else (),
    )


async def test_the_driver_starts_before_it_is_known_what_to_visit_and_ends_with_the_process(tmp_path: Path) -> None:
    process = await start()
    system = psutil.Process(process.pid)
    try:
        assert process.stdin is not None
        process.stdin.write(b"%s\n" % os.fsencode(tmp_path))
        await wait_for(lambda: drivers(system), "the driver runs", seconds=SECONDS)
        (driver,) = drivers(system)
        assert driver.cwd() == str(tmp_path)
        process.stdin.close()  # no job will come
        await asyncio.wait_for(process.wait(), SECONDS)
        assert await still_running([driver], seconds=SECONDS) == []
    finally:
        kill_process_tree(tmp_path, root=system)


async def test_a_visit_process_without_a_job_ends_by_itself() -> None:
    script = "from harvester.visit import __main__ as m; m.IDLE_SECONDS = 0.1; m.asyncio.run(m._main())"
    process = await start("-c", script)

    assert await asyncio.wait_for(process.wait(), SECONDS) == 0


async def test_a_visit_process_whose_service_is_gone_before_a_job_ends_and_removes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.chdir(tmp_path)
    lifeline = Lifeline()
    process = await start(lifeline=lifeline)
    lifeline.close_child_end()
    lifeline.stop()

    assert await asyncio.wait_for(process.wait(), SECONDS) == EXIT_ORPHANED
    assert (tmp_path / "file").exists()


async def test_a_first_visit_is_made_by_the_process_that_waits_for_it(own_visits: Visits) -> None:
    waiting = await start_child()
    visitor = Visitor(own_visits.store, own_visits.workspace, VisitProcesses(waiting), browser="")

    open_files = set()
    for _ in range(2):  # the second by a process of its own
        visit = await visitor.visit(Site(own_visits.site.origin, own_visits.site.url), "command")

        assert visit is not None
        assert visit.outcome is Outcome.CAPTURED
        assert waiting.process.returncode is not None
        open_files.add(psutil.Process().num_fds())
    assert len(open_files) == 1


async def test_the_driver_keeps_what_it_has_compiled(
    own_visits: Visits, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    visitor = Visitor(own_visits.store, own_visits.workspace, VisitProcesses(), browser="")

    visit = await visitor.visit(Site(own_visits.site.origin, own_visits.site.url), "command")

    assert visit is not None
    assert visit.outcome is Outcome.CAPTURED
    kept = [file for file in (tmp_path / "freeaichat").rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in kept) > 100_000


async def test_a_user_without_a_home_has_visits_too(own_visits: Visits, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> str:
        raise RuntimeError("no home")

    monkeypatch.setattr("platformdirs.user_cache_dir", fail)
    visitor = Visitor(own_visits.store, own_visits.workspace, VisitProcesses(), browser="")

    visit = await visitor.visit(Site(own_visits.site.origin, own_visits.site.url), "command")

    assert visit is not None
    assert visit.outcome is Outcome.CAPTURED


@pytest.mark.parametrize("ending", ["killed", "stop"])
async def test_when_the_waiting_process_ends_another_one_makes_the_visit(
    own_visits: Visits, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harvester.service.visitor.ATTEMPTS", 1)  # none is made in vain
    waiting = await start_child()
    if ending == "killed":
        waiting.process.kill()
        await waiting.process.wait()
    waiting.stop()
    visitor = Visitor(own_visits.store, own_visits.workspace, VisitProcesses(waiting), browser="")

    visit = await visitor.visit(Site(own_visits.site.origin, own_visits.site.url), "command")

    assert visit is not None
    assert (visit.outcome, visit.reason) == (Outcome.CAPTURED, "")
    await asyncio.wait_for(waiting.process.wait(), SECONDS)
