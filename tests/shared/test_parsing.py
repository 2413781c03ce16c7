"""The small notations of settings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.parsing import Site, as_ascii, duration, is_other_page, is_same_site, pairs, site, words


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


@pytest.mark.parametrize(
    ("named", "found", "is_other"),
    [
        ("https://chat.example/", "https://chat.example/", False),
        ("http://chat.example/a/", "https://www.chat.example/a", False),
        ("https://chat.example/", "https://chat.example/chat/", True),
        ("https://chat.example/?p=1", "https://chat.example/?p=2", True),
        ("https://chat.example/", "https://new.example/", True),
        ("https://müller.example/чат/?q=ä", "https://xn--mller-kva.example/%D1%87%D0%B0%D1%82?q=%C3%A4", False),
        ("https://chat.example/", "https://chat.example:8443/", True),
    ],
)
def test_two_addresses_may_be_one_page(named: str, found: str, is_other: bool) -> None:
    assert is_other_page(named, found) is is_other


def test_an_address_of_other_letters_is_sent_as_browsers_send_it() -> None:
    assert as_ascii("https://müller.example/чат/ajax?a=b c") == (
        "https://xn--mller-kva.example/%D1%87%D0%B0%D1%82/ajax?a=b+c"
    )
    assert as_ascii("https://EXAMPLE.org/%7ea?b=%41") == "https://EXAMPLE.org/%7ea?b=%41"


def test_pairs_map_aliases_to_bot_ids() -> None:
    assert pairs("a=1, b:c=22  d=e=3") == {"a": 1, "b:c": 22, "d=e": 3}
    assert pairs("") == {}


@pytest.mark.parametrize("text", ["a", "=1", "a=", "a=x", "a=-1", "a=1.5", "a=１"])
def test_what_is_no_pair_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not alias=bot_id"):
        pairs(text)


@pytest.mark.parametrize(
    ("host", "other", "same"),
    [
        ("example.org", "example.org", True),
        ("Example.org", "EXAMPLE.ORG", True),
        ("example.org", "www.example.org", True),
        ("www.example.org", "example.org", True),
        ("www.example.org", "static.example.org", True),
        ("chat.example.org", "example.org", True),
        ("chat.example.org", "org", False),
        ("example.org", "notexample.org", False),
        ("example.org", "example.org.evil.net", False),
        ("example.org", "", False),
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "localhost", False),
        ("www.müller.example", "xn--mller-kva.example", True),
        ("xn--fa-hia.example", "chat.faß.example", True),
        ("müller.example", "muller.example", False),
        ("a" * 70 + "ü.example", "a.example", False),
    ],
)
def test_one_site_is_a_host_and_those_above_and_below_it(host: str, other: str, same: bool) -> None:
    assert is_same_site(host, other) is same
