"""Slots on sites in SQLite.

An unchanged lease is not written again before half of it is over.
"""

from sqlite3 import Connection

from shared.store.slots import LEASE_SECONDS, Claim, PeerDemand, Share, compute_share
from shared.store.sqlite.worker import SqliteMixin, silent_write_transaction


class SlotStore(SqliteMixin):
    @silent_write_transaction
    def acquire_slots(self, db: Connection, site: str, claim: Claim, *, limit: int, at: float) -> Share:
        # A lease that ends too late was taken before the clock was set back.
        db.execute(
            "DELETE FROM places WHERE site = ? AND (until <= ? OR until > ?)", (site, at, at + 2 * LEASE_SECONDS)
        )
        rows = db.execute("SELECT holder, places, demand, until FROM places WHERE site = ?", (site,)).fetchall()
        granted = compute_share(
            claim, [PeerDemand(*row[:3]) for row in rows if row["holder"] != claim.holder], limit=limit, now=at
        )
        mine = [
            tuple(row[1:3]) for row in rows if row["holder"] == claim.holder and row["until"] > at + LEASE_SECONDS / 2
        ]
        if mine != [(granted.slots, claim.demand)]:
            db.execute(
                "INSERT OR REPLACE INTO places (site, holder, places, demand, until) VALUES (?, ?, ?, ?, ?)",
                (site, claim.holder, granted.slots, claim.demand, at + LEASE_SECONDS),
            )
        return granted

    @silent_write_transaction
    def release_slots(self, db: Connection, site: str, holder: str) -> None:
        db.execute("DELETE FROM places WHERE site = ? AND holder = ?", (site, holder))
