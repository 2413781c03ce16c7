"""A cached page with an expired nonce on a site without the nonce action: a fresh one from past the cache, or none."""

import json
from typing import Any

import pytest

from shared.models import Outcome
from shared.plugins.aipkit.page import nonce_in, rest_root_in
from tests.harvester.visiting import Visits
from tests.site import SimulatedSite
from tests.site.bots import DEFAULT_BOTS
from tests.site.markup import PageFacts, inline_chat

OLD = {"version": "2.3.40", "stale_page_nonce": True}


@pytest.mark.parametrize(
    "way",
    [
        {"cache_minds_queries": True},
        {"rest_pages": True},
        {"rest_pages": True, "names_rest": False},
        {"rest_pages": True, "rest_root": "/index.php?rest_route=/"},
        {"rest_pages": True, "rest_root": "/index.php?rest_route=/", "names_rest": False},
        {"rest_pages": True, "rest_root": "/api/"},
    ],
    ids=str,
)
async def test_a_fresh_nonce_is_found_past_the_cache(visits: Visits, site: SimulatedSite, way: dict[str, Any]) -> None:
    site.behaviour.update(OLD | way)

    found = await visits.capture()

    assert found.nonce == site.nonce
    assert found.page_url == site.url
    assert site.model_call_count == 0


async def test_a_dead_nonce_is_never_captured(visits: Visits, site: SimulatedSite) -> None:
    site.behaviour.update(OLD)

    visit = await visits.make()

    assert visit.outcome is Outcome.SITE_ERROR
    assert "page cache" in visit.reason
    assert "older than 2.3.41" in visit.reason
    assert await visits.store.site_state(site.origin) is None


async def test_the_page_of_an_old_plugin_is_trusted_when_the_site_takes_its_nonce(
    visits: Visits, site: SimulatedSite
) -> None:
    site.behaviour.version = "2.3.40"

    assert (await visits.capture()).nonce == site.nonce
    assert visits.requests("/wp-json/wp/v2/pages/20") == []


def test_a_nonce_is_read_from_pages_and_from_what_core_rest_tells_of_them() -> None:
    chat = inline_chat(DEFAULT_BOTS[7], PageFacts("https://example.org/wp-admin/admin-ajax.php", "0123456789", 0))
    rest_page = {"id": 20, "content": {"rendered": chat}}

    assert nonce_in(f"<html><body>{chat}".encode()) == "0123456789"
    assert nonce_in(json.dumps(rest_page).encode()) == "0123456789"
    assert nonce_in(json.dumps([rest_page]).encode()) == "0123456789"
    for without_nonce in (
        b"",
        b"[]",
        b"[1]",
        b'{"content":5}',
        b'{"content":{"rendered":5}}',
        b"<html><div data-config='{'>",
    ):
        assert nonce_in(without_nonce) == ""


def test_the_rest_address_is_read_in_any_spelling() -> None:
    for written in (
        b'<link rel="https://api.w.org/" href="https://example.org/index.php?rest_route=/&#038;x=1" />',
        b"<LINK href=https://example.org/index.php?rest_route=/&amp;x=1 rel=https://api.w.org/>",
    ):
        assert rest_root_in(b'<link rel="alternate" href="/feed/">' + written) == (
            "https://example.org/index.php?rest_route=/&x=1"
        )
    assert rest_root_in(b'<link rel="alternate" href="/feed/"><a href="https://api.w.org/">') == ""
