"""Recognizing cached pages by their headers, and the addresses of uncached copies."""

import pytest

from harvester.visit.caches import cache_busting, is_from_cache, rest_roots, rest_routes


@pytest.mark.parametrize(
    ("headers", "cached"),
    [
        ({}, False),
        ({"age": "0"}, False),
        ({"age": "1"}, True),
        ({"server": "hit"}, False),
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


@pytest.mark.parametrize(
    ("url", "start"),
    [
        ("https://h", "https://h/?nocache="),
        ("https://h/chat/?a=b%20c&d=#end", "https://h/chat/?a=b+c&d=&nocache="),
    ],
)
def test_the_address_past_the_cache_is_another_one_each_time(url: str, start: str) -> None:
    one, other = cache_busting(url), cache_busting(url)

    assert one.startswith(start)
    assert one != other


@pytest.mark.parametrize(
    ("page", "number", "found"),
    [
        ("https://h/a/chat/?b=c", 7, ("wp/v2/pages/7", "wp/v2/posts/7")),
        ("https://h/a/chat/?b=c", 0, ("wp/v2/pages?slug=chat", "wp/v2/posts?slug=chat")),
        ("https://h/%e8%81%8a", 0, ("wp/v2/pages?slug=%25e8%2581%258a", "wp/v2/posts?slug=%25e8%2581%258a")),
        ("https://h/", 0, ()),
    ],
)
def test_core_rest_is_asked_for_a_page_by_its_number_or_by_its_name(
    page: str, number: int, found: tuple[str, ...]
) -> None:
    pretty, plain = rest_roots("https://h/blog")

    assert list(rest_routes(pretty, page, number)) == [f"https://h/blog/wp-json/{each}" for each in found]
    assert list(rest_routes(plain, page, number)) == [
        f"https://h/blog/index.php?rest_route=/{each.replace('?', '&')}" for each in found
    ]
