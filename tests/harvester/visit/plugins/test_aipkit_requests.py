"""Reading what a page's own script sends to admin-ajax."""

import pytest

from harvester.visit.plugins.aipkit import observed_in
from harvester.visit.requests import PageRequest
from shared.plugins.aipkit.observed_request import ObservedRequest

AJAX = "https://example.org/blog/wp-admin/admin-ajax.php"
MULTIPART = "multipart/form-data; boundary=----WebKitFormBoundaryAbC"


def read_request(url: str, content_type: str, body: bytes, status: int) -> ObservedRequest | None:
    return next(iter(observed_in([PageRequest(url, content_type, body, status)])), None)


def multipart(**fields: str) -> bytes:
    parts = (
        f'------WebKitFormBoundaryAbC\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    )
    return "".join((*parts, "------WebKitFormBoundaryAbC--\r\n")).encode()


def test_a_multipart_post_tells_nonce_and_bot() -> None:
    body = multipart(action="aipkit_cache_sse_message", message="Hi 世界", _ajax_nonce="a5281ce626", bot_id="25865")

    assert read_request(AJAX, MULTIPART, body, 200) == ObservedRequest(
        ajax_url=AJAX, action="aipkit_cache_sse_message", nonce="a5281ce626", bot_id=25865, status=200
    )


def test_a_body_that_is_no_form_tells_nothing_and_one_with_broken_parts_what_is_whole() -> None:
    body = multipart(action="aipkit_x")
    broken = b"------WebKitFormBoundaryAbC\r\n\r\nx\r\n" + body

    assert read_request(f"{AJAX}?action=aipkit_y", "application/json", body, 0) == ObservedRequest(AJAX, "aipkit_y")
    assert read_request(AJAX, MULTIPART, body.replace(b"aipkit_x", b"aipkit_\xff"), 0) == ObservedRequest(
        AJAX, "aipkit_\ufffd"
    )
    assert read_request(AJAX, MULTIPART, broken, 0) == ObservedRequest(AJAX, "aipkit_x")


def test_a_query_with_more_fields_than_any_chat_sends_tells_nothing() -> None:
    for number, is_read in ((98, True), (100, False)):
        found = read_request(f"{AJAX}?action=aipkit_x&{'&'.join(['a=b'] * number)}", "", b"", 0)
        assert (found is not None) is is_read


def test_an_urlencoded_post_is_read_too() -> None:
    found = read_request(AJAX, "application/x-www-form-urlencoded; charset=UTF-8", b"action=aipkit_x&bot_id=7", 0)

    assert found == ObservedRequest(ajax_url=AJAX, action="aipkit_x", bot_id=7)


def test_the_streams_query_tells_session_and_post() -> None:
    query = "action=aipkit_frontend_chat_stream&session_id=s-1&post_id=18&bot_id=5&_ajax_nonce=abc&cache_key=k"

    found = read_request(f"{AJAX}?{query}", "", b"", 200)

    assert found == ObservedRequest(
        ajax_url=AJAX,
        action="aipkit_frontend_chat_stream",
        nonce="abc",
        bot_id=5,
        session_id="s-1",
        post_id=18,
        status=200,
    )


@pytest.mark.parametrize(
    ("url", "body"),
    [
        ("https://example.org/wp-json/x?action=aipkit_x", b""),
        (f"{AJAX}?action=heartbeat", b""),
        (AJAX, b""),
        (AJAX, b"\xff\xfe"),
    ],
)
def test_other_requests_tell_nothing(url: str, body: bytes) -> None:
    assert read_request(url, "application/x-www-form-urlencoded", body, 200) is None


@pytest.mark.parametrize(
    ("action", "nonce", "status", "proves"),
    [
        ("aipkit_cache_sse_message", "abc", 200, True),
        ("aipkit_cache_sse_message", "abc", 403, False),
        ("aipkit_cache_sse_message", "abc", 0, False),
        ("aipkit_cache_sse_message", "", 200, False),
        ("aipkit_frontend_chat_stream", "abc", 200, False),  # answers 200 whatever is wrong
        ("aipkit_get_frontend_chat_nonce", "abc", 200, False),  # given to anybody
        ("aipkit_get_conversations_list", "abc", 200, True),
    ],
)
def test_a_nonce_is_proven_by_an_answer_that_depends_on_it(action: str, nonce: str, status: int, proves: bool) -> None:
    assert ObservedRequest(ajax_url=AJAX, action=action, nonce=nonce, status=status).proves_nonce is proves


@pytest.mark.parametrize("bad", ["x", "-1", "9" * 400, "٣"])
def test_ids_that_are_no_numbers_count_as_missing(bad: str) -> None:
    found = read_request(AJAX, MULTIPART, multipart(action="aipkit_x", bot_id=bad), 200)

    assert found is not None
    assert found.bot_id == 0
