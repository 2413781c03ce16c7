"""What a visit of the simulated site captures, with a real browser."""

import json
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from shared.models import Credentials, Outcome
from shared.plugins.requests import form_request
from shared.site_client.client import SiteClient
from shared.store import Store
from tests.harvester.visiting import NONCE_ACTION, Visits
from tests.site import ODD_COOKIES, SimulatedSite, SiteBot

COOKIE = "; ".join(cookie.partition("; ")[0] for cookie in ODD_COOKIES)


def is_guest_id(text: str) -> bool:
    """Whether *text* is what the plugin's script makes: a lower-case UUID, version 4."""
    return str(UUID(text)) == text and UUID(text).version == 4


async def is_taken(credentials: Credentials) -> bool:
    """Whether the site takes a message that is sent with *credentials*."""
    fields = {"action": "aipkit_cache_sse_message", "message": "Hello", "_ajax_nonce": credentials.nonce}
    async with SiteClient() as client:
        return (await client.ask(credentials, form_request(credentials.ajax_url, fields), timeout=5)).status == 200


async def test_an_inline_chat_gives_everything_a_turn_needs(visits: Visits, site: SimulatedSite) -> None:
    found = await visits.capture()

    assert found.site == site.origin
    assert found.ajax_url == site.ajax_url
    assert found.page_url == site.url
    assert found.nonce == site.nonce
    assert found.cookie == ""
    assert found.post_id == 20
    assert found.source == "visit"
    assert found.generation == 1
    assert is_guest_id(found.session_id)
    assert await is_taken(found)
    shown = [bot.id for bot in site.bots.values() if bot.published and not bot.popup]
    assert [bot.id for bot in (await visits.state()).bots] == shown


async def test_the_visit_is_recorded_with_the_seconds_of_each_step(visits: Visits, store: Store) -> None:
    visit = await visits.make()

    assert await store.visits() == [visit]
    assert visit.outcome is Outcome.CAPTURED
    assert visit.reason == ""
    assert visit.trigger == "command"
    assert set(visit.steps) == {"browser", "page", "read", "confirm"}
    assert 0 < sum(visit.steps.values()) < visit.seconds < 20


async def test_page_and_nonce_action_see_the_same_visitor_which_is_the_one_kept(visits: Visits) -> None:
    found = await visits.capture()

    requests = visits.requests("/") + visits.requests(NONCE_ACTION)
    assert [request.headers["User-Agent"] for request in requests] == [found.user_agent] * 2
    assert "Cookie" not in requests[1].headers
    assert "Chrome" in found.user_agent


async def test_a_popup_chat_is_read_from_its_outer_element(visits: Visits, site: SimulatedSite) -> None:
    site.behaviour.page = "popup"

    found = await visits.capture()

    assert found.nonce == site.nonce
    assert [bot.name for bot in (await visits.state()).bots] == ["Popup Bot"]


async def test_markup_that_arrives_late_is_waited_for(visits: Visits, site: SimulatedSite) -> None:
    site.behaviour.page, site.behaviour.late_ms = "late", 600

    await visits.capture()

    assert len((await visits.state()).bots) > 5


async def test_a_bot_shown_twice_is_one_bot_and_names_come_as_they_are(visits: Visits) -> None:
    await visits.capture(path="all/")

    bots = (await visits.state()).bots
    assert len({bot.id for bot in bots}) == len(bots)
    assert {"Vision Bot 视觉", 'Claude "Sonnet" <b>'} <= {bot.name for bot in bots}


async def test_a_site_in_a_sub_folder_is_used_where_it_is(visits: Visits) -> None:
    async with SimulatedSite(base_path="/blog") as site:
        found = await visits.changed(site=site).capture()

        assert found.ajax_url == f"{site.origin}/blog/wp-admin/admin-ajax.php"
        assert await is_taken(found)


async def test_cookies_are_kept_verbatim_and_in_the_browsers_order(visits: Visits, site: SimulatedSite) -> None:
    site.behaviour.page_cookies = list(ODD_COOKIES)

    found = await visits.capture()

    assert found.cookie == COOKIE
    assert visits.requests(NONCE_ACTION)[0].headers["Cookie"] == COOKIE


async def test_the_next_visit_begins_with_all_cookies_also_those_of_the_session(
    visits: Visits, site: SimulatedSite
) -> None:
    site.behaviour.page_cookies = list(ODD_COOKIES)
    await visits.capture()
    site.behaviour.page_cookies = []

    found = await visits.restarted().capture()

    assert visits.requests("/")[1].headers["Cookie"] == COOKIE
    assert found.cookie == COOKIE


async def test_a_nonce_that_belongs_to_a_cookie_comes_with_that_cookie(visits: Visits, site: SimulatedSite) -> None:
    site.behaviour.cookie_bound_nonce = True

    found = await visits.capture()

    assert await is_taken(found)
    assert not await is_taken(replace(found, cookie=""))


async def test_an_old_nonce_in_the_page_is_replaced_by_the_one_the_site_hands_out(
    visits: Visits, site: SimulatedSite
) -> None:
    site.behaviour.stale_page_nonce = True

    found = await visits.capture()

    assert found.nonce == site.nonce


async def test_a_site_without_the_nonce_action_is_trusted_when_its_page_is_fresh(
    visits: Visits, site: SimulatedSite
) -> None:
    site.behaviour.nonce_action = False

    found = await visits.capture()

    assert found.nonce == site.nonce
    assert [request.fields["message"] for request in visits.requests("aipkit_cache_sse_message")] == [
        ""
    ]  # it was asked
    assert site.model_call_count == 0  # nothing was typed


async def test_the_guest_stays_the_same_over_visits_and_restarts(visits: Visits, store: Store) -> None:
    first = await visits.capture()
    second = await visits.capture()
    third = await visits.restarted().capture()

    assert first.session_id == second.session_id == third.session_id
    assert [first.generation, second.generation, third.generation] == [1, 2, 3]
    assert first.session_id in str(await store.identity(first.site))


async def test_a_page_that_makes_no_guest_id_is_given_one_of_the_same_form(visits: Visits, site: SimulatedSite) -> None:
    site.behaviour.makes_guest_id = False

    first = await visits.capture()

    assert is_guest_id(first.session_id)
    storage = json.loads(str(await visits.store.identity(site.origin)))["origins"][0]["localStorage"]
    assert storage == [{"name": "aipkit_guest_uuid", "value": first.session_id}]
    assert (await visits.capture()).session_id == first.session_id


async def test_the_chat_is_found_on_another_page_of_the_site_and_looked_for_there_next_time(
    visits: Visits, site: SimulatedSite
) -> None:
    site.behaviour.page = "links"

    first = await visits.capture()
    assert first.page_url == f"{site.url}chat/"
    assert first.post_id == 18
    site.clear_records()

    assert (await visits.capture()).page_url == first.page_url
    assert site.request_counts["/"] == 0
    site.clear_records()

    site.behaviour.page = "inline"
    assert (await visits.capture(is_page_given=True)).page_url == site.url  # a page that is named comes first
    await visits.capture()

    assert (await visits.capture(path="chat/")).page_url == first.page_url  # or that the settings name now
    assert (await visits.capture()).page_url == site.url
    assert site.request_counts["/chat/"] == 1


async def test_a_page_given_by_hand_is_for_that_visit_alone(visits: Visits, site: SimulatedSite) -> None:
    await visits.capture()

    given = await visits.capture(path="chat/", is_page_given=True)

    assert given.page_url == f"{site.url}chat/"
    assert given.is_on_other_page(site.url)
    assert given.started_from(site.url)  # a harvester that starts now has no reason to visit at once
    assert (await visits.capture()).page_url == site.url


async def test_where_the_page_says_nothing_one_short_message_is_typed_and_its_requests_are_read(
    visits: Visits, site: SimulatedSite
) -> None:
    site.behaviour.page = "bare_form"

    found = await visits.capture()

    typed = visits.requests("aipkit_cache_sse_message")
    assert [request.fields["message"] for request in typed] == ["Hi"]
    streamed = visits.requests("aipkit_frontend_chat_stream")
    assert found.session_id == streamed[0].fields["session_id"]
    assert [bot.id for bot in (await visits.state()).bots] == [int(typed[0].fields["bot_id"])]
    assert await is_taken(found)


async def test_consent_is_never_given_but_noted(visits: Visits, store: Store) -> None:
    bots = [SiteBot(5, "Asks first", consent=True), SiteBot(6, "Asks nothing")]
    async with SimulatedSite(bots) as site:
        with_consent = visits.changed(site=site)
        await with_consent.capture()

        assert [bot.consent_required for bot in (await with_consent.state()).bots] == [True, False]
        assert "consent" not in str(await store.identity(site.origin))


async def test_pictures_media_fonts_and_other_sites_are_not_loaded(visits: Visits, site: SimulatedSite) -> None:
    site.behaviour.extra_resources = True

    await visits.capture()

    assert {path.rpartition("/")[2] for path in site.resource_hits} == {"chat.js", "style.css"}


@pytest.mark.parametrize("page", ["dialogs", "dialog_storm", "offers_file"])
async def test_neither_dialogs_nor_downloads_stop_a_visit(visits: Visits, site: SimulatedSite, page: str) -> None:
    site.behaviour.page = page

    await visits.capture()


async def test_a_page_that_asks_before_it_is_left_is_left(visits: Visits, site: SimulatedSite) -> None:
    site.behaviour.page = "guarded_links"

    found = await visits.capture()

    assert found.page_url == f"{site.url}chat/"


@pytest.mark.parametrize("switches", [{"page": "endless_chat"}, {"hanging_script": True}])
async def test_a_page_that_never_finishes_is_read_once_its_chat_is_there(
    visits: Visits, site: SimulatedSite, switches: dict[str, Any]
) -> None:
    site.behaviour.update(switches)

    await visits.capture()
