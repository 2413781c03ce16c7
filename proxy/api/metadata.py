"""OpenAI's `metadata`: a few short strings that clients attach to what they store."""

from collections.abc import Mapping
from typing import Any

from proxy.chat.errors import bad_request

MAX_PAIRS, MAX_KEY, MAX_VALUE = 16, 64, 512  # OpenAI's limits


def read_metadata(value: Any) -> dict[str, str]:
    """The metadata in a request; empty for none. Raises `ServiceError` (400)."""
    if value is None:
        return {}
    is_plain = isinstance(value, dict) and all(
        isinstance(item, str) and len(key) <= MAX_KEY and len(item) <= MAX_VALUE for key, item in value.items()
    )
    if not is_plain or len(value) > MAX_PAIRS:
        raise bad_request(
            f"'metadata' must be an object of at most {MAX_PAIRS} strings of {MAX_VALUE} characters.", param="metadata"
        )
    return dict(value)


def read_new_metadata(body: Mapping[str, Any]) -> dict[str, str]:
    """The metadata that take the place of others. Raises `ServiceError` (400), also where *body* holds none."""
    if "metadata" not in body:
        raise bad_request("'metadata' must be given; null or {} empties it.", param="metadata")
    return read_metadata(body["metadata"])
