"""Work that is not broken off."""

import asyncio

import pytest

from harvester.service.tasks import to_the_end


async def test_a_cancellation_waits_for_the_end_of_the_work() -> None:
    done = []
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        await go_on.wait()
        done.append(True)

    doing = asyncio.create_task(to_the_end(work()))
    await begun.wait()
    doing.cancel()
    for _ in range(5):  # it is told, and could end
        await asyncio.sleep(0)
    assert not doing.done()
    go_on.set()
    await asyncio.wait({doing})

    assert doing.cancelled()
    assert done == [True]


async def test_a_failure_is_passed_on() -> None:
    async def work() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await to_the_end(work())
