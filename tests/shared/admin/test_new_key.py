"""What is told of a key that cannot be as it is wished for."""

from typing import Any

import pytest

from shared.admin.keys import parse_new_key


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ({"name": "v1."}, "last no blank or dot"),
        ({"name": "-v1"}, "first a letter or digit"),
        ({"name": "a", "expires_in": 0}, "greater than zero"),
        ({"name": "a", "expires_in": "1000000000000d"}, "at most"),
    ],
)
def test_a_wish_that_cannot_be_met_is_told_why(wanted: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        parse_new_key(**wanted)
