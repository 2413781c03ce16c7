"""Parsing usage queries."""

import pytest

from shared.admin.wire import parse_usage_query

NOW = 1_795_435_200 + 1800.0  # 12:30 UTC
HOUR = 3600


@pytest.mark.parametrize(
    ("since", "first"),
    [("10m", NOW - 1800), ("1h", NOW - 1800 - HOUR), ("90m", NOW - 1800 - HOUR), (f"{NOW - 60:.0f}", NOW - 1800)],
)
def test_the_hour_in_which_a_time_begins_is_part_of_it(since: str, first: float) -> None:
    assert parse_usage_query(since, "", "key", now=NOW) == (first, NOW, ("key",))


def test_a_time_ends_after_it_begins() -> None:
    assert parse_usage_query("20m", "10m", "key", now=NOW)[:2] == (NOW - 1800, NOW - 600)
    with pytest.raises(ValueError, match="before until"):
        parse_usage_query("10m", "20m", "key", now=NOW)
