"""Visits, the claims on them and the asks for them in SQLite."""

from dataclasses import replace
from sqlite3 import Connection, Row

from shared.models import VISIT_IN_PROGRESS, Visit, VisitAsk
from shared.serialization import to_json
from shared.store import KEPT_ASKS, KEPT_SCREENSHOTS, KEPT_VISITS, KEPT_VISITS_PER_SITE, MAX_CLOCK_SKEW
from shared.store.documents import load, skip_damaged
from shared.store.sqlite.notes import read_note, write_note
from shared.store.sqlite.worker import SqliteMixin, read_transaction, write_transaction

MAX_CLAIM_SECONDS = 3600.0  # more than any visit takes; a later end was set before the clock was set back


class VisitStore(SqliteMixin):
    @write_transaction
    def ask_visit(self, db: Connection, site: str, reason: str, *, at: float) -> None:
        """Stores each ask with its time while they are few, so that a visit drops exactly those made before it."""
        rows, last = db.execute("SELECT COUNT(*), MAX(id) FROM asks WHERE site = ?", (site,)).fetchone()
        if rows < KEPT_ASKS:
            db.execute("INSERT INTO asks (site, asked_at, reason, count) VALUES (?, ?, ?, 1)", (site, at, reason))
        else:
            db.execute("UPDATE asks SET asked_at = ?, count = count + 1 WHERE id = ?", (at, last))

    @read_transaction
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

    @write_transaction
    def begin_visit(self, db: Connection, site: str, holder: str, *, at: float, ttl: float) -> bool:
        claimed = db.execute(
            "SELECT 1 FROM claims WHERE site = ? AND holder <> ? AND until > ? AND until <= ?",
            (site, holder, at, at + MAX_CLAIM_SECONDS),
        ).fetchone()
        if claimed is not None:
            return False
        db.execute(
            "INSERT INTO claims (site, holder, until) VALUES (?, ?, ?) "
            "ON CONFLICT (site) DO UPDATE SET holder = excluded.holder, until = excluded.until",
            (site, holder, at + ttl),
        )
        return True

    @write_transaction
    def end_visit(
        self, db: Connection, visit: Visit, holder: str, *, note: str = "", screenshot: bytes | None = None
    ) -> None:
        db.execute(
            "INSERT INTO visits (id, site, record, screenshot) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (id) DO UPDATE SET record = excluded.record, screenshot = excluded.screenshot",
            (visit.id, visit.site, to_json(visit), screenshot),
        )
        db.execute(
            "DELETE FROM visits WHERE number NOT IN (SELECT number FROM visits ORDER BY number DESC LIMIT ?) "
            "AND number NOT IN "
            "(SELECT number FROM visits AS own WHERE own.site = visits.site ORDER BY number DESC LIMIT ?)",
            (KEPT_VISITS, KEPT_VISITS_PER_SITE),
        )
        db.execute(
            "UPDATE visits SET screenshot = NULL WHERE screenshot IS NOT NULL AND number NOT IN "
            "(SELECT number FROM visits WHERE screenshot IS NOT NULL ORDER BY number DESC LIMIT ?)",
            (KEPT_SCREENSHOTS,),
        )
        db.execute("DELETE FROM claims WHERE site = ? AND holder = ?", (visit.site, holder))
        if read_note(db, in_progress := VISIT_IN_PROGRESS.format(site=visit.site)) == note:
            write_note(db, in_progress, "")
        db.execute(
            "DELETE FROM asks WHERE site = ? AND (asked_at <= ? OR asked_at > ?)",
            (visit.site, visit.started_at, visit.started_at + visit.seconds + MAX_CLOCK_SKEW),
        )

    @read_transaction
    def visits(self, db: Connection, site: str | None = None, *, limit: int = 50) -> list[Visit]:
        rows = db.execute(
            "SELECT record, screenshot IS NOT NULL AS has_screenshot FROM visits WHERE ?1 IS NULL OR site = ?1 "
            "ORDER BY number DESC LIMIT ?2",
            (site, max(limit, 0)),
        )
        return skip_damaged(_visit, rows)

    @read_transaction
    def screenshot(self, db: Connection, visit_id: str) -> bytes | None:
        row = db.execute("SELECT screenshot FROM visits WHERE id = ?", (visit_id,)).fetchone()
        return None if row is None else row["screenshot"]


def _visit(row: Row) -> Visit:
    return replace(load(Visit, row["record"]), screenshot=bool(row["has_screenshot"]))
