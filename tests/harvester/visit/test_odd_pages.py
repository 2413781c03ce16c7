"""Chats that are not simply in their page's markup, and pages that stand before them, with a real browser."""

import json
from collections import Counter
from typing import Any

import pytest

from shared.models import Cause, Outcome
from shared.parsing import Site
from tests.harvester.visiting import Visits
from tests.site import SimulatedSite

IN_PLACE = [
    {"page": "frame"},
    {"page": "frame_srcdoc"},
    {"page": "frame_lazy"},
    {"page": "scrolled"},
    {"page": "wheeled"},
    {"page": "shadow"},
    {"page": "detached"},
    {"page": "template"},
    {"page": "elsewhere_script"},
    {"page": "elsewhere_assets"},
    {"page": "popups"},
    {"page": "clobbered"},
    {"page": "turnstile_late", "late_ms": 1000},
    {"page": "late_link", "late_ms": 1500},  # longer than a page is looked at that nobody named
]


@pytest.mark.parametrize("switches", IN_PLACE, ids=lambda switches: switches["page"])
async def test_the_chat_of_the_named_page_is_found(
    visits: Visits, site: SimulatedSite, switches: dict[str, Any]
) -> None:
    site.behaviour.update(switches)

    visit = await visits.make()

    assert (visit.outcome, visit.reason) == (Outcome.CAPTURED, "")
    state = await visits.state()
    assert state.current.page_url == site.url
    assert state.current.nonce == site.nonce
    assert len(state.bots) > 5
    assert visits.requests("/chat/") == []


@pytest.mark.parametrize("page", ["frame_clicked", "refresh_far"])
async def test_where_frames_and_slow_refreshes_lead_is_looked_at_first_and_reported(
    visits: Visits, site: SimulatedSite, page: str
) -> None:
    site.behaviour.page = page

    visit = await visits.make()

    assert visit.outcome is Outcome.CAPTURED
    assert f"{site.url}framed/, not of {site.url}" in visit.reason
    assert (await visits.state()).current.page_url == f"{site.url}framed/"


@pytest.mark.parametrize("page", ["refresh", "refresh_header"])
async def test_a_page_that_leads_on_is_followed(visits: Visits, site: SimulatedSite, page: str) -> None:
    site.behaviour.page = page

    visit = await visits.make()

    assert (visit.outcome, visit.reason) == (Outcome.CAPTURED, "")
    assert (await visits.state()).current.page_url == f"{site.url}chat/"
    assert len(visits.requests("/chat/")) == 1


async def test_a_site_that_moved_to_another_host_is_used_there(visits: Visits, site: SimulatedSite) -> None:
    site.behaviour.page = "moved"

    first, second = await visits.make(), await visits.make()
    found = (await visits.state()).current

    assert first.reason == second.reason == ""
    assert not found.is_on_other_page(site.url)
    assert found.site == site.origin
    assert found.page_url == f"http://{site.other_host}/"
    assert found.ajax_url == f"http://{site.other_host}/wp-admin/admin-ajax.php"


async def test_another_page_stays_told_also_when_the_next_visit_goes_there_at_once(
    visits: Visits, site: SimulatedSite
) -> None:
    site.behaviour.page = "links"

    first, second = await visits.make(), await visits.make()

    assert (
        first.reason == f"this is the chat of {site.url}chat/, not of {site.url}, which the settings name: "
        "it was taken since that one showed none"
    )
    assert "where the last visit found it" in second.reason
    assert first.cause == second.cause == Cause.OTHER_PAGE


@pytest.mark.parametrize(
    ("switches", "end", "reason"),
    [
        ({"page": "aws_waf"}, (Outcome.CHALLENGE, Cause.CHECK), "AWS WAF"),
        ({"page": "anubis"}, (Outcome.CHALLENGE, Cause.CHECK), "Anubis"),
        ({"page": "vercel"}, (Outcome.CHALLENGE, Cause.CHECK), "Vercel"),
        ({"page": "clicked"}, (Outcome.NO_CHAT, Cause.CLICK), '"Ask our AI" may open one'),
        ({"page": "forerunner"}, (Outcome.NO_CHAT, Cause.NO_CHAT), "it has the chat of AI Power"),
        ({"page": "age_gate"}, (Outcome.NO_CHAT, Cause.AGE), "confirm their age"),
        ({"page": "login"}, (Outcome.NO_CHAT, Cause.LOGIN), "/members/login/ asks visitors to log in"),
        ({"page_status": 451}, (Outcome.SITE_ERROR, Cause.REFUSED), "legal reasons"),
        ({"page_status": 401}, (Outcome.SITE_ERROR, Cause.REFUSED), "name and password"),
        ({"page": "covered"}, (Outcome.SITE_ERROR, Cause.PAGE), '<div class="cookie-layer"> lies over it'),
    ],
    ids=str,
)
async def test_what_stands_in_place_of_a_chat_is_reported(
    visits: Visits, site: SimulatedSite, switches: dict[str, Any], end: tuple[Outcome, Cause], reason: str
) -> None:
    site.behaviour.update(switches)

    visit = await visits.make()

    assert (visit.outcome, visit.cause) == end, visit
    assert reason in visit.reason
    assert visit.screenshot is True
    assert visits.requests("aipkit_cache_sse_message") == []


@pytest.mark.parametrize("status", [429, 503])
async def test_how_long_a_page_asks_to_be_left_alone_is_recorded(
    visits: Visits, site: SimulatedSite, status: int
) -> None:
    site.behaviour.update({"page_status": status, "page_retry_after": "7200"})

    visit = await visits.make()

    assert (visit.outcome, visit.retry_after) == (Outcome.SITE_ERROR, 7200.0)
    assert "7200 s" in visit.reason
    assert Counter(request.path for request in site.requests if not request.action)["/"] == 1


async def test_storage_that_the_page_has_filled_neither_fails_a_visit_nor_fills_the_store(
    visits: Visits, site: SimulatedSite
) -> None:
    site.behaviour.update({"page": "full_storage", "makes_guest_id": False})

    first = await visits.capture()
    second = await visits.capture()

    assert first.session_id == second.session_id
    identity = str(await visits.store.identity(site.origin))
    assert len(identity) < 600_000
    stored = {item["name"] for item in json.loads(identity)["origins"][0]["localStorage"]}
    assert "a-2999" in stored


async def test_the_guest_id_is_found_among_thousands_of_other_values(visits: Visits, site: SimulatedSite) -> None:
    site.behaviour.page = "full_storage"

    found = await visits.capture()

    assert f'"value": "{found.session_id}"' in str(await visits.store.identity(site.origin))


async def test_a_page_that_is_slow_has_its_time_also_where_another_one_was_taken_before(
    visits: Visits, site: SimulatedSite
) -> None:
    site.behaviour.page = "links"
    await visits.capture()
    site.behaviour.update({"page": "late_link", "late_ms": 1500})

    visit = await visits.visitor.visit(Site(site.origin, site.url), "command", is_page_given=True)

    assert visit is not None
    assert (visit.outcome, visit.reason) == (Outcome.CAPTURED, "")
