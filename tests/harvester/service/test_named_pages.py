"""When a page is visited that the settings did not name before."""

import time
from dataclasses import replace

from shared.store import Store
from tests.harvester.service.test_schedule import FIRST, SECOND, FakeVisits, scheduled, wait_for_two_polls, wait_until
from tests.shared.samples import capture


async def test_only_what_was_captured_for_a_page_of_other_settings_is_visited_at_the_start(store: Store) -> None:
    for one, named in ((FIRST, f"{FIRST.url}old/"), (SECOND, SECOND.url)):
        fresh = capture(site=one.origin, at=time.time())
        await store.save_capture(replace(fresh, credentials=replace(fresh.credentials, named_url=named)), base=0)
    visits = FakeVisits(store)
    async with scheduled(store, visits, FIRST, SECOND):
        await wait_until(lambda: visits.made)
        await wait_for_two_polls(store)

    assert visits.made == [(FIRST.origin, "start")]
