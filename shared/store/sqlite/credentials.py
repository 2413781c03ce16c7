"""Credentials, bots and identities in SQLite."""

from dataclasses import replace
from sqlite3 import Connection

from shared.models import Capture, Credentials, SiteState
from shared.serialization import to_json
from shared.store import StaleWrite
from shared.store.documents import load, load_bots, with_nonce
from shared.store.sqlite.worker import SqliteMixin, read_transaction, write_transaction


class CredentialStore(SqliteMixin):
    @read_transaction
    def site_state(self, db: Connection, site: str) -> SiteState | None:
        row = db.execute("SELECT current, last_good, bots FROM sites WHERE site = ?", (site,)).fetchone()
        if row is None:
            return None
        return SiteState(
            current=load(Credentials, row["current"]),
            last_good=load(Credentials, row["last_good"]) if row["last_good"] is not None else None,
            bots=load_bots(row["bots"]),
        )

    @write_transaction
    def save_capture(self, db: Connection, capture: Capture, *, base: int) -> Credentials:
        site = capture.credentials.site
        _require_current(db, site, base)
        credentials = replace(capture.credentials, generation=base + 1)
        db.execute(
            "INSERT INTO sites (site, generation, current, bots, identity) VALUES (?, ?, ?, ?, ?) ON CONFLICT (site) "
            "DO UPDATE SET generation = excluded.generation, current = excluded.current, bots = excluded.bots, "
            "identity = excluded.identity",
            (site, credentials.generation, to_json(credentials), to_json(capture.bots), capture.identity),
        )
        return credentials

    @write_transaction
    def save_nonce(self, db: Connection, site: str, nonce: str, *, checked_at: float, base: int) -> Credentials:
        current = _require_current(db, site, base)
        if current is None:
            raise StaleWrite(None)
        credentials = with_nonce(current, nonce, checked_at)
        document = to_json(credentials)
        db.execute(
            "UPDATE sites SET generation = ?, current = ?, "
            "last_good = CASE WHEN good_generation = ? THEN ? ELSE last_good END WHERE site = ?",
            (credentials.generation, document, credentials.generation, document, site),
        )
        return credentials

    async def mark_good(self, site: str, generation: int) -> None:
        """Checks first, so that a repeated call does not write."""
        if await self._needs_mark(site, generation):
            await self._mark(site, generation)

    @read_transaction
    def _needs_mark(self, db: Connection, site: str, generation: int) -> bool:
        row = db.execute(
            "SELECT 1 FROM sites WHERE site = ? AND generation = ? AND good_generation IS NOT ?",
            (site, generation, generation),
        ).fetchone()
        return row is not None

    @write_transaction
    def _mark(self, db: Connection, site: str, generation: int) -> None:
        db.execute(
            "UPDATE sites SET last_good = current, good_generation = generation "
            "WHERE site = ? AND generation = ? AND good_generation IS NOT ?",
            (site, generation, generation),
        )

    @read_transaction
    def identity(self, db: Connection, site: str) -> str | None:
        row = db.execute("SELECT identity FROM sites WHERE site = ?", (site,)).fetchone()
        return None if row is None else str(row["identity"])


def _require_current(db: Connection, site: str, base: int) -> Credentials | None:
    """The current credentials. Raises `StaleWrite` unless its generation is *base* (0: nothing yet)."""
    row = db.execute("SELECT generation, current FROM sites WHERE site = ?", (site,)).fetchone()
    current = None if row is None else load(Credentials, row["current"])
    if (0 if row is None else row["generation"]) != base:
        raise StaleWrite(current)
    return current
