"""Errors for invalid requests for new keys."""

from typing import Any

import pytest

from shared.admin.keys import parse_new_key


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": "v1."}, "last no blank or dot"),
        ({"name": "-v1"}, "first a letter or digit"),
        ({"name": "Master"}, "means something else"),
        ({"name": "open"}, "means something else"),
        ({"name": "key_1"}, "means something else"),
        ({"name": "a", "expires_in": 0}, "greater than zero"),
        ({"name": "a", "expires_in": "1000000000000d"}, "at most"),
    ],
)
def test_an_invalid_key_request_raises_with_the_reason(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_new_key(**fields)
