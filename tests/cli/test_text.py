"""Formatting of times, counts and credentials."""

import pytest

from shared.cli import text


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (200, "3 min 20 s"),
        (5 * 3600 + 7 * 60, "5 h 7 min"),
        (2 * 86400 + 3 * 3600 + 59, "2 d 3 h"),
        (-3, "0.0 s"),
    ],
)
def test_a_duration_is_written_in_the_two_units_that_matter(seconds: float, expected: str) -> None:
    assert text.duration(seconds) == expected


@pytest.mark.parametrize(("header", "expected"), [("", "cookie none"), ("a=1", "1 cookie"), ("a=1; b=2;", "2 cookies")])
def test_cookies_are_counted_and_never_shown(header: str, expected: str) -> None:
    assert text.cookie(header) == expected


def test_a_session_shows_too_little_to_use() -> None:
    assert text.session("12345678-1234-4123-8123-123456789abc") == "1234…"


def test_a_table_is_aligned_whatever_colours_and_scripts_its_cells_have() -> None:
    rows = [("\x1b[32mab\x1b[0m", "x"), ("a", "y"), ("视", "z")]

    assert text.table(rows, indent="") == ["\x1b[32mab\x1b[0m  x", "a   y", "视  z"]


def test_what_commands_a_terminal_is_taken_out_and_nothing_else() -> None:
    assert text.sanitized("a\x1b[31mb\x9bc\r\x07\u202ed\n\te 视觉") == "a[31mbcd\n\te 视觉"
