"""Reading the small notations that settings use: durations, lists, pairs, site URLs."""

import re
import string
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from urllib.parse import SplitResult, quote, urlsplit

from shared.urls import ascii_host

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd])", re.IGNORECASE)
_SECONDS = re.compile(r"\d+(?:\.\d+)?")
_SERVER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_HOST = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?\.?")
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Site:
    """One configured site: its origin, and the page of it that is visited first.

    `unused_urls`: further pages of it that the settings name, too.
    """

    origin: str
    url: str
    unused_urls: tuple[str, ...] = field(default=(), compare=False)

    @property
    def host(self) -> str:
        """`host` or `host:port`, as used in `model@host`; of a server its name."""
        return self.origin.rpartition("://")[2]


@dataclass(frozen=True, slots=True)
class Server:
    """One configured OpenAI-compatible server; the base URL without a slash at its end."""

    name: str
    base_url: str

    @property
    def site(self) -> Site:
        """Its name and address in the place of a site's."""
        return Site(origin=self.name, url=self.base_url)


def duration(text: str | float) -> float:
    """Seconds in `90`, `"90"`, `"30s"`, `"15m"`, `"6h"`, `"7d"` or `"1h30m"`. Raises ValueError."""
    if isinstance(text, int | float):
        try:
            return float(text)
        except OverflowError:
            raise ValueError("this number is too large") from None
    if _SECONDS.fullmatch(text.strip()):
        return float(text)
    parts = _DURATION.findall(text)
    if not parts or _DURATION.sub("", text).strip():
        raise ValueError(f"{text!r} is not a duration; write for example 30s, 15m, 6h or 7d")
    return sum(float(number) * _UNITS[unit.lower()] for number, unit in parts)


def sites(text: str) -> tuple[Site, ...]:
    """The sites of a list of page URLs, each once: of several pages of one origin the first is its page.

    Raises ValueError.
    """
    found: dict[str, Site] = {}
    for word in words(text):
        one = site(word)
        first = found.setdefault(one.origin, one)
        if one.url not in (first.url, *first.unused_urls):
            found[one.origin] = replace(first, unused_urls=(*first.unused_urls, one.url))
    if not found:
        raise ValueError("names no page; write for example https://chatgptfree.ai/")
    return tuple(found.values())


def words(text: str) -> list[str]:
    """The items of a list separated by commas or blanks."""
    return [word for word in re.split(r"[,\s]+", text) if word]


def site(url: str) -> Site:
    """The site a page URL belongs to, spelled as a browser spells it: in ASCII. Raises ValueError unless it is an
    http(s) URL with a host."""
    try:
        parts = urlsplit(url if "://" in url else f"https://{url}")
        origin = _origin(parts)
        query = f"?{parts.query}" if parts.query else ""
        page = quote(f"{parts.path or '/'}{query}", safe=string.punctuation)
    except ValueError:
        raise ValueError(f"{url!r} is not a page address; write for example https://chatgptfree.ai/") from None
    return Site(origin=origin, url=f"{origin}{page}")


def _origin(parts: SplitResult) -> str:
    """The origin of a page address. Raises ValueError where it has none."""
    if parts.scheme not in _DEFAULT_PORTS or parts.port == 0 or parts.netloc.endswith(":"):
        raise ValueError("no origin")
    host = _host(parts.hostname or "")
    return f"{parts.scheme}://{host if parts.port in (None, _DEFAULT_PORTS[parts.scheme]) else f'{host}:{parts.port}'}"


def _host(name: str) -> str:
    """The host *name* as it stands in a URL. Raises ValueError."""
    if ":" in name:
        return f"[{ip_address(name)}]"
    name = ascii_host(name)
    if not _HOST.fullmatch(name):
        raise ValueError(f"{name!r} is no host")
    return name


def servers(text: str) -> tuple[Server, ...]:
    """The servers of a list of `name=base_url` pairs. Raises ValueError."""
    found: dict[str, Server] = {}
    for word in words(text):
        name, equals, url = word.partition("=")
        if not equals or not _SERVER_NAME.fullmatch(name):
            raise ValueError("a server is written name=base_url; write for example ollama=http://127.0.0.1:11434/v1")
        if name.lower() in map(str.lower, found):
            raise ValueError(f"there are two servers of the name {name!r}")
        found[name] = Server(name, _base_url(name, url))
    return tuple(found.values())


def _base_url(name: str, url: str) -> str:
    """*url* without the slash at its end; `/v1` is added where it has no path. Raises ValueError."""
    try:
        parts = urlsplit(url)
        is_usable = parts.scheme in _DEFAULT_PORTS and bool(parts.hostname) and parts.port != 0
    except ValueError:
        parts, is_usable = urlsplit(""), False
    if not is_usable or parts.query or parts.fragment or not url.isascii():
        raise ValueError(f"the base URL of {name!r} is none; write for example http://127.0.0.1:11434/v1")
    if "@" in parts.netloc:
        raise ValueError(f"the base URL of {name!r} holds a password; FREEAICHAT_SERVER_KEYS takes keys")
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/') or '/v1'}"


def keys(text: str) -> dict[str, str]:
    """`name=key` pairs. Raises ValueError, which holds no part of them."""
    found: dict[str, str] = {}
    for word in words(text):
        name, _, key = word.partition("=")
        if not _SERVER_NAME.fullmatch(name) or not key:
            raise ValueError("a key is written name=key, with the name of a server; commas and blanks separate pairs")
        found[name] = key
    return found


def pairs(text: str) -> dict[str, int]:
    """`alias=bot_id` pairs separated by commas or blanks. Raises ValueError."""
    found: dict[str, int] = {}
    for word in words(text):
        alias, equals, number = word.rpartition("=")
        if not equals or not alias or not number.isascii() or not number.isdigit():
            raise ValueError(f"{word!r} is not alias=bot_id; write for example my-model=25865")
        found[alias] = int(number)
    return found
