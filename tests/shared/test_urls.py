"""Hosts and pages that are the same, and URLs as browsers send them."""

import pytest

from shared.urls import as_ascii, is_other_page, is_same_site


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


def test_an_international_host_name_is_encoded_as_browsers_do() -> None:
    assert as_ascii("https://müller.example/чат/ajax?a=b c") == (
        "https://xn--mller-kva.example/%D1%87%D0%B0%D1%82/ajax?a=b+c"
    )
    assert as_ascii("https://EXAMPLE.org/%7ea?b=%41") == "https://EXAMPLE.org/%7ea?b=%41"


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
