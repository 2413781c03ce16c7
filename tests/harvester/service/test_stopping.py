"""What comes due while the schedule is being stopped."""

import asyncio
import time

import pytest

from shared.models import Visit
from shared.parsing import Site
from shared.store import Store
from tests.harvester.service.test_schedule import FIRST, SECOND, WrittenVisits, scheduled, until
from tests.shared.samples import capture

INTERVAL = 1.0  # seconds: the first visit is under way sooner, also on a busy machine


class SlowToEnd(WrittenVisits):
    """A visit that takes longer to end than the other site's has to wait for its own."""

    async def visit(self, site: Site, trigger: str) -> Visit | None:
        try:
            return await super().visit(site, trigger)
        except asyncio.CancelledError:
            await asyncio.sleep(3 * INTERVAL)
            raise


async def test_a_visit_that_comes_due_meanwhile_is_not_begun(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    await store.save_capture(capture(site=SECOND.origin, at=time.time()), base=0)
    visits = SlowToEnd(store, seconds=60)
    async with scheduled(store, visits, FIRST, SECOND, interval=INTERVAL) as task:
        await until(lambda: visits.under_way)
        task.cancel()
        await asyncio.wait({task}, timeout=10)

    assert visits.made == [(FIRST.origin, "start")]
    assert caplog.records == []
