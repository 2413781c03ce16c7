"""What is kept of a visitor between visits, within bounds. Pure."""

import json
import logging
from collections.abc import Mapping
from typing import Any

MOST_CHARS = 512 * 1024  # of all local storage, as JSON

log = logging.getLogger(__name__)


def bounded(state: Mapping[str, Any], *, first: tuple[str, ...]) -> str:
    """*state* (Playwright's storage_state) as JSON: every cookie, and as much of the local storage as is reasonable.

    Keys that begin with one of *first* come first, then small values: pages that keep megabytes keep caches, and make
    them anew.
    """
    sized = [
        (not item["name"].startswith(first), len(json.dumps(item)), origin["origin"], item)
        for origin in state.get("origins", [])
        for item in origin.get("localStorage", [])
    ]
    kept: dict[str, list[Any]] = {}
    left = MOST_CHARS
    for _, size, origin, item in sorted(sized, key=lambda entry: entry[:2]):
        if size > left:
            break
        left -= size
        kept.setdefault(origin, []).append(item)
    dropped = len(sized) - sum(map(len, kept.values()))
    if dropped:
        log.warning("%d values of the page's local storage are not kept: it holds too much", dropped)
    origins = [{**origin, "localStorage": _kept_of(origin, kept)} for origin in state.get("origins", [])]
    return json.dumps({**state, "origins": origins})


def _kept_of(origin: Mapping[str, Any], kept: Mapping[str, list[Any]]) -> list[Any]:
    """In the page's order."""
    names = {item["name"] for item in kept.get(origin["origin"], [])}
    return [item for item in origin.get("localStorage", []) if item["name"] in names]
