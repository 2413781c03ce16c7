"""A timer for work that is usually cancelled."""

import asyncio
import logging

import pytest

from proxy.api.event_stream import Timer


async def wait_past(seconds: float) -> None:
    """Wait until a timer of so many *seconds* has done its work: whatever was due sooner has begun by then."""
    done = asyncio.Event()

    async def work() -> None:
        done.set()

    timer = Timer(seconds, work)
    await asyncio.wait_for(done.wait(), 5)
    await timer.stop()


async def test_work_is_done_again_after_as_long_as_it_says() -> None:
    times = iter([0.01, 0.01, None])
    done: list[float | None] = []

    async def work() -> float | None:
        done.append(next(times))
        return done[-1]

    timer = Timer(0.01, work)
    async with asyncio.timeout(5):
        while len(done) < 3:
            await asyncio.sleep(0.005)
    await wait_past(0.05)  # had it gone on, `work` would have failed
    await timer.stop()

    assert done == [0.01, 0.01, None]


async def test_a_timer_that_is_stopped_does_nothing_more_and_ends_work_in_progress() -> None:
    done: list[str] = []

    async def work() -> None:
        done.append("begun")
        await asyncio.sleep(60)
        done.append("ended")

    early, late = Timer(0.05, work), Timer(0.01, work)
    await early.stop()
    await wait_past(0.06)
    await late.stop()

    assert done == ["begun"]
    assert len(asyncio.all_tasks()) == 1


async def test_restarting_a_timer_resets_it() -> None:
    done = asyncio.Event()

    async def work() -> None:
        done.set()

    timer = Timer(0.05, work)
    timer.restart(0.3)
    await wait_past(0.06)
    assert not done.is_set()
    await asyncio.wait_for(done.wait(), 2)
    await timer.stop()


async def test_a_timer_restarted_by_its_own_work_is_still_stopped() -> None:
    done: list[str] = []

    async def work() -> float:
        done.append("begun")
        timer.restart(0.05)
        return 60.0

    timer = Timer(0.0, work)
    await wait_past(0.01)
    await timer.stop()
    await wait_past(0.1)

    assert done == ["begun"]


async def test_work_that_fails_is_reported_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def work() -> None:
        raise ValueError("no luck")

    timer = Timer(0.0, work)
    with caplog.at_level(logging.ERROR):
        async with asyncio.timeout(5):
            while "no luck" not in caplog.text:
                await asyncio.sleep(0.005)
    await timer.stop()
