"""Parsing the Retry-After header."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.retry_after import MAX_SECONDS, retry_after

SENT = "Sun, 20 Sep 2026 10:00:00 GMT"


@pytest.mark.parametrize(
    ("value", "date", "seconds"),
    [
        ("120", "", 120.0),
        (" 7 ", "", 7.0),
        ("0", "", 0.0),
        ("0.5", "", 0.5),
        ("9" * 400, "", MAX_SECONDS),
        ("Sun, 20 Sep 2026 10:02:00 GMT", SENT, 120.0),
        ("Sun, 20 Sep 2026 09:00:00 GMT", SENT, 0.0),
        ("Sun, 20 Sep 2027 10:00:00 GMT", SENT, MAX_SECONDS),
        ("Sun, 20 Sep 2026 10:02:00 GMT", "", None),
        ("-5", SENT, None),
        ("1e5", SENT, None),
        ("soon", SENT, None),
        ("\N{SUPERSCRIPT TWO}", SENT, None),
        ("", SENT, None),
    ],
)
def test_retry_after_is_seconds_or_a_date_by_the_servers_clock(value: str, date: str, seconds: float | None) -> None:
    assert retry_after(value, date) == seconds


def test_without_a_date_header_a_retry_date_counts_from_now() -> None:
    assert retry_after("Thu, 01 Jan 1970 00:16:50 GMT", "", now=1000.0) == 10.0


@given(st.text(), st.text())
def test_the_retry_pause_is_bounded(value: str, date: str) -> None:
    found = retry_after(value, date, now=0.0)

    assert found is None or 0.0 <= found <= MAX_SECONDS
