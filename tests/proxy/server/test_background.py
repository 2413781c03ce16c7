"""Background tasks are restarted after any failure, which is reported."""

import asyncio
from itertools import pairwise

import pytest

from proxy.server import background
from proxy.server.background import BackgroundTasks
from shared.store import StoreUnavailable

FAULTS = (StoreUnavailable("away"), KeyError("a mistake of ours"), ExceptionGroup("several", [ValueError("one")]), None)


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the pauses."""
    monkeypatch.setattr(background, "MIN_PAUSE", 0.05)
    monkeypatch.setattr(background, "STEADY_SECONDS", 0.2)


async def wait_for_problem(running: BackgroundTasks, problem: str | None) -> None:
    async with asyncio.timeout(5):
        while running.problem != problem:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_task_that_fails_or_ends_is_reported_and_restarted(
    fault: Exception | None, caplog: pytest.LogCaptureFixture
) -> None:
    runs = 0

    async def work() -> None:
        nonlocal runs
        runs += 1
        if runs > 2:
            await asyncio.Event().wait()
        if fault is not None:
            raise fault

    running = BackgroundTasks()
    running.start("the work", work)
    assert running.problem is None
    await wait_for_problem(running, "background work fails: the work; the log says why")
    await wait_for_problem(running, None)

    assert runs == 3
    assert caplog.text.count("beginning again") == 2
    await running.stop()


async def test_the_pauses_grow_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "MAX_PAUSE", 0.2)
    moments: list[float] = []

    async def work() -> None:
        moments.append(asyncio.get_running_loop().time())
        raise OSError

    running = BackgroundTasks()
    running.start("the work", work)
    async with asyncio.timeout(5):
        while len(moments) < 6:
            await asyncio.sleep(0.01)
    await running.stop()

    pauses = [later - earlier for earlier, later in pairwise(moments)]
    assert all(pause > least - 0.01 for pause, least in zip(pauses, (0.05, 0.1, 0.2, 0.2, 0.2), strict=True))
    assert pauses[-1] < 0.8  # unbounded, it would be this long


async def test_a_task_that_waits_to_begin_again_does_not_count_as_steady(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "MIN_PAUSE", 1.0)

    async def work() -> None:
        raise OSError

    running = BackgroundTasks()
    running.start("the work", work)
    await wait_for_problem(running, "background work fails: the work; the log says why")
    await asyncio.sleep(0.4)  # longer than what counts as steady

    assert running.problem is not None
    await running.stop()
