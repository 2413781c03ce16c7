"""Judging a site by its answer to an empty message."""

import json
from urllib.parse import parse_qsl

import pytest

from shared.plugins.aipkit.nonce import is_by_wordpress
from shared.plugins.aipkit.probe import accepts_nonce, accepts_several_images, probe_request


def test_it_holds_nothing_that_a_site_would_store() -> None:
    url, body, headers = probe_request("http://h/a", "0123456789")
    fields = dict(parse_qsl(body.decode(), keep_blank_values=True))

    assert (url, headers) == ("http://h/a", {"Content-Type": "application/x-www-form-urlencoded"})
    assert fields.pop("_ajax_nonce") == "0123456789"
    assert fields == {"action": "aipkit_cache_sse_message", "message": "", "image_inputs": "-"}


def failure(code: str) -> bytes:
    return json.dumps({"success": False, "data": {"message": "text", "code": code}}).encode()


@pytest.mark.parametrize(
    ("body", "nonce", "several"),
    [
        (failure("invalid_image_payload"), True, True),
        (failure("empty_data_to_cache"), True, False),
        (failure("nonce_failure_cache_sse"), False, None),
        (b'{"success":true,"data":{"cache_key":"aipkit_sse_x"}}', True, None),
        (b'{"success":false,"data":[]}', True, None),
        (b"<html>Forbidden</html>", None, None),
        (b"0", None, None),
        (b"", None, None),
    ],
)
def test_an_empty_message_is_answered_in_the_order_of_the_checks(
    body: bytes, nonce: bool | None, several: bool | None
) -> None:
    assert accepts_nonce(body) is nonce
    assert accepts_several_images(body) is several


def test_an_answer_of_the_site_is_distinguished_from_one_of_a_server_in_front_of_it() -> None:
    assert is_by_wordpress(400, b"0")
    assert is_by_wordpress(403, failure("cors_denied"))
    assert not is_by_wordpress(403, b"0")
    assert not is_by_wordpress(403, b"<html>")
    assert not is_by_wordpress(200, b"")
