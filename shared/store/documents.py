"""Stored values as JSON, and what to do with damaged ones."""

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
def decoding(what: str) -> Iterator[None]:
    """Raise `StoreCorrupt`, without quoting the content, where *what* cannot be decoded."""
    try:
        yield
    except (ValueError, TypeError, LookupError, AttributeError):
        raise StoreCorrupt(f"the store is damaged: {what} in it cannot be read") from None


def skip_damaged(read: Callable[[R], T], rows: Iterable[R]) -> list[T]:
    """*read* of each of *rows*; those for which it raises `StoreCorrupt` are logged and skipped."""
    found = []
    for row in rows:
        try:
            found.append(read(row))
        except StoreCorrupt as error:
            log_skipped(str(error))
    return found


def intact(read: Callable[[R], T], row: R | None) -> T | None:
    """*read* of *row*; None where there is none, or it is damaged, which is logged."""
    return next(iter(skip_damaged(read, [] if row is None else [row])), None)


def skip_damaged_unless_all(read: Callable[[R], T], rows: Sequence[R]) -> list[T]:
    """As `skip_damaged`, but raises `StoreCorrupt` where there are rows and all are damaged."""
    found = skip_damaged(read, rows)
    if rows and not found:
        read(rows[0])
    return found


@lru_cache(maxsize=64)
def log_skipped(problem: str) -> None:
    """Log, once in each process, that something is skipped because of *problem*."""
    log.error("%s; it is passed over", problem)


def load(kind: type[T], text: str | bytes) -> T:
    """Decode a value that `to_json` wrote. Raises `StoreCorrupt`, without quoting the content."""
    with decoding(f"one {kind.__name__}"):
        return from_json(kind, text)


def load_note(text: str | bytes) -> Note:
    """Decode a note. Raises `StoreCorrupt`.

    Version 0.1.0 kept the value itself, which is a JSON object of the one kind of upstream it knew.
    """
    with decoding("one Note"):
        stored = json.loads(text)
        if "conversation_uuid" in stored:
            return Note(name=stored["conversation_uuid"], value=json.dumps(stored))
        return from_plain(Note, stored)


def load_bots(text: str | bytes) -> tuple[Bot, ...]:
    """Decode bots. Raises `StoreCorrupt`."""
    with decoding("the bots"):
        return from_json(tuple[Bot, ...], text)


def with_nonce(current: Credentials, nonce: str, checked_at: float) -> Credentials:
    """*current* with a nonce that the site handed out at *checked_at*; only a new nonce makes a new generation."""
    if nonce == current.nonce:
        return replace(current, nonce_checked_at=max(checked_at, current.nonce_checked_at))
    return replace(
        current, nonce=nonce, nonce_checked_at=checked_at, source="renewal", generation=current.generation + 1
    )
