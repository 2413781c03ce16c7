"""Which addresses and URLs may be fetched."""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from proxy.api.images.addresses import is_public, web_url


@pytest.mark.parametrize(
    "text",
    [
        *("0.0.0.0", "10.1.2.3", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.254", "169.254.169.254"),
        *("172.16.0.1", "172.31.255.255", "192.0.0.192", "192.0.2.1", "192.168.1.1", "198.18.0.1", "198.19.255.255"),
        *("192.88.99.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255"),
        *("168.63.129.16", "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:0:127.0.0.1"),
        *("64:ff9b::127.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::8.8.8.8", "100::1", "2001::1", "2001:db8::1"),
        *("2001:0:7f00:1::1", "2002:7f00:1::", "2002:808:808::", "3fff::1", "fc00::1", "fd00:ec2::254", "fe80::1"),
        *("fe80::1%eth0", "2606:4700::1%eth0", "fec0::1", "ff02::1", "ff0e::1", "2620:4f:8000::1", "4000::1"),
    ],
)
def test_addresses_that_are_not_public(text: str) -> None:
    assert not is_public(ip_address(text))


@pytest.mark.parametrize(
    "text",
    [
        *("1.1.1.1", "8.8.8.8", "93.184.216.34", "100.63.255.255", "100.128.0.0", "172.15.255.255", "172.32.0.0"),
        *("198.17.255.255", "198.20.0.0", "223.255.255.255", "2606:4700:4700::1111", "2a00:1450:4001::200e"),
        *("::ffff:8.8.8.8", "64:ff9b::8.8.8.8"),
    ],
)
def test_addresses_that_are_public(text: str) -> None:
    assert is_public(ip_address(text))


@given(st.ip_addresses(v=4))
def test_whatever_python_knows_not_to_be_global_is_not_public(address: IPv4Address) -> None:
    special = not address.is_global or address.is_multicast or address.is_reserved or address.is_unspecified

    assert not (special and is_public(address))


@given(st.ip_addresses(v=6))
def test_ipv6_of_its_own_is_public_only_inside_global_unicast(address: IPv6Address) -> None:
    stands_for_ipv4 = address.ipv4_mapped is not None or address in IPv6Network("64:ff9b::/96")
    is_ordinary = address.is_global and not address.is_multicast and int(address) >> 125 == 1

    assert stands_for_ipv4 or is_ordinary or not is_public(address)


@given(st.ip_addresses(v=4))
def test_ipv6_that_leads_to_ipv4_is_as_public_as_that(address: IPv4Address) -> None:
    mapped, translated = IPv6Address(f"::ffff:{address}"), IPv6Address(f"64:ff9b::{address}")

    assert is_public(mapped) == is_public(translated) == is_public(address)


@given(st.ip_addresses(v=4))
def test_tunnels_to_ipv4_are_never_public(address: IPv4Address) -> None:
    for first_bits in (0x2002 << 112 | int(address) << 80, 0x20010000 << 96 | int(address) << 64, int(address)):
        assert not is_public(IPv6Address(first_bits))
    assert not is_public(IPv6Address(0x20010000 << 96 | (int(address) ^ 0xFFFFFFFF)))


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("http://example.org/a.png", "http://example.org/a.png"),
        ("HTTPS://example.org:8443/a?b=c#part", "https://example.org:8443/a?b=c"),
        ("https://example.org/%41%2f?sig=a%2Bb%3d&x=+%20", "https://example.org/%41%2f?sig=a%2Bb%3d&x=+%20"),
        ("https://例え.jp/画 像.png", "https://xn--r8jz45g.jp/%E7%94%BB%20%E5%83%8F.png"),
        ("http://[2606:4700::1]:8080/", "http://[2606:4700::1]:8080/"),
    ],
)
def test_a_url_is_sent_as_it_was_spelled(text: str, url: str) -> None:
    assert str(web_url(text)) == url


@pytest.mark.parametrize(
    "text",
    [
        *("", "x", "/a.png", "//example.org/a.png", "http:", "http://", "http:///a.png", "http://:80/", "http://[::1"),
        *(
            "ftp://example.org/a.png",
            "file:///etc/passwd",
            "gopher://example.org/",
            "unix:/run/x",
            "javascript:alert(1)",
        ),
        *(
            "http://user@example.org/",
            "http://user:secret@example.org/",
            "http://@example.org/",
            "http://:@example.org/",
        ),
        *("http://example.org\r\nX: y/", "http://example.org/\n", "\thttp://example.org/", "http://example.org/\0"),
        *("http://example.org:99999/", "http://example.org:x/", f"http://example.org/{'a' * 8192}"),
    ],
)
def test_what_is_no_web_url_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^it "):
        web_url(text)


@given(st.text())
def test_any_text_is_a_web_url_or_refused(text: str) -> None:
    for spelled in (text, f"http://{text}", f"http://example.org/{text}"):
        try:
            url = web_url(spelled)
        except ValueError:
            continue
        assert url.scheme in {"http", "https"}
        assert url.host
        assert (url.user, url.password, url.fragment) == (None, None, "")


def test_a_relative_url_is_joined() -> None:
    base = URL("https://example.org/a/b?c")

    assert str(web_url("../d.png?e%2f", base)) == "https://example.org/d.png?e%2f"
    assert str(web_url("//example.com/x", base)) == "https://example.com/x"
    with pytest.raises(ValueError, match="http"):
        web_url("file:///etc/passwd", base)
