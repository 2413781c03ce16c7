"""Work beside the requests: whatever happens to it, it goes on, and it is told that it failed."""

import asyncio
from itertools import pairwise

import pytest

from proxy.server import background
from proxy.server.background import BackgroundTasks
from shared.store import StoreUnavailable

FAULTS = (StoreUnavailable("away"), KeyError("a mistake of ours"), ExceptionGroup("several", [ValueError("one")]), None)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses that a test can wait for."""
    monkeypatch.setattr(background, "MIN_PAUSE", 0.05)
    monkeypatch.setattr(background, "STEADY_SECONDS", 0.2)


async def told(running: BackgroundTasks, trouble: str | None) -> None:
    async with asyncio.timeout(5):
        while running.problem != trouble:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("fault", FAULTS)
async def test_what_fails_or_ends_is_told_and_begun_again(
    fault: Exception | None, caplog: pytest.LogCaptureFixture
) -> None:
    begun = 0

    async def work() -> None:
        nonlocal begun
        begun += 1
        if begun > 2:
            await asyncio.Event().wait()
        if fault is not None:
            raise fault

    running = BackgroundTasks()
    running.start("the work", work)
    assert running.problem is None
    await told(running, "background work fails: the work; the log says why")
    await told(running, None)

    assert begun == 3
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
