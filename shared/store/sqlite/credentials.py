"""Credentials, bots and identities in SQLite.

Each function does what the `Store` method of its name promises, inside a transaction of the caller's.
"""

import sqlite3

from shared.models import Capture, Credentials, SiteState
from shared.store import StaleWrite
from shared.store.documents import dump, dump_bots, load, load_bots, renewed


def site_state(connection: sqlite3.Connection, site: str) -> SiteState | None:
    row = connection.execute("SELECT current, last_good, bots FROM sites WHERE site = ?", (site,)).fetchone()
    if row is None:
        return None
    return SiteState(
        current=load(Credentials, row["current"]),
        last_good=load(Credentials, row["last_good"]) if row["last_good"] is not None else None,
        bots=load_bots(row["bots"]),
    )


def save_capture(connection: sqlite3.Connection, capture: Capture, base: int) -> Credentials:
    site = capture.credentials.site
    _require_current(connection, site, base)
    credentials = capture.credentials.model_copy(update={"generation": base + 1})
    connection.execute(
        "INSERT INTO sites (site, generation, current, bots, identity) VALUES (?, ?, ?, ?, ?) ON CONFLICT (site) "
        "DO UPDATE SET generation = excluded.generation, current = excluded.current, bots = excluded.bots, "
        "identity = excluded.identity",
        (site, credentials.generation, dump(credentials), dump_bots(capture.bots), capture.identity),
    )
    return credentials


def save_nonce(connection: sqlite3.Connection, site: str, nonce: str, checked_at: float, base: int) -> Credentials:
    current = _require_current(connection, site, base)
    if current is None:
        raise StaleWrite(None)
    credentials = renewed(current, nonce, checked_at)
    document = dump(credentials)
    connection.execute(
        "UPDATE sites SET generation = ?, current = ?, "
        "last_good = CASE WHEN good_generation = ? THEN ? ELSE last_good END WHERE site = ?",
        (credentials.generation, document, credentials.generation, document, site),
    )
    return credentials


def is_worth_marking(connection: sqlite3.Connection, site: str, generation: int) -> bool:
    """Whether `mark_good` would change anything; a read, so that marking again costs no write."""
    row = connection.execute(
        "SELECT 1 FROM sites WHERE site = ? AND generation = ? AND good_generation IS NOT ?",
        (site, generation, generation),
    ).fetchone()
    return row is not None


def mark_good(connection: sqlite3.Connection, site: str, generation: int) -> None:
    connection.execute(
        "UPDATE sites SET last_good = current, good_generation = generation "
        "WHERE site = ? AND generation = ? AND good_generation IS NOT ?",
        (site, generation, generation),
    )


def identity(connection: sqlite3.Connection, site: str) -> str | None:
    row = connection.execute("SELECT identity FROM sites WHERE site = ?", (site,)).fetchone()
    return None if row is None else str(row["identity"])


def _require_current(connection: sqlite3.Connection, site: str, base: int) -> Credentials | None:
    """What is current now. Raises `StaleWrite` unless its generation is *base* (0: nothing yet)."""
    row = connection.execute("SELECT generation, current FROM sites WHERE site = ?", (site,)).fetchone()
    current = None if row is None else load(Credentials, row["current"])
    if (0 if row is None else row["generation"]) != base:
        raise StaleWrite(current)
    return current
