"""Values as the JSON texts that stores keep."""

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from typing import TypeVar

from shared.conversations import Note
from shared.models import Bot, Credentials
from shared.serialization import from_json, from_plain
from shared.store import StoreCorrupt

R = TypeVar("R")
T = TypeVar("T")

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


def load(kind: type[T], text: str | bytes) -> T:
    """The value that `to_json` wrote. Raises `StoreCorrupt`, whose text shows nothing of the content."""
    with reading(f"one {kind.__name__}"):
        return from_json(kind, text)


def load_note(text: str | bytes) -> Note:
    """What an upstream noted. Raises `StoreCorrupt`.

    Version 0.1.0 kept the value itself, which is a JSON object of the one kind of upstream it knew.
    """
    with reading("one Note"):
        stored = json.loads(text)
        if "conversation_uuid" in stored:
            return Note(name=stored["conversation_uuid"], value=json.dumps(stored))
        return from_plain(Note, stored)


def load_bots(text: str | bytes) -> tuple[Bot, ...]:
    """What `to_json` wrote of bots. Raises `StoreCorrupt`."""
    with reading("the bots"):
        return from_json(tuple[Bot, ...], text)


def renewed(current: Credentials, nonce: str, checked_at: float) -> Credentials:
    """*current* with a nonce that the site handed out at *checked_at*; only a new nonce makes a new generation."""
    if nonce == current.nonce:
        return replace(current, nonce_checked_at=max(checked_at, current.nonce_checked_at))
    return replace(
        current, nonce=nonce, nonce_checked_at=checked_at, source="renewal", generation=current.generation + 1
    )
