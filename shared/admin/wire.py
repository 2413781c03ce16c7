"""Keys and usage as JSON objects, for the admin API and for the command line. Pure."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from shared import parsing
from shared.admin.keys import ApiKey
from shared.admin.usage import BY, hour_of

LATEST = 10**11  # a larger number is no time


class UsageQuery(NamedTuple):
    """A time range (Unix seconds), and the dimensions to group its usage by.

    *since* is the start of an hour, since usage is counted by the hour.
    """

    since: float
    until: float
    by: tuple[str, ...]


def key_object(key: ApiKey) -> dict[str, Any]:
    """The JSON object of a key, without its secret, which is not stored."""
    times = {name: _seconds(getattr(key, name)) for name in ("created_at", "expires_at", "revoked_at", "last_used_at")}
    return {
        "id": key.id,
        "object": "api_key",
        "name": key.name,
        "hint": key.hint,
        **times,
        "rpm": key.rpm,
        "tpd": key.tpd,
        "models": None if key.models is None else list(key.models),
    }


def key_list(keys: Sequence[ApiKey]) -> dict[str, Any]:
    """The JSON list of *keys*."""
    return {"object": "list", "data": [key_object(key) for key in keys]}


def usage_list(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The JSON list of rows of `shared.admin.usage.summary`."""
    return {"object": "list", "data": list(rows), "estimated": True}


def parse_usage_query(since: str, until: str, by: str, *, now: float) -> UsageQuery:
    """Parse a query: times as `7d` (before *now*) or Unix seconds, dimensions as a list. Raises ValueError.

    The range is extended to the start of its first hour: otherwise the last minutes would hold nothing.
    """
    dimensions = tuple(dict.fromkeys(parsing.words(by)))
    for word in dimensions:
        if word not in BY:
            raise ValueError(f"by: {word!r} is none of {', '.join(BY)}")
    query = UsageQuery(_moment("since", since, now), _moment("until", until, now) if until else now, dimensions)
    if query.since >= query.until:
        raise ValueError("since: it must be before until")
    return query._replace(since=hour_of(query.since))


def _moment(name: str, text: str, now: float) -> float:
    try:
        seconds = parsing.duration(text)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    if seconds > LATEST:
        raise ValueError(f"{name}: that is no time")
    is_time = text.strip().replace(".", "", 1).isdigit()
    return seconds if is_time else now - seconds


def _seconds(moment: float | None) -> int | None:
    return None if moment is None else int(moment)
