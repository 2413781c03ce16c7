"""Reading the answers of `start_session` and of a probe, against recorded ones."""

import json
from dataclasses import replace

import pytest

from shared.models import AI_ENGINE, AIPKIT, Credentials
from shared.plugins.ai_engine.routes import lacks_route, refuses_nonce
from shared.plugins.ai_engine.session import Session, accepts_nonce, probe_request, read_session
from shared.plugins.renewal import fetch_nonce, is_by_site, read_renewed, renewal_request
from shared.plugins.requests import PluginRequest
from shared.serialization import from_plain, to_plain
from tests.site_checks.ai_engine.recordings import recording

CREDENTIALS = Credentials(
    site="http://h",
    plugin=AI_ENGINE,
    ajax_url="http://h/blog/index.php?rest_route=",
    page_url="http://h/",
    nonce="0123456789",
    session_id="6b0a3c678e85c",
    source="visit",
    captured_at=1.0,
    nonce_checked_at=1.0,
)


def body(name: str) -> bytes:
    return recording(f"{name}.http").body


def test_a_recorded_session_is_read() -> None:
    assert read_session(200, body("01-start-session")) == Session("5c95006f2d", "6b0a3c678e85c")
    without_id = b'{"success":true,"sessionId":null,"restNonce":"5c95006f2d"}'
    assert read_session(200, without_id) == Session("5c95006f2d", "N/A")
    assert read_session(200, body("70-start-session-plain-permalinks")) == Session("0a8d1a3d3c", "6b0a3df667205")


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (403, body("01d-start-session-wrong-nonce")),
        (200, b'{"success":false,"restNonce":"5c95006f2d"}'),
        (500, body("01-start-session")),
        (200, b'{"success":true,"restNonce":null}'),
        (200, b"<html>"),
    ],
)
def test_what_is_no_session_is_none(status: int, answer: bytes) -> None:
    assert read_session(status, answer) is None


@pytest.mark.parametrize(
    ("name", "refused"),
    [
        ("20-no-nonce", True),
        ("20b-wrong-nonce", True),
        ("77b-guest-nonce-with-login-cookies", True),
        ("23-empty", False),  # of the same HTTP status, and yet no refusal of the nonce
        ("23f-escaped-surrogate", False),
        ("24-too-long-plain", False),
    ],
)
def test_only_wordpress_codes_tell_of_a_nonce(name: str, refused: bool) -> None:
    assert refuses_nonce(body(name)) is refused
    assert accepts_nonce(body(name)) is not refused


def test_what_is_not_by_wordpress_says_nothing_of_a_nonce() -> None:
    assert accepts_nonce(b"<html>403</html>") is None
    assert accepts_nonce(b'{"code":"rest_missing_callback_param"}') is True  # WordPress checks the nonce first


def test_a_probe_names_the_chat_whose_page_it_came_from() -> None:
    for key, custom_key in (("a", ""), ("", "b")):
        fields = json.loads(probe_request("http://h", "x", key=key, custom_key=custom_key).body)
        assert (fields["botId"], fields["customId"]) == (key or None, custom_key or None)


def test_a_missing_route_is_wordpress_own_404() -> None:
    assert lacks_route(404, b'{"code":"rest_no_route"}')
    assert not lacks_route(404, b"<html>")
    assert not lacks_route(200, b'{"code":"rest_no_route"}')


OLDER = replace(CREDENTIALS, plugin=AIPKIT, ajax_url="http://h/a")
JSON_BODY = {"Content-Type": "application/json"}
NO_ROUTE = b'{"code":"rest_no_route"}'


@pytest.mark.parametrize(
    ("proof", "nonce"),
    [
        (body("23-empty"), CREDENTIALS.nonce),
        (body("20b-wrong-nonce"), None),
        (NO_ROUTE, None),  # the plugin is off
    ],
)
async def test_where_no_session_is_started_the_nonce_in_use_is_asked_about(proof: bytes, nonce: str | None) -> None:
    requests: list[PluginRequest] = []

    async def ask(request: PluginRequest) -> tuple[int, bytes]:
        requests.append(request)
        return (404, NO_ROUTE) if len(requests) == 1 else (200, proof)

    assert await fetch_nonce(CREDENTIALS, ask) == (nonce, 404)
    assert len(requests) == 2
    assert requests[1].url == "http://h/blog/index.php?rest_route=/mwai-ui/v1/chats/submit"
    assert requests[1].headers == {**JSON_BODY, "X-WP-Nonce": CREDENTIALS.nonce}
    assert json.loads(requests[1].body) == {"botId": None, "customId": None, "newMessage": ""}


@pytest.mark.parametrize(
    ("missing", "proof", "nonce"),
    [
        ((400, b"0"), b'{"success":false,"data":{"code":"empty_data_to_cache"}}', CREDENTIALS.nonce),
        ((400, b"0"), b'{"success":false,"data":{"code":"nonce_failure_cache_sse"}}', None),
        ((400, b"0"), b"0", None),  # the plugin is off
        ((403, b"0"), b"", None),
        ((400, b"<html>"), b"", None),
    ],
)
async def test_the_other_plugin_is_asked_about_the_nonce_in_use_where_it_hands_none_out(
    missing: tuple[int, bytes], proof: bytes, nonce: str | None
) -> None:
    requests: list[PluginRequest] = []

    async def ask(request: PluginRequest) -> tuple[int, bytes]:
        requests.append(request)
        return missing if len(requests) == 1 else (200, proof)

    assert await fetch_nonce(OLDER, ask) == (nonce, missing[0])
    assert [b"_ajax_nonce=0123456789" in each.body for each in requests] == ([False, True] if proof else [False])
    assert {each.url for each in requests} == {OLDER.ajax_url}


async def test_a_site_that_refuses_is_not_asked_about_the_nonce_in_use() -> None:
    requests: list[PluginRequest] = []

    async def ask(request: PluginRequest) -> tuple[int, bytes]:
        requests.append(request)
        return 403, body("01d-start-session-wrong-nonce")

    assert await fetch_nonce(CREDENTIALS, ask) == (None, 403)
    assert len(requests) == 1


def test_a_renewal_goes_by_the_plugin_and_never_holds_the_old_nonce() -> None:
    request = renewal_request(CREDENTIALS)
    other = renewal_request(OLDER)

    assert request == ("http://h/blog/index.php?rest_route=/mwai/v1/start_session", b"", JSON_BODY)
    assert other[:2] == ("http://h/a", b"action=aipkit_get_frontend_chat_nonce")
    assert read_renewed(CREDENTIALS, 200, body("01-start-session")) == "5c95006f2d"
    assert read_renewed(CREDENTIALS, 403, body("01d-start-session-wrong-nonce")) is None
    assert is_by_site(CREDENTIALS, 403, body("01d-start-session-wrong-nonce"))
    assert is_by_site(CREDENTIALS, 200, body("01-start-session"))
    assert not is_by_site(CREDENTIALS, 502, b"<html>")
    assert is_by_site(OLDER, 403, b'{"success":false}')
    assert not is_by_site(OLDER, 403, body("01d-start-session-wrong-nonce"))


def test_credentials_of_old_stores_are_those_of_the_first_plugin() -> None:
    stored = to_plain(CREDENTIALS)
    del stored["plugin"]

    assert from_plain(Credentials, stored).plugin == AIPKIT
