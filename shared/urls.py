"""Comparing hosts and pages, and spelling URLs in ASCII as browsers do. Pure."""

from contextlib import suppress
from urllib.parse import unquote, urlsplit


def is_other_page(named: str, found: str) -> bool:
    """Whether two addresses are different pages; the scheme, `www.` and a last slash make no difference."""
    return _page(named) != _page(found)


def is_same_host(host: str, other: str) -> bool:
    """Whether two host names are the same; a leading `www.` does not count."""
    return _bare(host) == _bare(other)


def is_same_site(host: str, other: str) -> bool:
    """Whether two host names are one site: equal, or one below the other; a leading `www.` does not count."""
    host, other = _bare(host), _bare(other)
    return host == other or other.endswith(f".{host}") or ("." in other and host.endswith(f".{other}"))


def as_ascii(url: str) -> str:
    """*url* as browsers send it: a name of other letters in punycode, other characters percent-encoded. Raises
    ValueError. What is ASCII stays as it is."""
    if url.isascii():
        return url
    from yarl import URL

    return str(URL(url))


def ascii_host(host: str) -> str:
    """*host* as browsers ask for it, in punycode where it has other letters. Raises ValueError."""
    if host.isascii():
        return host
    from yarl import URL  # it takes long to import, and hardly any name needs it

    return URL.build(scheme="https", host=host).raw_host or ""


def _bare(host: str) -> str:
    with suppress(ValueError):
        host = ascii_host(host)
    return host.lower().removeprefix("www.")


def _page(url: str) -> tuple[str, int | None, str, str]:
    parts = urlsplit(url)
    return _bare(parts.hostname or ""), parts.port, unquote(parts.path).rstrip("/"), unquote(parts.query)
