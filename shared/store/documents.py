"""Values as the JSON texts that stores keep."""

import json
from typing import TypeVar

from shared.models import Bot, Credentials, Value
from shared.store import StoreCorrupt

V = TypeVar("V", bound=Value)


def dump(value: Value) -> str:
    """*value* as ASCII JSON: a lone surrogate, which UTF-8 cannot hold, survives as its escape."""
    return json.dumps(value.model_dump(), separators=(",", ":"))


def load(model: type[V], text: str | bytes) -> V:
    """The value that `dump` wrote. Raises `StoreCorrupt`, whose text shows nothing of the content."""
    try:
        return model.model_validate(json.loads(text))
    except ValueError:
        raise StoreCorrupt(f"the store is damaged: one {model.__name__} in it cannot be read") from None


def dump_bots(bots: tuple[Bot, ...]) -> str:
    """*bots* as ASCII JSON."""
    return json.dumps([bot.model_dump() for bot in bots], separators=(",", ":"))


def load_bots(text: str | bytes) -> tuple[Bot, ...]:
    """What `dump_bots` wrote. Raises `StoreCorrupt`."""
    try:
        return tuple(Bot.model_validate(bot) for bot in json.loads(text))
    except (ValueError, TypeError):
        raise StoreCorrupt("the store is damaged: the bots in it cannot be read") from None


def renewed(current: Credentials, nonce: str, checked_at: float) -> Credentials:
    """*current* with a nonce that the site handed out at *checked_at*; only a new nonce makes a new generation."""
    if nonce == current.nonce:
        return current.model_copy(update={"nonce_checked_at": max(checked_at, current.nonce_checked_at)})
    return current.model_copy(
        update={
            "nonce": nonce,
            "nonce_checked_at": checked_at,
            "source": "renewal",
            "generation": current.generation + 1,
        }
    )
