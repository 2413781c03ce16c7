"""Where the chat is looked for, and how long; without a browser."""

import asyncio
import time
from dataclasses import replace
from typing import Any

import pytest

from harvester.job import Job, Limits
from harvester.visit.addresses import Link
from harvester.visit.errors import PageFailed, VisitFailed
from harvester.visit.search import find_chat
from harvester.visit.tab import PageDetails
from shared.models import Cause, Outcome
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


async def failure(tab: FakeTab, job: Job) -> VisitFailed:
    with pytest.raises(VisitFailed) as caught:
        await find_chat(tab, job)
    return caught.value


async def test_the_page_of_the_last_capture_is_looked_at_first() -> None:
    tab = FakeTab({CHAT: page(CHAT, CONFIG), FRONT: page(FRONT, CONFIG)})

    assert (await find_chat(tab, job(remembered_url=CHAT))).page.url == CHAT
    assert tab.visited == [CHAT]


@pytest.mark.parametrize("gone", [PageFailed("gone"), TimeoutError()])
async def test_a_remembered_page_that_is_gone_leads_back_to_the_configured_one(gone: Exception) -> None:
    tab = FakeTab({FRONT: page(FRONT, CONFIG)}, failures={OLD: [gone]})

    assert (await find_chat(tab, job(remembered_url=OLD))).page.url == FRONT


async def test_a_remembered_page_without_a_chat_gets_the_full_time_and_then_the_configured_one_is_used() -> None:
    tab = FakeTab({OLD: page(OLD, links=LINKS), FRONT: page(FRONT, CONFIG)})
    started = time.monotonic()

    assert (await find_chat(tab, job(remembered_url=OLD))).page.url == FRONT
    assert time.monotonic() - started >= BRIEF.chat


async def test_the_named_page_gets_its_full_time_before_another_one_is_taken_and_that_is_reported() -> None:
    tab = FakeTab({FRONT: page(FRONT, links=LINKS), CHAT: page(CHAT, CONFIG)})
    started = time.monotonic()

    found = await find_chat(tab, replace(job(), named_url=FRONT))

    assert found.page.url == CHAT
    assert time.monotonic() - started >= BRIEF.chat
    assert CHAT in found.note
    assert FRONT in found.note
    assert "which the settings name: it was taken since that one showed none" in found.note
    assert "which was asked for" in (await find_chat(tab, replace(job(), named_url=CHAT))).note  # `harvest --site`


async def test_that_the_page_of_the_last_capture_is_not_the_named_one_is_reported() -> None:
    tab = FakeTab({CHAT: page(CHAT, CONFIG)})

    assert "the last visit found it" in (await find_chat(tab, job(remembered_url=CHAT))).note


async def test_a_page_that_leads_to_the_chat_is_reported_without_a_warning() -> None:
    tab = FakeTab({FRONT: page(CHAT, CONFIG)})

    assert (await find_chat(tab, job())).note == ""


async def test_when_no_other_page_has_it_the_configured_one_is_shown_again() -> None:
    tab = FakeTab({FRONT: page(FRONT, links=LINKS), CHAT: page(CHAT)})

    found = await failure(tab, job())

    assert found.cause.outcome is Outcome.NO_CHAT
    assert tab.visited == [FRONT, CHAT, FRONT]


async def test_without_other_hosts_scripts_a_page_gets_a_glance_and_with_them_its_full_time() -> None:
    tab = FakeTab({FRONT: page(FRONT, withheld=True)})

    async def add_chat() -> None:
        while not tab.is_wide:
            await asyncio.sleep(0.01)
        tab.pages[FRONT] = page(FRONT, CONFIG)

    started = time.monotonic()
    found, _ = await asyncio.gather(find_chat(tab, job()), add_chat())

    assert found.note == ""
    assert tab.visited == [FRONT, FRONT]
    assert BRIEF.glance <= time.monotonic() - started < BRIEF.chat


async def test_a_page_that_shows_its_chat_without_them_is_not_loaded_again() -> None:
    tab = FakeTab({FRONT: page(FRONT, CONFIG, withheld=True)})

    assert (await find_chat(tab, job())).page.withheld
    assert (tab.visited, tab.is_wide) == ([FRONT], False)


async def test_the_only_other_page_gets_the_full_time_too() -> None:
    tab = FakeTab({OLD: page(OLD), FRONT: page(FRONT)})
    started = time.monotonic()

    await failure(tab, job(page_url=OLD))

    assert tab.visited == [OLD, FRONT, OLD]
    assert time.monotonic() - started >= 2 * BRIEF.chat + BRIEF.glance


async def test_frames_and_pages_that_it_leads_to_come_before_linked_ones() -> None:
    framed, led = f"{SITE}/framed/", f"{SITE}/led/"
    front = page(FRONT, links=LINKS, frames=["/framed/", "https://other.example/"], refreshes=["3600; /led/"])
    tab = FakeTab({FRONT: front, framed: page(framed), led: page(led), CHAT: page(CHAT)})

    await failure(tab, job())

    assert tab.visited == [FRONT, framed, led, CHAT, FRONT]


async def test_a_page_that_soon_leads_on_is_waited_for_and_the_next_one_gets_its_own_time() -> None:
    tab = FakeTab({FRONT: page(FRONT, refreshes=["0; url=/chat/"], scripts=0)})

    async def lead_on() -> None:
        await asyncio.sleep(BRIEF.chat * 0.8)
        tab.pages[FRONT] = page(CHAT, loads=2)
        await asyncio.sleep(BRIEF.chat * 0.8)
        tab.pages[FRONT] = page(CHAT, CONFIG, loads=2)

    found, _ = await asyncio.gather(find_chat(tab, job()), lead_on())

    assert found.page.url == CHAT


async def test_only_a_finished_page_without_a_chat_is_scrolled_to_its_end() -> None:
    tab = FakeTab({FRONT: page(FRONT)})
    await failure(tab, job())
    assert tab.scrolls == 3

    for shown in (page(FRONT, CONFIG), page(FRONT, fields=["aipkit"])):
        tab = FakeTab({FRONT: shown})
        await find_chat(tab, job())
        assert tab.scrolls == 0


TURNSTILE = ["https://challenges.cloudflare.com/turnstile/v0/api.js"]


async def test_a_widget_is_a_check_only_when_nothing_better_is_found() -> None:
    with_widget = page(FRONT, resources=TURNSTILE, links=LINKS)
    better = FakeTab({FRONT: with_widget, CHAT: page(CHAT, CONFIG)})
    assert (await find_chat(better, job())).page.url == CHAT

    for tab in (
        FakeTab({FRONT: with_widget, CHAT: page(CHAT)}),
        FakeTab({FRONT: page(FRONT, links=LINKS), CHAT: page(CHAT, resources=TURNSTILE)}),
        FakeTab({FRONT: page(FRONT, resources=TURNSTILE, status=403)}),
    ):
        found = await failure(tab, job())
        assert found.cause.outcome is Outcome.CHALLENGE
        assert "Turnstile" in found.reason


async def test_at_most_three_more_pages_are_looked_at() -> None:
    links = [Link(f"/chat-{number}/", "Chat") for number in range(9)]
    tab = FakeTab(
        {FRONT: page(FRONT, links=links)} | {f"{SITE}/chat-{n}/": page(f"{SITE}/chat-{n}/") for n in range(9)}
    )

    await failure(tab, job())

    assert len(tab.visited) == 1 + 3 + 1


async def test_a_missing_page_still_leads_to_the_front_page() -> None:
    tab = FakeTab({OLD: page(OLD, status=404), FRONT: page(FRONT, CONFIG)})

    assert (await find_chat(tab, job(page_url=OLD))).page.url == FRONT


async def test_a_chat_on_a_page_with_an_error_status_is_a_chat() -> None:
    tab = FakeTab({FRONT: page(FRONT, CONFIG, status=503)})

    assert (await find_chat(tab, job())).page.status == 503


async def test_a_bot_check_before_any_of_the_pages_ends_the_visit() -> None:
    check = page(CHAT, title="Just a moment...", status=403)

    assert (await failure(FakeTab({FRONT: replace(check, url=FRONT)}), job())).cause.outcome is Outcome.CHALLENGE
    linked = FakeTab({FRONT: page(FRONT, links=LINKS), CHAT: check})
    assert (await failure(linked, job())).cause.outcome is Outcome.CHALLENGE
    remembered = FakeTab({CHAT: check, FRONT: page(FRONT, CONFIG)})
    assert (await failure(remembered, job(remembered_url=CHAT))).cause.outcome is Outcome.CHALLENGE


async def test_in_a_window_a_check_is_left_to_the_person_for_as_long_as_there_is_time() -> None:
    tab = FakeTab({FRONT: page(FRONT, title="Just a moment...", status=403, scripts=0, links=LINKS)})
    started = time.monotonic()

    found = await failure(tab, job(is_headed=True))

    assert found.cause.outcome is Outcome.CHALLENGE
    assert time.monotonic() - started >= BRIEF.chat
    assert tab.visited == [FRONT]


async def test_in_a_window_the_person_may_lead_the_tab_to_the_chat() -> None:
    tab = FakeTab({FRONT: page(FRONT, title="Just a moment...", status=403), CHAT: page(CHAT, CONFIG)})

    async def pass_the_check() -> None:
        await asyncio.sleep(BRIEF.chat / 2)
        tab.visited.append(CHAT)

    found, _ = await asyncio.gather(find_chat(tab, job(is_headed=True)), pass_the_check())

    assert found.page.url == CHAT


@pytest.mark.parametrize(
    ("details", "loads", "cause", "reason"),
    [
        ({"text": "AI Engine: Chatbot 'gone' not found."}, 1, Cause.NO_CHAT, "Chatbot 'gone' not found"),
        ({"older": "AI Power", "buttons": ["Chat"]}, 1, Cause.NO_CHAT, "the chat of AI Power"),
        ({"buttons": ["Menu", "Chat with us"]}, 1, Cause.CLICK, '"Chat with us" may open one'),
        ({"text": "Are you over 18?", "buttons": ["Yes"]}, 1, Cause.AGE, "confirm their age"),
        ({"asks_password": True}, 1, Cause.LOGIN, "asks for a password"),
        ({"asks_password": True}, 3, Cause.RESTLESS, "loaded itself 3 times"),
        ({}, 2, Cause.NO_CHAT, "name its page in FREEAICHAT_SITES"),
    ],
)
async def test_what_a_page_without_a_chat_shows_is_reported(
    details: dict[str, Any], loads: int, cause: Cause, reason: str
) -> None:
    tab = FakeTab({FRONT: page(FRONT, loads=loads, scripts=0)})
    tab.shown = PageDetails(**{"text": "", "buttons": [], "asks_password": False, **details})

    found = await failure(tab, job())

    assert found.cause is cause
    assert reason in found.reason


async def test_another_address_of_the_named_page_needs_no_note() -> None:
    tab = FakeTab({OLD: page(FRONT, CONFIG)})

    assert (await find_chat(tab, job(remembered_url=OLD))).note == ""
