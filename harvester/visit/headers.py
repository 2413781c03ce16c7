"""Reading the headers of a document: how long to stay away, and whether it came from a cache. Pure."""

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

MOST_RETRY_AFTER = 86400.0  # seconds; what asks for more is asked again after a day
_CACHE_HIT = re.compile(r"\b(hit|stale|updating|revalidated)\b", re.IGNORECASE)


def retry_after(headers: Mapping[str, str], now: float) -> float:
    """The seconds that an answer asks to be left alone; 0.0: it asks for nothing. *headers*: lower-case names.

    A date is counted from the answer's own, since the site's clock need not be ours; *now* is for an answer without.
    """
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return float(min(int(value[:9]), MOST_RETRY_AFTER))
    until, sent = _moment(value), _moment(headers.get("date", ""))
    if until is None:
        return 0.0
    return min(max(until - (now if sent is None else sent), 0.0), MOST_RETRY_AFTER)


def _moment(date: str) -> float | None:
    """Unix seconds of an HTTP date."""
    try:
        return parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError):
        return None


def is_from_cache(headers: Mapping[str, str]) -> bool:
    """Whether a page came out of a cache on the way, so that its nonce may be old. *headers*: lower-case names."""
    age = headers.get("age", "")
    if age.isascii() and age.isdigit() and int(age[:9]) > 0:
        return True
    names = (name for name in headers if "cache" in name and name != "cache-control")
    return any(_CACHE_HIT.search(headers[name]) for name in names)
