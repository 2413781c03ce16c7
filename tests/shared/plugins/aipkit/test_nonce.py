"""The guest nonce action: its request and its answers."""

import pytest

from shared.plugins.aipkit.nonce import nonce_request, read_nonce
from tests.shared.plugins.aipkit.test_page import SAMPLES


def test_the_form_names_the_action_and_nothing_that_a_check_could_refuse() -> None:
    assert nonce_request("http://h/a")[:2] == ("http://h/a", b"action=aipkit_get_frontend_chat_nonce")


def test_the_recorded_answer_is_read() -> None:
    body = (SAMPLES / "01-nonce-post.http").read_bytes().partition(b"\r\n\r\n")[2]

    assert read_nonce(200, body.strip()) == "a5281ce626"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, b"0"),
        (200, b"0"),
        (200, b""),
        (200, b"<html>"),
        (200, b"[]"),
        (200, b'{"success":false,"data":{"nonce":"a5281ce626"}}'),
        (200, b'{"success":true,"data":{}}'),
        (200, b'{"success":true,"data":null}'),
        (200, b'{"success":true,"data":{"nonce":""}}'),
        (200, b'{"success":true,"data":{"nonce":5}}'),
        (200, b"[" * 100_000),
        (200, b"\xff\xfe\xfa"),
        (403, b'{"success":true,"data":{"nonce":"a5281ce626"}}'),
    ],
)
def test_anything_else_is_no_nonce(status: int, body: bytes) -> None:
    assert read_nonce(status, body) is None
