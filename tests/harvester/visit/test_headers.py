"""What the headers of a page tell."""

import pytest

from harvester.visit.headers import is_from_cache, retry_after


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "120"}, 120.0),
        ({"retry-after": " 7 "}, 7.0),
        ({"retry-after": "99999999999999"}, 86400.0),
        ({"retry-after": "Sun, 20 Sep 2026 10:02:00 GMT", "date": "Sun, 20 Sep 2026 10:00:00 GMT"}, 120.0),
        ({"retry-after": "Sun, 20 Sep 2026 09:00:00 GMT", "date": "Sun, 20 Sep 2026 10:00:00 GMT"}, 0.0),
        ({"retry-after": "Thu, 01 Jan 1970 00:16:50 GMT"}, 10.0),  # without a date of the answer's own
        ({"retry-after": "-5"}, 0.0),
        ({"retry-after": "soon"}, 0.0),
        ({"retry-after": "\N{SUPERSCRIPT TWO}"}, 0.0),
        ({}, 0.0),
    ],
)
def test_how_long_an_answer_asks_to_be_left_alone(headers: dict[str, str], seconds: float) -> None:
    assert retry_after(headers, now=1000.0) == seconds


@pytest.mark.parametrize(
    ("headers", "cached"),
    [
        ({}, False),
        ({"age": "0"}, False),
        ({"age": "3600"}, True),
        ({"age": "x"}, False),
        ({"age": "\N{SUPERSCRIPT TWO}"}, False),
        ({"cache-control": "hit"}, False),
        ({"cf-cache-status": "HIT"}, True),
        ({"cf-cache-status": "DYNAMIC"}, False),
        ({"x-cache": "Hit from cloudfront"}, True),
        ({"x-cache": "MISS, HIT"}, True),
        ({"x-cache": "MISS"}, False),
        ({"x-litespeed-cache": "hit"}, True),
        ({"x-cache-status": "STALE"}, True),
        ({"x-cache-hits": "0"}, False),
    ],
)
def test_a_page_out_of_a_cache_is_known_by_its_headers(headers: dict[str, str], cached: bool) -> None:
    assert is_from_cache(headers) is cached
