"""Visits of the simulated AI Engine site, and of pages that have both plugins, with a real browser."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import cast

import pytest

from harvester.service.renewal import renew_nonce
from shared.models import AI_ENGINE, AIPKIT
from shared.plugins.ai_engine.page import read_chats
from shared.plugins.markup import elements_in
from shared.serialization import to_json
from shared.store import Store
from tests.harvester.visiting import QUICK, Visits
from tests.site import SimulatedSite
from tests.site.markup import PageFacts, inline_chat
from tests.site.wire import php_json
from tests.site_ai_engine import EngineBot, SimulatedAiEngine
from tests.site_ai_engine.markup import Rendering, container
from tests.site_checks.raw import get

START, SUBMIT = "start_session", "chats/submit"


@pytest.fixture
async def engine() -> AsyncIterator[SimulatedAiEngine]:
    async with SimulatedAiEngine() as running:
        yield running


@pytest.fixture
def visits(visits: Visits, engine: SimulatedAiEngine) -> Visits:
    return visits_of(visits, engine)


def visits_of(visits: Visits, engine: SimulatedAiEngine) -> Visits:
    return visits.changed(site=cast(SimulatedSite, engine))


async def test_a_visit_captures_what_the_page_and_its_session_give(visits: Visits, engine: SimulatedAiEngine) -> None:
    found = await visits.capture()

    (started,) = engine.requests_to(START)
    assert found.plugin == AI_ENGINE
    assert found.ajax_url == engine.rest_url
    assert found.nonce == engine.nonce
    assert found.post_id == 104
    assert f"mwai_session_id={found.session_id}" in found.cookie
    assert "PHPSESSID=" in found.cookie
    assert started.headers["User-Agent"] == found.user_agent
    assert started.headers["Content-Type"] == "application/json"
    assert "X-WP-Nonce" not in started.headers
    assert [bot.key for bot in (await visits.state()).bots] == [bot.id for bot in engine.shown]
    assert engine.model_calls == []


async def test_it_reads_what_the_script_took_away_as_the_document_had_it(
    visits: Visits, engine: SimulatedAiEngine
) -> None:
    await visits.capture(path="all/")

    text = (await get(f"{engine.url}all/")).text
    written = read_chats(elements_in(text, ("data-params", "data-system")))
    assert written is not None
    assert (await visits.state()).bots == written.bots
    assert len(written.bots) == 7


@pytest.mark.parametrize("page", ["inline", "endless"])  # taken from the document, and from the page itself
async def test_a_list_of_earlier_conversations_is_taken_for_no_chat(
    visits: Visits, engine: SimulatedAiEngine, page: str
) -> None:
    engine.behaviour.discussions, engine.behaviour.page = True, page  # type: ignore[assignment]
    engine.shown = [engine.bots["chatbot-vision"]]

    await visits.capture()

    (bot,) = (await visits.state()).bots
    assert (bot.name, bot.images, bot.max_message) == ("Vision 视觉", True, 100_000)


async def test_the_chats_of_another_blog_on_the_page_are_not_the_sites_own(
    visits: Visits, engine: SimulatedAiEngine
) -> None:
    async with SimulatedAiEngine(base_path="/blog") as blog:
        chat = container(blog, blog.bots["chatbot-vision"], Rendering(9))
    engine.more_markup = chat.replace(php_json(blog.origin)[1:-1], php_json(engine.origin)[1:-1])
    assert f"{php_json(engine.origin)[1:-1]}\\/blog\\/wp-json&quot;" in engine.more_markup
    engine.shown = [engine.bots["default"]]

    assert (await visits.capture()).ajax_url == engine.rest_url
    assert [bot.key for bot in (await visits.state()).bots] == ["default"]


async def test_a_chats_own_settings_are_shown_again_where_a_cache_has_kept_its_page(
    visits: Visits,
) -> None:
    bots = [EngineBot("default"), EngineBot("default", "Over:", custom_id="my-bot", instructions="CUSTOM")]
    async with SimulatedAiEngine(bots) as engine:
        engine.shown, engine.behaviour.kept_for = bots, "guest"
        visits = visits_of(visits, engine)
        await visits.capture()

        assert [bot.custom_key for bot in (await visits.state()).bots] == ["", "my-bot"]
        assert "my-bot" in engine.rendered
        assert len(engine.pages) - len([seen for seen in engine.pages if "nocache" not in seen.path]) == 1


async def test_consent_is_the_guests_own_and_is_known_by_its_cookie(visits: Visits, engine: SimulatedAiEngine) -> None:
    engine.behaviour.consent = True
    await visits.capture()
    assert all(bot.consent_required for bot in (await visits.state()).bots)

    # A person clicks in the window, for which a visit in one waits.
    engine.more_markup = (
        "<script>setTimeout(() => document.querySelector('.mwai-gdpr-buttons button').click(), 500)</script>"
    )
    by_hand = visits.changed(limits=replace(QUICK, consent=10.0))
    found = await by_hand.capture()
    engine.more_markup = ""
    engine.behaviour.kept_for = "guest"  # the cache's page has the box, whoever asks
    recaptured = await visits.capture()

    assert "mwai_gdpr_accepted=1" in found.cookie
    assert recaptured.cookie == found.cookie
    assert not any(bot.consent_required for bot in (await visits.state()).bots)


@pytest.mark.parametrize("page", ["late", "frame", "frame_srcdoc", "frameset", "endless", "links"])
async def test_a_chat_is_found_wherever_the_page_has_it(visits: Visits, engine: SimulatedAiEngine, page: str) -> None:
    engine.behaviour.page = page  # type: ignore[assignment]

    found = await visits.capture()

    assert found.nonce == engine.nonce
    assert len((await visits.state()).bots) == 6


async def test_a_renewal_brings_the_nonce_without_sending_the_dead_one(
    visits: Visits, engine: SimulatedAiEngine, store: Store
) -> None:
    found = await visits.capture()
    engine.rotate_nonce()

    assert await renew_nonce(store, found)
    current = (await visits.state()).current
    assert current.nonce == engine.nonce != found.nonce
    assert (current.plugin, current.cookie) == (AI_ENGINE, found.cookie)
    renewal = engine.requests_to(START)[-1]
    assert "X-WP-Nonce" not in renewal.headers
    assert renewal.headers["Cookie"] == found.cookie
    recaptured = await visits.capture()  # the guest stays the same
    assert (recaptured.cookie, recaptured.session_id, recaptured.nonce) == (
        found.cookie,
        found.session_id,
        engine.nonce,
    )


async def test_of_a_page_kept_since_somebody_was_logged_in_nothing_of_him_is_taken(
    visits: Visits, engine: SimulatedAiEngine
) -> None:
    engine.behaviour.kept_for = "user"

    found = await visits.capture()

    assert found.nonce == engine.nonce
    assert found.session_id != "6b0a3f156687f"
    assert "admin" not in to_json(found)


async def test_plain_permalinks_are_kept_as_the_page_writes_them(visits: Visits) -> None:
    async with SimulatedAiEngine(base_path="/blog", plain_permalinks=True) as engine:
        found = await visits_of(visits, engine).capture()

    assert found.ajax_url == f"{engine.url}index.php?rest_route="
    assert found.nonce == engine.nonce


async def test_an_old_plugins_nonce_is_the_one_in_its_page(
    visits: Visits, engine: SimulatedAiEngine, store: Store
) -> None:
    engine.behaviour.version = "2.4.1"

    found = await visits.capture()

    assert (found.nonce, found.session_id, found.cookie) == (engine.nonce, "", "")
    assert [seen.body["newMessage"] for seen in engine.requests_to(SUBMIT)] == [""]
    assert await renew_nonce(store, found)  # it is good while the site takes it: no visit is needed
    engine.rotate_nonce()
    assert not await renew_nonce(store, found)
    assert await store.pending_ask(found.site) is not None
    assert engine.model_calls == []


@pytest.mark.parametrize("kept_address", [True, False])
async def test_an_old_plugins_page_out_of_a_cache_is_read_again_past_it(
    visits: Visits, engine: SimulatedAiEngine, kept_address: bool
) -> None:
    engine.behaviour.version, engine.behaviour.kept_for = "2.4.1", "guest"
    engine.behaviour.kept_address = kept_address  # else only core REST has a fresh one

    assert (await visits.capture()).nonce == engine.nonce


async def test_of_a_page_with_both_plugins_the_first_is_taken_and_the_other_left_alone(
    visits: Visits,
) -> None:
    async with SimulatedSite() as site, SimulatedAiEngine(also=site) as engine:
        facts = PageFacts(f"{engine.url}wp-admin/admin-ajax.php", site.nonce, 7)
        engine.more_markup = inline_chat(site.bots[5], facts)
        visits = visits_of(visits, engine)
        found = await visits.capture()
        engine.more_markup = ""
        moved = await visits.capture()

    assert (found.plugin, found.nonce) == (AIPKIT, site.nonce)
    assert (moved.plugin, moved.nonce) == (AI_ENGINE, engine.nonce)
    assert len(engine.requests_to(START)) == 1


async def test_a_site_that_changes_its_plugin_back_makes_no_guest_id_of_the_others_session(
    visits: Visits, engine: SimulatedAiEngine
) -> None:
    first = await visits.capture()
    async with SimulatedSite() as site:
        engine.also = site
        engine.shown = ()
        engine.more_markup = inline_chat(site.bots[5], PageFacts(f"{engine.url}wp-admin/admin-ajax.php", site.nonce, 7))
        second = await visits.capture()

    assert second.plugin == AIPKIT
    assert second.session_id != first.session_id
