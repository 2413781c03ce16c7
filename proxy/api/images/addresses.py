"""Which addresses may be fetched because a client names them: those of the public internet, and nothing nearer. Pure.

Naming an address must not give access to this machine or its network (server-side request forgery).
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from yarl import URL

Address = IPv4Address | IPv6Address

MAX_URL_CHARS = 8192

# IANA's registries of special-purpose addresses, whatever the running Python's `ipaddress` knows of them.
_NOT_PUBLIC_4 = tuple(
    IPv4Network(network)
    for network in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16"),
        *("192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
        "168.63.129.16/32",  # looks public, and is the host's own service on every Azure machine
    )
)
_GLOBAL_UNICAST = IPv6Network("2000::/3")
_NOT_PUBLIC_6 = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # protocols' own, Teredo among them
        "2001:db8::/32",
        "2002::/16",  # 6to4 holds an IPv4 address, and is out of use
        "2620:4f:8000::/48",
        "3fff::/20",
    )
)
_NAT64 = IPv6Network("64:ff9b::/96")  # how hosts without IPv4 of their own reach IPv4


def is_public(address: Address) -> bool:
    """Whether *address* may belong to any machine of the internet; one that stands for another is judged by that."""
    if isinstance(address, IPv6Address) and address.scope_id:
        return False
    address = reached_by(address)
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _NOT_PUBLIC_4)
    return address in _GLOBAL_UNICAST and not any(address in network for network in _NOT_PUBLIC_6)


def reached_by(address: Address) -> Address:
    """The address for which *address* stands: an IPv4 one that is written as an IPv6 one, else itself."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else address


def web_url(text: str, base: URL | None = None) -> URL:
    """The http(s) URL that *text* spells, relative to *base* if given, without its fragment.

    What it says in ASCII stays as it is: a signed address would lose its signature otherwise. Raises `ValueError` for
    other schemes, without a host, with a user's name or password in it, with control characters, and if too long.
    """
    if len(text) > MAX_URL_CHARS:
        raise ValueError(f"it is longer than {MAX_URL_CHARS} characters")
    if any(ord(letter) < 0x20 or ord(letter) == 0x7F for letter in text):
        raise ValueError("it holds control characters")
    is_ready = text.isascii() and " " not in text
    try:
        url = URL(text, encoded=is_ready)
        url = base.join(url) if base is not None else url
        url.port  # noqa: B018  (raises for what is no port)
    except ValueError as error:
        raise ValueError("it is no URL") from error
    if url.scheme not in {"http", "https"} or not url.host:
        raise ValueError("it is no http or https URL")
    if "@" in url.raw_authority:
        raise ValueError("it holds a user's name or password")
    return url.with_fragment(None)
