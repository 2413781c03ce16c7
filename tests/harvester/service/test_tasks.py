"""Running work that finishes in spite of cancellation."""

import asyncio
import os
import signal

import pytest

from harvester.service.tasks import finish_uncancelled, run_until_stopped


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_a_signal_ends_the_work_in_order(number: signal.Signals) -> None:
    """The last one comes where the terminal is closed in which the harvester runs."""
    tidied_up = []

    async def work() -> int:
        os.kill(os.getpid(), number)
        try:
            await asyncio.Event().wait()
        finally:
            for _ in range(5):
                await asyncio.sleep(0)
            tidied_up.append(True)
        return 0

    assert await run_until_stopped(work(), when_stopped=3) == 3
    assert tidied_up == [True]


async def test_what_does_not_end_in_time_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harvester.service.tasks.STOP_SECONDS", 0.01)

    async def work() -> int:
        os.kill(os.getpid(), signal.SIGTERM)
        await finish_uncancelled(asyncio.sleep(0.1))
        return 0

    assert await run_until_stopped(work(), when_stopped=3) == 3


async def test_work_started_with_nohup_survives_a_hangup() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as by `nohup`

    async def work() -> int:
        os.kill(os.getpid(), signal.SIGHUP)
        await asyncio.sleep(0.01)
        return 0

    try:
        assert await run_until_stopped(work(), when_stopped=3) == 0
    finally:
        signal.signal(signal.SIGHUP, before)


async def test_a_cancellation_waits_for_the_end_of_the_work() -> None:
    finished = []
    started, go_on = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        started.set()
        await go_on.wait()
        finished.append(True)

    task = asyncio.create_task(finish_uncancelled(work()))
    await started.wait()
    task.cancel()
    for _ in range(5):  # it is told, and could end
        await asyncio.sleep(0)
    assert not task.done()
    go_on.set()
    await asyncio.wait({task})

    assert task.cancelled()
    assert finished == [True]


async def test_a_failure_is_passed_on() -> None:
    async def work() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await finish_uncancelled(work())
