"""Visits, the claims on them and the asks for them in SQLite.

Each function does what the `Store` method of its name promises, inside a transaction of the caller's.
"""

import sqlite3

from shared.models import Visit, VisitAsk
from shared.store import AHEAD_SECONDS
from shared.store.documents import dump, load, readable

KEPT_VISITS = 50
KEPT_OF_A_SITE = 10  # at least, since pauses are worked out from them, however often others are visited
KEPT_SCREENSHOTS = 5
LONGEST_CLAIM_SECONDS = 3600.0  # more than any visit takes: a later end was set before the clock was set back
ASK_ROWS = 16  # per site; asks beyond these are counted in the last one


def ask_visit(connection: sqlite3.Connection, site: str, reason: str, at: float) -> None:
    """Asks keep their own times while they are few, so that a visit drops exactly those made before it."""
    rows, last = connection.execute("SELECT COUNT(*), MAX(id) FROM asks WHERE site = ?", (site,)).fetchone()
    if rows < ASK_ROWS:
        connection.execute("INSERT INTO asks (site, asked_at, reason, count) VALUES (?, ?, ?, 1)", (site, at, reason))
    else:
        connection.execute("UPDATE asks SET asked_at = ?, count = count + 1 WHERE id = ?", (at, last))


def pending_ask(connection: sqlite3.Connection, site: str) -> VisitAsk | None:
    rows = connection.execute("SELECT asked_at, reason, count FROM asks WHERE site = ? ORDER BY id", (site,)).fetchall()
    if not rows:
        return None
    return VisitAsk(
        site=site,
        asked_at=rows[0]["asked_at"],
        reason=rows[0]["reason"],
        count=sum(row["count"] for row in rows),
    )


def begin_visit(connection: sqlite3.Connection, site: str, holder: str, at: float, ttl: float) -> bool:
    stands = connection.execute(
        "SELECT 1 FROM claims WHERE site = ? AND holder <> ? AND until > ? AND until <= ?",
        (site, holder, at, at + LONGEST_CLAIM_SECONDS),
    ).fetchone()
    if stands is not None:
        return False
    connection.execute(
        "INSERT INTO claims (site, holder, until) VALUES (?, ?, ?) "
        "ON CONFLICT (site) DO UPDATE SET holder = excluded.holder, until = excluded.until",
        (site, holder, at + ttl),
    )
    return True


def end_visit(connection: sqlite3.Connection, visit: Visit, holder: str, screenshot: bytes | None) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO visits (id, site, record, screenshot) VALUES (?, ?, ?, ?)",
        (visit.id, visit.site, dump(visit), screenshot),
    )
    connection.execute(
        "DELETE FROM visits WHERE number NOT IN (SELECT number FROM visits ORDER BY number DESC LIMIT ?) AND "
        "number NOT IN (SELECT number FROM visits AS own WHERE own.site = visits.site ORDER BY number DESC LIMIT ?)",
        (KEPT_VISITS, KEPT_OF_A_SITE),
    )
    connection.execute(
        "UPDATE visits SET screenshot = NULL WHERE screenshot IS NOT NULL AND number NOT IN "
        "(SELECT number FROM visits WHERE screenshot IS NOT NULL ORDER BY number DESC LIMIT ?)",
        (KEPT_SCREENSHOTS,),
    )
    connection.execute("DELETE FROM claims WHERE site = ? AND holder = ?", (visit.site, holder))
    connection.execute(
        "DELETE FROM asks WHERE site = ? AND (asked_at <= ? OR asked_at > ?)",
        (visit.site, visit.started_at, visit.started_at + visit.seconds + AHEAD_SECONDS),
    )


def visits(connection: sqlite3.Connection, site: str | None, limit: int) -> list[Visit]:
    rows = connection.execute(
        "SELECT record, screenshot IS NOT NULL AS has_screenshot FROM visits WHERE ?1 IS NULL OR site = ?1 "
        "ORDER BY number DESC LIMIT ?2",
        (site, max(limit, 0)),
    )
    return readable(_visit, rows)


def _visit(row: sqlite3.Row) -> Visit:
    return load(Visit, row["record"]).model_copy(update={"screenshot": bool(row["has_screenshot"])})


def screenshot(connection: sqlite3.Connection, visit_id: str) -> bytes | None:
    row = connection.execute("SELECT screenshot FROM visits WHERE id = ?", (visit_id,)).fetchone()
    return None if row is None else row["screenshot"]
