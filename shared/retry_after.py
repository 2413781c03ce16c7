"""Parsing of the Retry-After header (RFC 9110, 10.2.3). Pure."""

import re
from email.utils import parsedate_to_datetime

MAX_SECONDS = 86400.0  # a longer wait is cut to a day
_SECONDS = re.compile(r"[0-9]+(?:\.[0-9]+)?")  # fractions are no standard, but some send them


def retry_after(value: str, date: str, *, now: float | None = None) -> float | None:
    """The seconds that a Retry-After header of this *value* asks for; None: it asks for nothing.

    A moment is counted from the answer's own Date, since the other clock need not be ours; *now* (Unix seconds) is for
    an answer without one.
    """
    value = value.strip()
    if _SECONDS.fullmatch(value):
        return min(float(value), MAX_SECONDS)
    until, sent = _unix_time(value), _unix_time(date)
    sent = now if sent is None else sent
    if until is None or sent is None:
        return None
    return min(max(until - sent, 0.0), MAX_SECONDS)


def _unix_time(date: str) -> float | None:
    """Unix seconds of an HTTP date."""
    try:
        return parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError):
        return None
