"""Serialising the guest identity between visits, within a size limit. Pure."""

import json
import logging
from collections.abc import Mapping
from typing import Any

MAX_CHARS = 512 * 1024  # of all local storage, as JSON

log = logging.getLogger(__name__)


def dump_identity(state: Mapping[str, Any], *, first: tuple[str, ...]) -> str:
    """*state* (Playwright's storage_state) as JSON: all cookies, and up to `MAX_CHARS` of local storage.

    Keys with a prefix in *first* come first, then small values: large ones are usually caches.
    """
    origins = state.get("origins", [])
    items = [(origin["origin"], item) for origin in origins for item in origin.get("localStorage", [])]
    kept, left = set(), MAX_CHARS
    for _, size, origin, name in sorted(
        (not item["name"].startswith(first), len(json.dumps(item)), origin, item["name"]) for origin, item in items
    ):
        left -= size
        if left < 0:
            break
        kept.add((origin, name))
    if len(kept) < len(items):
        log.warning("%d values of the page's local storage are not kept: it holds too much", len(items) - len(kept))
    bounded_origins = [
        {**it, "localStorage": [item for item in it.get("localStorage", []) if (it["origin"], item["name"]) in kept]}
        for it in origins
    ]
    return json.dumps({**state, "origins": bounded_origins})
