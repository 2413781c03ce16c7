"""Parsing durations, lists, addresses and pairs in settings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.parsing import Site, duration, pairs, site, words


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90.0),
        (" 1.5 ", 1.5),
        (90, 90.0),
        (0.5, 0.5),
        ("30s", 30.0),
        ("15m", 900.0),
        ("6h", 21600.0),
        ("7D", 604800.0),
        ("1h30m", 5400.0),
        ("1 h 30 m", 5400.0),
        ("0.5d", 43200.0),
    ],
)
def test_durations_are_seconds_or_numbers_with_units(text: str | float, seconds: float) -> None:
    assert duration(text) == seconds


def test_a_number_that_is_too_large_is_refused() -> None:
    with pytest.raises(ValueError, match="too large"):
        duration(10**400)


@pytest.mark.parametrize("text", ["", "h", "6x", "-5m", "1e9", "5 5", "1h30", "6h!", "nan", "1,5h", "six hours"])
def test_what_is_no_duration_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="write for example 30s, 15m, 6h or 7d"):
        duration(text)


@given(st.text(max_size=20))
def test_any_text_is_a_duration_or_refused(text: str) -> None:
    try:
        found = duration(text)
    except ValueError:
        return
    assert found >= 0


def test_lists_are_separated_by_commas_or_blanks() -> None:
    assert words(" a,b  c\n,,\td ") == ["a", "b", "c", "d"]
    assert words(" , ") == []


@pytest.mark.parametrize(
    ("url", "origin", "page"),
    [
        ("https://chatgptfree.ai/", "https://chatgptfree.ai", "https://chatgptfree.ai/"),
        ("chatgptfree.ai", "https://chatgptfree.ai", "https://chatgptfree.ai/"),
        ("HTTPS://Chat.Example:443/Chat/?a=B#part", "https://chat.example", "https://chat.example/Chat/?a=B"),
        ("http://host:80", "http://host", "http://host/"),
        ("http://host:8090/wp/chat/", "http://host:8090", "http://host:8090/wp/chat/"),
        ("localhost:8090/x", "https://localhost:8090", "https://localhost:8090/x"),
        ("http://[::1]:8090/", "http://[::1]:8090", "http://[::1]:8090/"),
        ("https://user:hush@host/", "https://host", "https://host/"),
        (
            "https://例え.jp/聊天/?问=1",
            "https://xn--r8jz45g.jp",
            "https://xn--r8jz45g.jp/%E8%81%8A%E5%A4%A9/?%E9%97%AE=1",
        ),
        ("https://host/%e8%81%8a", "https://host", "https://host/%e8%81%8a"),
    ],
)
def test_a_page_address_names_its_site(url: str, origin: str, page: str) -> None:
    assert site(url) == Site(origin=origin, url=page)


@pytest.mark.parametrize(
    "url",
    [
        *("", "ftp://host/", "https://", "https:///path", "//host", "http://host:port/", "http://[::1/"),
        *("https:/host/", "https://host;/", "https://host:0/", "https://-/", "'https://host/'", "http://[host]/"),
        "https://host/\ud800",
    ],
)
def test_what_is_no_page_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="not a page address"):
        site(url)


@given(st.text(max_size=30))
def test_any_text_is_a_site_of_its_own_origin_or_refused(text: str) -> None:
    try:
        found = site(text)
    except ValueError:
        return
    assert found.url.startswith(f"{found.origin}/")
    assert site(found.origin).origin == found.origin


def test_pairs_map_aliases_to_bot_ids() -> None:
    assert pairs("a=1, b:c=22  d=e=3") == {"a": 1, "b:c": 22, "d=e": 3}
    assert pairs("") == {}


@pytest.mark.parametrize("text", ["a", "=1", "a=", "a=x", "a=-1", "a=1.5", "a=１"])
def test_what_is_no_pair_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not alias=bot_id"):
        pairs(text)
