"""Detection of cached pages, and URLs of uncached copies."""

import re
from collections.abc import Iterator, Mapping
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit
from uuid import uuid4

_CACHE_HIT = re.compile(r"\b(hit|stale|updating|revalidated)\b", re.IGNORECASE)


def is_from_cache(headers: Mapping[str, str]) -> bool:
    """Whether a response came from a cache, so that its nonce may be old. *headers*: lower-case names."""
    age = headers.get("age", "")
    if age.isascii() and age.isdigit() and int(age[:9]) > 0:
        return True
    names = (name for name in headers if "cache" in name and name != "cache-control")
    return any(_CACHE_HIT.search(headers[name]) for name in names)


def cache_busting(page_url: str) -> str:
    """*page_url* with a random query parameter, which bypasses caches."""
    page = urlsplit(page_url)
    query = urlencode([*parse_qsl(page.query, keep_blank_values=True), ("nocache", uuid4().hex[:12])])
    return urlunsplit((page.scheme, page.netloc, page.path or "/", query, ""))


def rest_roots(site_url: str) -> tuple[str, str]:
    """The possible REST roots of a site whose pages do not link to one; the second is for plain permalinks."""
    return f"{site_url}/wp-json/", f"{site_url}/index.php?rest_route=/"


def rest_routes(root: str, page_url: str, post_id: int) -> Iterator[str]:
    """Core REST URLs of a page, by its id or, if that is unknown (0), by its slug."""
    slug = urlsplit(page_url).path.rstrip("/").rpartition("/")[2]
    for kind in ("pages", "posts"):
        if post_id:
            yield f"{root}wp/v2/{kind}/{post_id}"
        elif slug:
            yield f"{root}wp/v2/{kind}{'&' if '?' in root else '?'}{urlencode({'slug': slug})}"
