"""When a page is visited that the settings did not name before, and when that where the chat was found last."""

import time
from dataclasses import replace

import pytest

from harvester.service.visitor import _remembered
from shared.store import Store
from tests.harvester.service.test_schedule import FIRST, SECOND, FakeVisits, scheduled, wait_for_two_polls, wait_until
from tests.shared.samples import capture, credentials


async def test_only_what_was_captured_for_a_page_of_other_settings_is_visited_at_the_start(store: Store) -> None:
    for one, named in ((FIRST, f"{FIRST.url}old/"), (SECOND, SECOND.url)):
        fresh = capture(site=one.origin, at=time.time())
        await store.save_capture(replace(fresh, credentials=replace(fresh.credentials, named_url=named)), base=0)
    visits = FakeVisits(store)
    async with scheduled(store, visits, FIRST, SECOND):
        await wait_until(lambda: visits.made)
        await wait_for_two_polls(store)

    assert visits.made == [(FIRST.origin, "start")]


@pytest.mark.parametrize(
    ("named", "found_at", "is_remembered"),
    [
        (FIRST.url, f"{FIRST.url}chat/", True),
        (FIRST.url, FIRST.url, False),
        (f"{FIRST.url}old/", f"{FIRST.url}chat/", False),
        (FIRST.url, "https://elsewhere.example/chat/", False),
    ],
)
def test_the_page_where_the_chat_was_found_is_remembered_on_the_same_site_and_for_the_same_settings(
    named: str, found_at: str, is_remembered: bool
) -> None:
    current = replace(credentials(), named_url=named, page_url=found_at)

    assert _remembered(FIRST, current) == (found_at if is_remembered else "")
