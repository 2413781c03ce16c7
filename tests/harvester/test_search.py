"""Where the chat is looked for, and how long; without a browser."""

import asyncio
import time
from dataclasses import replace

import pytest

from harvester.addresses import Link
from harvester.job import Job, Limits
from harvester.search import VisitFailed, find_chat
from harvester.tab import PageFailed
from shared.models import Outcome
from tests.harvester.fake_tab import CONFIG, SITE, FakeTab, page

FRONT, CHAT, OLD = f"{SITE}/", f"{SITE}/chat/", f"{SITE}/old/"
LINKS = [Link("/chat/", "Chat"), Link("/about/", "About")]
BRIEF = Limits(load=1.0, chat=0.4, glance=0.1)


def job(*, page_url: str = FRONT, remembered_url: str = "", is_headed: bool = False) -> Job:
    return Job(
        site=SITE,
        page_url=page_url,
        remembered_url=remembered_url,
        browser="unused",
        is_headed=is_headed,
        limits=BRIEF,
    )


async def failure(tab: FakeTab, told: Job) -> VisitFailed:
    with pytest.raises(VisitFailed) as caught:
        await find_chat(tab, told)
    return caught.value


async def test_the_page_of_the_last_capture_is_looked_at_first() -> None:
    tab = FakeTab({CHAT: page(CHAT, CONFIG), FRONT: page(FRONT, CONFIG)})

    assert (await find_chat(tab, job(remembered_url=CHAT))).url == CHAT
    assert tab.went == [CHAT]


@pytest.mark.parametrize("gone", [PageFailed("gone"), TimeoutError()])
async def test_a_remembered_page_that_is_gone_leads_back_to_the_configured_one(gone: Exception) -> None:
    tab = FakeTab({FRONT: page(FRONT, CONFIG)}, failures={OLD: [gone]})

    assert (await find_chat(tab, job(remembered_url=OLD))).url == FRONT


async def test_a_remembered_page_without_a_chat_gets_the_full_time_and_then_the_configured_one_is_used() -> None:
    tab = FakeTab({OLD: page(OLD, links=LINKS), FRONT: page(FRONT, CONFIG)})
    begun = time.monotonic()

    assert (await find_chat(tab, job(remembered_url=OLD))).url == FRONT
    assert time.monotonic() - begun >= BRIEF.chat


async def test_a_page_without_a_chat_is_left_early_for_one_that_it_links_to() -> None:
    tab = FakeTab({FRONT: page(FRONT, links=LINKS), CHAT: page(CHAT, CONFIG)})
    begun = time.monotonic()

    assert (await find_chat(tab, job())).url == CHAT
    assert time.monotonic() - begun < BRIEF.chat


async def test_when_no_other_page_has_it_the_configured_one_gets_its_full_time() -> None:
    tab = FakeTab({FRONT: page(FRONT, links=LINKS), CHAT: page(CHAT)})

    found = await failure(tab, job())

    assert found.outcome is Outcome.NO_CHAT
    assert tab.went == [FRONT, CHAT, FRONT]


async def test_at_most_three_more_pages_are_looked_at() -> None:
    links = [Link(f"/chat-{number}/", "Chat") for number in range(9)]
    tab = FakeTab(
        {FRONT: page(FRONT, links=links)} | {f"{SITE}/chat-{n}/": page(f"{SITE}/chat-{n}/") for n in range(9)}
    )

    await failure(tab, job())

    assert len(tab.went) == 1 + 3 + 1


async def test_a_page_without_any_script_is_not_waited_for() -> None:
    tab = FakeTab({FRONT: page(FRONT, scripts=0)})
    begun = time.monotonic()

    await failure(tab, job())

    assert time.monotonic() - begun < BRIEF.glance


async def test_a_missing_page_still_leads_to_the_front_page() -> None:
    tab = FakeTab({OLD: page(OLD, status=404), FRONT: page(FRONT, CONFIG)})

    assert (await find_chat(tab, job(page_url=OLD))).url == FRONT


async def test_a_chat_on_a_page_with_an_error_status_is_a_chat() -> None:
    tab = FakeTab({FRONT: page(FRONT, CONFIG, status=503)})

    assert (await find_chat(tab, job())).status == 503


async def test_a_bot_check_before_any_of_the_pages_ends_the_visit() -> None:
    check = page(CHAT, title="Just a moment...", status=403)

    assert (await failure(FakeTab({FRONT: replace(check, url=FRONT)}), job())).outcome is Outcome.CHALLENGE
    linked = FakeTab({FRONT: page(FRONT, links=LINKS), CHAT: check})
    assert (await failure(linked, job())).outcome is Outcome.CHALLENGE
    remembered = FakeTab({CHAT: check, FRONT: page(FRONT, CONFIG)})
    assert (await failure(remembered, job(remembered_url=CHAT))).outcome is Outcome.CHALLENGE


async def test_in_a_window_a_check_is_left_to_the_person_for_as_long_as_there_is_time() -> None:
    tab = FakeTab({FRONT: page(FRONT, title="Just a moment...", status=403, scripts=0, links=LINKS)})
    begun = time.monotonic()

    found = await failure(tab, job(is_headed=True))

    assert found.outcome is Outcome.CHALLENGE
    assert time.monotonic() - begun >= BRIEF.chat


async def test_in_a_window_the_person_may_lead_the_tab_to_the_chat() -> None:
    tab = FakeTab({FRONT: page(FRONT, title="Just a moment...", status=403), CHAT: page(CHAT, CONFIG)})

    async def pass_the_check() -> None:
        await asyncio.sleep(BRIEF.chat / 2)
        tab.went.append(CHAT)

    found, _ = await asyncio.gather(find_chat(tab, job(is_headed=True)), pass_the_check())

    assert found.url == CHAT


async def test_a_field_of_the_plugins_without_its_markup_is_taken_after_a_glance() -> None:
    tab = FakeTab({FRONT: page(FRONT, box=True)})
    begun = time.monotonic()

    assert (await find_chat(tab, job())).box
    assert BRIEF.glance <= time.monotonic() - begun < BRIEF.chat


async def test_a_broken_connection_is_tried_once_more() -> None:
    reset = PageFailed("reset", is_passing=True)
    once = FakeTab({FRONT: page(FRONT, CONFIG)}, failures={FRONT: [reset]})
    twice = FakeTab({FRONT: page(FRONT, CONFIG)}, failures={FRONT: [reset, reset]})

    assert (await find_chat(once, job())).url == FRONT
    assert (await failure(twice, job())).outcome is Outcome.SITE_ERROR
    assert twice.went == [FRONT, FRONT]


async def test_a_page_that_is_just_changing_is_looked_at_again() -> None:
    tab = FakeTab({FRONT: page(FRONT, CONFIG)}, interruptions=3)

    assert (await find_chat(tab, job())).url == FRONT


async def test_a_page_that_never_finishes_and_has_no_chat_is_a_timeout() -> None:
    tab = FakeTab({FRONT: page(FRONT, ready=False)})

    assert (await failure(tab, job())).outcome is Outcome.TIMEOUT


@pytest.mark.parametrize(("loads", "outcome"), [(2, Outcome.NO_CHAT), (3, Outcome.TIMEOUT)])
async def test_a_page_that_loads_itself_again_and_again_is_a_timeout_also_where_it_looks_finished(
    loads: int, outcome: Outcome
) -> None:
    tab = FakeTab({FRONT: page(FRONT, loads=loads)})

    assert (await failure(tab, job())).outcome is outcome
