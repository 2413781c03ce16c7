"""Work that is not broken off."""

import asyncio

import pytest

from harvester.service.tasks import to_the_end


async def test_a_cancellation_waits_for_the_end_of_the_work() -> None:
    done = []

    async def work() -> None:
        await asyncio.sleep(0.1)
        done.append(True)

    doing = asyncio.create_task(to_the_end(work()))
    await asyncio.sleep(0.02)
    doing.cancel()
    await asyncio.wait({doing})

    assert doing.cancelled()
    assert done == [True]


async def test_a_failure_is_passed_on() -> None:
    async def work() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await to_the_end(work())
