"""Visits, the claims on them and the asks for them in SQLite."""

from dataclasses import replace
from sqlite3 import Connection, Row

from shared.models import Visit, VisitAsk
from shared.serialization import to_json
from shared.store import AHEAD_SECONDS, KEPT_ASKS, KEPT_OF_A_SITE, KEPT_SCREENSHOTS, KEPT_VISITS
from shared.store.documents import load, readable
from shared.store.sqlite.worker import Part, reads, writes

LONGEST_CLAIM_SECONDS = 3600.0  # more than any visit takes: a later end was set before the clock was set back


class VisitStore(Part):
    @writes
    def ask_visit(self, db: Connection, site: str, reason: str, *, at: float) -> None:
        """Asks keep their own times while they are few, so that a visit drops exactly those made before it."""
        rows, last = db.execute("SELECT COUNT(*), MAX(id) FROM asks WHERE site = ?", (site,)).fetchone()
        if rows < KEPT_ASKS:
            db.execute("INSERT INTO asks (site, asked_at, reason, count) VALUES (?, ?, ?, 1)", (site, at, reason))
        else:
            db.execute("UPDATE asks SET asked_at = ?, count = count + 1 WHERE id = ?", (at, last))

    @reads
    def pending_ask(self, db: Connection, site: str) -> VisitAsk | None:
        rows = db.execute("SELECT asked_at, reason, count FROM asks WHERE site = ? ORDER BY id", (site,)).fetchall()
        if not rows:
            return None
        return VisitAsk(
            site=site,
            asked_at=rows[0]["asked_at"],
            reason=rows[0]["reason"],
            count=sum(row["count"] for row in rows),
        )

    @writes
    def begin_visit(self, db: Connection, site: str, holder: str, *, at: float, ttl: float) -> bool:
        stands = db.execute(
            "SELECT 1 FROM claims WHERE site = ? AND holder <> ? AND until > ? AND until <= ?",
            (site, holder, at, at + LONGEST_CLAIM_SECONDS),
        ).fetchone()
        if stands is not None:
            return False
        db.execute(
            "INSERT INTO claims (site, holder, until) VALUES (?, ?, ?) "
            "ON CONFLICT (site) DO UPDATE SET holder = excluded.holder, until = excluded.until",
            (site, holder, at + ttl),
        )
        return True

    @writes
    def end_visit(self, db: Connection, visit: Visit, holder: str, *, screenshot: bytes | None = None) -> None:
        db.execute(
            "INSERT OR REPLACE INTO visits (id, site, record, screenshot) VALUES (?, ?, ?, ?)",
            (visit.id, visit.site, to_json(visit), screenshot),
        )
        db.execute(
            "DELETE FROM visits WHERE number NOT IN (SELECT number FROM visits ORDER BY number DESC LIMIT ?) "
            "AND number NOT IN "
            "(SELECT number FROM visits AS own WHERE own.site = visits.site ORDER BY number DESC LIMIT ?)",
            (KEPT_VISITS, KEPT_OF_A_SITE),
        )
        db.execute(
            "UPDATE visits SET screenshot = NULL WHERE screenshot IS NOT NULL AND number NOT IN "
            "(SELECT number FROM visits WHERE screenshot IS NOT NULL ORDER BY number DESC LIMIT ?)",
            (KEPT_SCREENSHOTS,),
        )
        db.execute("DELETE FROM claims WHERE site = ? AND holder = ?", (visit.site, holder))
        db.execute(
            "DELETE FROM asks WHERE site = ? AND (asked_at <= ? OR asked_at > ?)",
            (visit.site, visit.started_at, visit.started_at + visit.seconds + AHEAD_SECONDS),
        )

    @reads
    def visits(self, db: Connection, site: str | None = None, *, limit: int = 50) -> list[Visit]:
        rows = db.execute(
            "SELECT record, screenshot IS NOT NULL AS has_screenshot FROM visits WHERE ?1 IS NULL OR site = ?1 "
            "ORDER BY number DESC LIMIT ?2",
            (site, max(limit, 0)),
        )
        return readable(_visit, rows)

    @reads
    def screenshot(self, db: Connection, visit_id: str) -> bytes | None:
        row = db.execute("SELECT screenshot FROM visits WHERE id = ?", (visit_id,)).fetchone()
        return None if row is None else row["screenshot"]


def _visit(row: Row) -> Visit:
    return replace(load(Visit, row["record"]), screenshot=bool(row["has_screenshot"]))
