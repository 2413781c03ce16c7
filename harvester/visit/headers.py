"""Whether a document came from a cache, by its headers. Pure."""

import re
from collections.abc import Mapping

_CACHE_HIT = re.compile(r"\b(hit|stale|updating|revalidated)\b", re.IGNORECASE)


def is_from_cache(headers: Mapping[str, str]) -> bool:
    """Whether a page came out of a cache on the way, so that its nonce may be old. *headers*: lower-case names."""
    age = headers.get("age", "")
    if age.isascii() and age.isdigit() and int(age[:9]) > 0:
        return True
    names = (name for name in headers if "cache" in name and name != "cache-control")
    return any(_CACHE_HIT.search(headers[name]) for name in names)
