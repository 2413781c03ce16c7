"""Keys and usage as the administrator's HTTP API and the command line's JSON both write them. Pure."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from shared import parsing
from shared.admin.keys import ApiKey
from shared.admin.usage import BY, hour_of

LATEST = 10**11  # a larger number is no time


class Span(NamedTuple):
    """The time that is asked about (Unix seconds), and what is told apart in it.

    *since* begins an hour: no shorter times are told apart.
    """

    since: float
    until: float
    by: tuple[str, ...]


def key_object(key: ApiKey) -> dict[str, Any]:
    """What is told of a key; its secret is known to nobody any more."""
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
    """All keys."""
    return {"object": "list", "data": [key_object(key) for key in keys]}


def usage_list(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Rows of `shared.admin.usage.summary`."""
    return {"object": "list", "data": list(rows), "estimated": True}


def span(since: str, until: str, by: str, *, now: float) -> Span:
    """What is asked for in words: times as `7d` (before *now*) or Unix seconds. Raises ValueError.

    Of the first hour all is told, since it is counted as one: otherwise the last minutes would hold nothing.
    """
    wanted = tuple(dict.fromkeys(parsing.words(by)))
    for word in wanted:
        if word not in BY:
            raise ValueError(f"by: {word!r} is none of {', '.join(BY)}")
    found = Span(_moment("since", since, now), _moment("until", until, now) if until else now, wanted)
    if found.since >= found.until:
        raise ValueError("since: it must be before until")
    return found._replace(since=hour_of(found.since))


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
