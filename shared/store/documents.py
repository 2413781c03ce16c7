"""Values as the JSON texts that stores keep."""

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import TypeVar

from shared.models import Bot, Credentials, Value
from shared.store import StoreCorrupt

R = TypeVar("R")
T = TypeVar("T")
V = TypeVar("V", bound=Value)

log = logging.getLogger(__name__)


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Raise `StoreCorrupt`, whose text shows nothing of the content, where *what* makes no sense."""
    try:
        yield
    except (ValueError, TypeError, LookupError, AttributeError):
        raise StoreCorrupt(f"the store is damaged: {what} in it cannot be read") from None


def readable(read: Callable[[R], T], rows: Iterable[R]) -> list[T]:
    """What *read* makes of *rows*; those for which it raises `StoreCorrupt` are passed over, and the log says so."""
    found = []
    for row in rows:
        try:
            found.append(read(row))
        except StoreCorrupt as error:
            passed_over(str(error))
    return found


def some_readable(read: Callable[[R], T], rows: Sequence[R]) -> list[T]:
    """As `readable`, but raises `StoreCorrupt` where not one can be read: that is another thing than having none."""
    found = readable(read, rows)
    if rows and not found:
        read(rows[0])
    return found


@lru_cache(maxsize=64)
def passed_over(problem: str) -> None:
    """Tell, once in a process, that something is left out because of *problem*."""
    log.error("%s; it is passed over", problem)


def dump(value: Value) -> str:
    """*value* as ASCII JSON: a lone surrogate, which UTF-8 cannot hold, survives as its escape."""
    return json.dumps(value.model_dump(), separators=(",", ":"))


def load(model: type[V], text: str | bytes) -> V:
    """The value that `dump` wrote. Raises `StoreCorrupt`, whose text shows nothing of the content."""
    with reading(f"one {model.__name__}"):
        return model.model_validate(json.loads(text))


def dump_bots(bots: tuple[Bot, ...]) -> str:
    """*bots* as ASCII JSON."""
    return json.dumps([bot.model_dump() for bot in bots], separators=(",", ":"))


def load_bots(text: str | bytes) -> tuple[Bot, ...]:
    """What `dump_bots` wrote. Raises `StoreCorrupt`."""
    with reading("the bots"):
        return tuple(Bot.model_validate(bot) for bot in json.loads(text))


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
