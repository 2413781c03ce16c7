"""How long one page is looked at for its chat, and what ends that; without a browser."""

import asyncio
import time
from dataclasses import replace

import pytest

from harvester.visit.errors import PageFailed
from harvester.visit.search import find_chat
from shared.models import Outcome
from tests.harvester.fake_tab import CONFIG, FakeTab, page
from tests.harvester.visit.test_search import BRIEF, CHAT, FRONT, LINKS, failure, job


async def test_a_page_with_an_error_status_gets_a_glance_for_its_scripts() -> None:
    tab = FakeTab({FRONT: page(FRONT, status=503)})
    started = time.monotonic()

    assert "HTTP 503" in (await failure(tab, job())).reason
    assert BRIEF.glance <= time.monotonic() - started < BRIEF.chat


@pytest.mark.parametrize("status", [429, 503])
async def test_whatever_page_asks_to_be_left_alone_ends_the_visit(status: int) -> None:
    busy = page(CHAT, status=status, headers={"retry-after": "120"})

    for its_job, tab in (
        (job(remembered_url=CHAT), FakeTab({CHAT: busy, FRONT: page(FRONT, CONFIG)})),
        (job(), FakeTab({FRONT: page(FRONT, links=LINKS), CHAT: busy})),
        (job(), FakeTab({FRONT: replace(busy, url=FRONT)})),
    ):
        found = await failure(tab, its_job)
        assert found.cause.outcome is Outcome.SITE_ERROR
        assert found.retry_after == 120


async def test_too_many_requests_end_the_visit_however_long_they_are_to_pause() -> None:
    tab = FakeTab({CHAT: page(CHAT, status=429), FRONT: page(FRONT, CONFIG)})

    assert (await failure(tab, job(remembered_url=CHAT))).cause.outcome is Outcome.SITE_ERROR
    assert tab.visited == [CHAT]


async def test_a_firewall_that_blocks_ends_the_visit_and_is_not_asked_again_at_once() -> None:
    blocked = page(CHAT, status=403, title="Attention Required! | Cloudflare", is_blocked=True)
    tab = FakeTab({CHAT: blocked, FRONT: page(FRONT, CONFIG)})

    found = await failure(tab, job(remembered_url=CHAT))

    assert (found.cause.outcome, found.retry_after) == (Outcome.SITE_ERROR, 60)
    assert tab.visited == [CHAT]


async def test_a_page_with_a_chat_is_read_once_it_is_whole() -> None:
    tab = FakeTab({FRONT: page(FRONT, CONFIG, ready=False)})

    async def go_on() -> None:
        await asyncio.sleep(BRIEF.glance)
        tab.pages[FRONT] = page(FRONT, CONFIG, CONFIG)

    found, _ = await asyncio.gather(find_chat(tab, job()), go_on())

    assert len(found.page.configs) == 2


async def test_a_page_without_any_script_is_not_waited_for() -> None:
    tab = FakeTab({FRONT: page(FRONT, scripts=0)})
    started = time.monotonic()

    await failure(tab, job())

    assert time.monotonic() - started < BRIEF.glance
    started = time.monotonic()
    await failure(FakeTab({FRONT: page(FRONT, scripts=0, frames=["https://other.example/"])}), job())
    assert time.monotonic() - started >= BRIEF.chat


async def test_a_field_of_the_plugins_without_its_markup_is_taken_after_a_glance() -> None:
    tab = FakeTab({FRONT: page(FRONT, fields=["aipkit"])})
    started = time.monotonic()

    assert (await find_chat(tab, job())).page.fields
    assert BRIEF.glance <= time.monotonic() - started < BRIEF.chat


async def test_what_a_late_field_needs_may_come_a_moment_behind_it() -> None:
    tab = FakeTab({FRONT: page(FRONT, ready=False)})

    async def go_on() -> None:
        await asyncio.sleep(2 * BRIEF.glance)
        tab.pages[FRONT] = page(FRONT, fields=["mwai"])  # its document is whole, and is being read
        await asyncio.sleep(BRIEF.glance * 0.7)
        tab.pages[FRONT] = page(FRONT, CONFIG, fields=["mwai"])

    found, _ = await asyncio.gather(find_chat(tab, job()), go_on())

    assert len(found.page.configs) == 1


async def test_a_broken_connection_is_tried_once_more() -> None:
    reset = PageFailed("reset", is_transient=True)
    once = FakeTab({FRONT: page(FRONT, CONFIG)}, failures={FRONT: [reset]})
    twice = FakeTab({FRONT: page(FRONT, CONFIG)}, failures={FRONT: [reset, reset]})

    assert (await find_chat(once, job())).page.url == FRONT
    assert (await failure(twice, job())).cause.outcome is Outcome.SITE_ERROR
    assert twice.visited == [FRONT, FRONT]
    gone = FakeTab({FRONT: page(FRONT, CONFIG)}, failures={FRONT: [PageFailed("gone")]})
    assert (await failure(gone, job())).cause.outcome is Outcome.SITE_ERROR
    assert gone.visited == [FRONT]


async def test_a_page_that_is_just_changing_is_looked_at_again() -> None:
    tab = FakeTab({FRONT: page(FRONT, CONFIG)}, interruptions=3)

    assert (await find_chat(tab, job())).page.url == FRONT


async def test_a_page_that_never_finishes_and_has_no_chat_is_a_timeout() -> None:
    tab = FakeTab({FRONT: page(FRONT, ready=False)})

    assert (await failure(tab, job())).cause.outcome is Outcome.TIMEOUT


@pytest.mark.parametrize(("loads", "outcome"), [(2, Outcome.NO_CHAT), (3, Outcome.TIMEOUT)])
async def test_a_page_that_loads_itself_again_and_again_is_a_timeout_also_where_it_looks_finished(
    loads: int, outcome: Outcome
) -> None:
    tab = FakeTab({FRONT: page(FRONT, loads=loads)})

    assert (await failure(tab, job())).cause.outcome is outcome
