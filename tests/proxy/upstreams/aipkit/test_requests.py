"""The two requests of a turn."""

import json
from email.parser import BytesParser
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.chat.ask import Image
from proxy.chat.errors import ServiceError
from proxy.upstreams.aipkit.requests import (
    SiteTurn,
    guard,
    message_fields,
    multipart,
    read_cache_key,
    stream_url,
)
from tests.recorded import SAMPLES

TURN = SiteTurn(
    bot_id=5, provider="OpenAI", message="hi", images=(), session_id="guest & co", conversation_uuid="uuid-1"
)


def query(**changes: object) -> list[tuple[str, str]]:
    turn = SiteTurn(**{**{name: getattr(TURN, name) for name in TURN.__slots__}, **changes})
    url = stream_url("https://a.example/sub/wp-admin/admin-ajax.php", turn, "nonce", "key")
    assert url.startswith("https://a.example/sub/wp-admin/admin-ajax.php?")
    return parse_qsl(urlsplit(url).query, keep_blank_values=True)


@pytest.mark.parametrize(
    ("text", "images", "sent"),
    [
        ("0", 0, "0\n"),
        ("\x000", 0, "0\n"),
        (" 0 ", 1, " 0 "),
        ("a\0b \ud83d", 0, "ab \ufffd"),
        (" \n", 1, "Please look at the attached image."),
        ("\0", 2, "Please look at the attached images."),
        (' {"stream_context":1}\n', 0, ' {"stream_context":1}\n\xa0'),
        ('{"stream_c\\u006fntext":1}', 0, '{"stream_c\\u006fntext":1}\xa0'),
        ('{"other":1}', 0, '{"other":1}'),
        ('what is {"stream_context":1}', 0, 'what is {"stream_context":1}'),
        ('{"stream_context":1} is what?', 0, '{"stream_context":1} is what?'),
    ],
)
def test_a_text_is_changed_where_the_model_would_not_get_it_else(text: str, images: int, sent: str) -> None:
    assert guard(text, images=images) == sent


def test_blanks_are_no_message() -> None:
    with pytest.raises(ServiceError):
        guard(" \0\t\n")


def test_the_least_that_step_2_needs() -> None:
    assert query() == [
        ("action", "aipkit_frontend_chat_stream"),
        ("cache_key", "key"),
        ("bot_id", "5"),
        ("session_id", "guest & co"),
        ("conversation_uuid", "uuid-1"),
        ("_ajax_nonce", "nonce"),
    ]


def test_everything_that_step_2_may_carry_is_in_the_browsers_order() -> None:
    names = [name for name, _ in query(post_id=18, response_id="resp", interaction_id="v1", web_search=True)]

    assert names == [
        "action",
        "cache_key",
        "bot_id",
        "session_id",
        "conversation_uuid",
        "post_id",
        "previous_openai_response_id",
        "previous_google_interaction_id",
        "frontend_web_search_active",
        "_ajax_nonce",
    ]
    assert ("frontend_google_search_grounding_active", "true") in query(provider="Google", web_search=True)
    assert ("frontend_web_search_active", "true") in query(provider="", web_search=True)


def test_an_ajax_url_with_a_query_of_its_own_keeps_it() -> None:
    assert stream_url("https://a.example/ajax?lang=de", TURN, "n", "k").startswith(
        "https://a.example/ajax?lang=de&action="
    )


def test_images_travel_as_json() -> None:
    turn = SiteTurn(5, "OpenAI", "look", (Image("image/png", "QUJD"),), "s", "c")

    fields = dict(message_fields(turn, "nonce"))

    assert json.loads(fields["image_inputs"]) == [{"mime_type": "image/png", "base64_data": "QUJD"}]
    assert message_fields(TURN, "nonce") == [
        ("action", "aipkit_cache_sse_message"),
        ("message", "hi"),
        ("_ajax_nonce", "nonce"),
        ("bot_id", "5"),
    ]


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=200))
def test_any_text_survives_the_form(text: str) -> None:
    body = multipart([("message", text), ("bot_id", "5")], "b0undary")

    head = b"Content-Type: multipart/form-data; boundary=b0undary\r\n\r\n"
    parts = BytesParser().parsebytes(head + body).get_payload()
    assert body.count(b"--b0undary") == 3
    raw = body.split(b'name="message"\r\n\r\n')[1].rpartition(
        b'\r\n--b0undary\r\nContent-Disposition: form-data; name="bot_id"'
    )[0]
    assert raw.decode() == text
    assert len(parts) == 2


def test_the_recorded_key_is_read() -> None:
    body = (SAMPLES / "02-cache-post-multipart.http").read_bytes().partition(b"\r\n\r\n")[2]

    assert read_cache_key(200, {}, body).startswith("aipkit_sse_")
