"""Values as the JSON texts that stores keep."""

import json
from typing import TypeVar

from shared.models import Value
from shared.store import StoreCorrupt

V = TypeVar("V", bound=Value)


def dump(value: Value) -> str:
    """*value* as ASCII JSON: a lone surrogate, which UTF-8 cannot hold, survives as its escape."""
    return json.dumps(value.model_dump(), separators=(",", ":"))


def load(model: type[V], text: str) -> V:
    """The value that `dump` wrote. Raises `StoreCorrupt`, whose text shows nothing of the content."""
    try:
        return model.model_validate(json.loads(text))
    except ValueError:
        raise StoreCorrupt(f"the store is damaged: one {model.__name__} in it cannot be read") from None
