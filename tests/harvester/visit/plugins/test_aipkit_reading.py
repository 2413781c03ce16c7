"""Putting together what the page says and what its requests said."""

import json

import pytest

from harvester.visit.plugins.aipkit import ChatConfig, read_page
from shared.plugins.aipkit.observed_request import ObservedRequest
from shared.plugins.aipkit.page import guest_id_in
from tests.harvester.fake_tab import page

PAGE = "https://example.org/chat/"
AJAX = "https://example.org/wp-admin/admin-ajax.php"
STORED = {"aipkit_guest_uuid": "92acdaec-b6ed-44d5-98a4-d8e7af32a8e6"}
POSTED = ObservedRequest(ajax_url=AJAX, action="aipkit_cache_sse_message", nonce="posted", bot_id=9, status=200)
STREAMED = ObservedRequest(
    ajax_url=AJAX,
    action="aipkit_frontend_chat_stream",
    nonce="posted",
    bot_id=9,
    session_id="s-1",
    post_id=3,
    status=200,
)


def config(**values: object) -> str:
    return json.dumps({"botId": 5, "ajaxUrl": AJAX, "nonce": "written", "postId": 18, **values})


def read(*configs: str, stored: dict[str, str] | None = None, observed: tuple[ObservedRequest, ...] = ()) -> ChatConfig:
    return read_page(page(PAGE, *configs, stored=STORED if stored is None else stored), observed)


def test_the_page_alone_is_enough_when_it_says_all() -> None:
    found = read(config(headerName="Helper"))

    assert (found.ajax_url, found.nonce, found.post_id) == (AJAX, "written", 18)
    assert found.session_id == STORED["aipkit_guest_uuid"]
    assert [bot.name for bot in found.bots] == ["Helper"]
    assert found.is_complete


def test_of_a_page_with_chats_of_several_sites_only_those_of_its_own_are_read() -> None:
    other_site = config(botId=7, ajaxUrl="https://shop.example/wp-admin/admin-ajax.php", nonce="other", postId=99)
    other_blog = config(botId=8, ajaxUrl="https://example.org/blog/wp-admin/admin-ajax.php", nonce="blog")

    found = read(other_site, config(), other_blog, config(botId=6))

    assert (found.ajax_url, found.nonce, found.post_id) == (AJAX, "written", 18)
    assert [bot.id for bot in found.bots] == [5, 6]


def test_chats_whose_addresses_mean_the_same_belong_together() -> None:
    found = read(config(ajaxUrl="http://example.org/wp-admin/admin-ajax.php"), config(botId=6))

    assert (found.ajax_url, [bot.id for bot in found.bots]) == (AJAX, [5, 6])


def test_requests_fill_in_what_a_page_without_markup_does_not_say() -> None:
    found = read(stored={}, observed=(POSTED, STREAMED))

    assert (found.ajax_url, found.nonce, found.session_id, found.post_id) == (AJAX, "posted", "s-1", 3)
    assert [(bot.id, bot.name) for bot in found.bots] == [(9, "")]
    assert found.is_complete


def test_a_nonce_that_the_site_took_is_better_than_one_that_is_written() -> None:
    refused = ObservedRequest(ajax_url=AJAX, action="aipkit_cache_sse_message", nonce="refused", bot_id=5, status=403)

    assert read(config(), observed=(refused,)).nonce == "written"
    assert read(config(), observed=(refused, POSTED)).nonce == "posted"


def test_an_empty_page_is_incomplete() -> None:
    assert not read(stored={}).is_complete


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("/blog/wp-admin/admin-ajax.php", "https://example.org/blog/wp-admin/admin-ajax.php"),
        ("//api.example.org/ajax", "https://api.example.org/ajax"),
        ("http://other.example.org/ajax", "http://other.example.org/ajax"),
        ("javascript:alert(1)", ""),
        ("http://[", ""),
        ("file:///etc/passwd", ""),
    ],
)
def test_the_ajax_url_is_made_absolute_and_must_be_a_web_address(written: str, meant: str) -> None:
    found = read(config(ajaxUrl=written))

    assert found.ajax_url == meant
    assert found.is_complete is bool(meant)


def test_a_guest_id_longer_than_the_site_takes_is_none() -> None:
    assert guest_id_in({"aipkit_guest_uuid": "x" * 64}) == "x" * 64
    assert guest_id_in({"aipkit_guest_uuid": "x" * 65}) == ""


def test_the_greeting_is_never_an_image_trigger() -> None:
    assert read(config()).greeting == "Hi"
    assert read(config(imageTriggers="/image, hi, HELLO")).greeting == "Good day"
    assert read(config(imageTriggers="h,g")).greeting == ""


def test_a_chat_needs_consent_when_all_its_bots_do() -> None:
    asking = config(requireConsentCompliance=True)

    assert read(asking).needs_consent
    assert not read(asking, config(botId=6)).needs_consent
    assert not read(stored={}).needs_consent


@pytest.mark.parametrize(
    ("url", "written", "meant"),
    [
        ("https://example.org/", "http://example.org/wp-admin/admin-ajax.php", AJAX),
        (
            "https://example.org/",
            "http://EXAMPLE.org:80/wp-admin/admin-ajax.php",
            "https://EXAMPLE.org/wp-admin/admin-ajax.php",
        ),
        ("https://www.example.org/", "http://example.org/wp-admin/admin-ajax.php", AJAX),
        ("https://example.org:8443/", "http://example.org:8443/a", "https://example.org:8443/a"),
        ("https://example.org/", "http://example.org:8080/a", "http://example.org:8080/a"),
        ("https://example.org/", "http://api.example.org/a", "http://api.example.org/a"),
        ("http://example.org/", "http://example.org/a", "http://example.org/a"),
        (
            "https://xn--mller-kva.example/",
            "http://müller.example/блог/ajax.php?lang=de",
            "https://xn--mller-kva.example/%D0%B1%D0%BB%D0%BE%D0%B3/ajax.php?lang=de",
        ),
    ],
)
def test_an_https_pages_own_address_is_raised_to_https(url: str, written: str, meant: str) -> None:
    observed = ObservedRequest(ajax_url=written, action="aipkit_cache_sse_message", bot_id=9, status=200)

    assert read_page(page(url, config(ajaxUrl=written)), ()).ajax_url == meant
    assert read_page(page(url), [observed]).ajax_url == meant


@pytest.mark.parametrize(
    ("ajax_url", "expected"),
    [
        ("/blog/wp-admin/admin-ajax.php", "https://example.org/blog/wp-admin/admin-ajax.php"),
        ("https://www.example.org/wp-admin/admin-ajax.php", "https://www.example.org/wp-admin/admin-ajax.php"),
        ("https://evil.example/wp-admin/admin-ajax.php", ""),
        ("http://169.254.169.254/latest/meta-data", ""),
        ("http://127.0.0.1:8080/", ""),
        ("https://example.org@evil.example/", ""),
        ("//evil.example/", ""),
        ("https://[", ""),
        ("ftp://example.org/wp-admin/admin-ajax.php", ""),
        ("file:///etc/passwd", ""),
    ],
)
def test_messages_and_cookies_go_to_the_pages_own_site_only(ajax_url: str, expected: str) -> None:
    assert read(config(ajaxUrl=ajax_url)).ajax_url == expected
    request = ObservedRequest(ajax_url=ajax_url, action="aipkit_cache_sse_message", bot_id=9, status=200)
    assert read(observed=(request,)).ajax_url == expected
