"""JSON as sites send it."""

from typing import Any

import pytest

from shared.plugins.aipkit.nonce import lacks_action
from shared.plugins.lenient_json import MAX_INTEGER, number_at, read_json, read_object


def test_a_byte_order_mark_is_skipped() -> None:
    assert read_object(b'\xef\xbb\xbf{"success":true}') == {"success": True}
    assert read_object('\ufeff{"success":true}') == {"success": True}
    assert read_json(b"\xef\xbb\xbf") is None


@pytest.mark.parametrize("before", ["\n\n\ufeff", "\ufeff\r\n", "\ufeff\ufeff", "\ufeff\n\ufeff \n"])
def test_each_file_of_a_site_may_begin_with_blank_lines_and_a_byte_order_mark(before: str) -> None:
    assert read_object(f'{before}{{"success":true}}') == {"success": True}
    assert read_object(f'{before}{{"success":true}}'.encode()) == {"success": True}
    assert lacks_action(400, f"{before}0".encode())


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (1, 1),
        ("1", 1),
        ("007", 7),
        (MAX_INTEGER, MAX_INTEGER),
        (str(MAX_INTEGER), MAX_INTEGER),
        *((value, 0) for value in (MAX_INTEGER + 1, str(MAX_INTEGER + 1), "1" * 5000, 0, "0", -1, "-1", "+1", "")),
        *((value, 0) for value in (True, 1.0, "1.0", " 1", "\u00b2", "\u0661", None, [1])),
    ],
)
def test_a_number_is_positive_fits_the_database_and_may_stand_in_a_string(value: Any, number: int) -> None:
    found = number_at({"n": value}, "n")

    assert (found, type(found)) == (number, int)
