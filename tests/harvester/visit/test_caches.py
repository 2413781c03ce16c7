"""Recognizing cached pages by their headers."""

import pytest

from harvester.visit.caches import is_from_cache


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
def test_a_cached_page_is_recognized_by_its_headers(headers: dict[str, str], cached: bool) -> None:
    assert is_from_cache(headers) is cached
