"""Models in the shape of Anthropic's API."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from proxy.api.parameters import read_page_size
from proxy.chat.errors import bad_request

MAX_LIMIT = 1000


def model_info(model: Mapping[str, Any]) -> dict[str, Any]:
    """One *model*, which is given in OpenAI's shape (`Model.to_wire`)."""
    return {
        "type": "model",
        "id": model["id"],
        "display_name": model["name"] or model["id"],
        "created_at": datetime.fromtimestamp(model["created"], UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "lifecycle": "active",
        "line": None,
        "deprecated_at": None,
        "retires_at": None,
        "max_input_tokens": model["context_length"],
        "max_tokens": None,
        "capabilities": None,
    }


def model_page(models: Sequence[Mapping[str, Any]], query: Mapping[str, str]) -> dict[str, Any]:
    """The page of *models* that a request's query asks for: all, unless it says otherwise. Raises `ServiceError`."""
    size, names = read_page_size(query, MAX_LIMIT, MAX_LIMIT), [model["id"] for model in models]
    after, before = query.get("after_id"), query.get("before_id")
    if before and not after:
        end = _place(names, before, "before_id")
        start = max(0, end - size)
        has_more = start > 0
    else:
        start = _place(names, after, "after_id") + 1 if after else 0
        end = start + size
        has_more = end < len(models)
    shown = list(models[start:end])
    return {
        "data": shown,
        "has_more": has_more,
        "first_id": shown[0]["id"] if shown else None,
        "last_id": shown[-1]["id"] if shown else None,
    }


def _place(names: Sequence[str], name: str, param: str) -> int:
    if name not in names:
        raise bad_request(f"'{param}' names no model.", param=param, code="invalid_value")
    return names.index(name)
