"""Slots on sites in SQLite.

What did not change is not written again before half of its lease is over.
"""

from sqlite3 import Connection

from shared.store.slots import LEASE_SECONDS, Claim, Held, Share, share
from shared.store.sqlite.worker import Part, writes_quietly


class SlotStore(Part):
    @writes_quietly
    def take_slots(self, db: Connection, site: str, claim: Claim, *, most: int, at: float) -> Share:
        # A lease that ends too late was taken before the clock was set back.
        db.execute(
            "DELETE FROM places WHERE site = ? AND (until <= ? OR until > ?)", (site, at, at + 2 * LEASE_SECONDS)
        )
        rows = db.execute("SELECT holder, places, demand, until FROM places WHERE site = ?", (site,)).fetchall()
        given = share(claim, [Held(*row[:3]) for row in rows if row["holder"] != claim.holder], most=most, now=at)
        mine = [
            tuple(row[1:3]) for row in rows if row["holder"] == claim.holder and row["until"] > at + LEASE_SECONDS / 2
        ]
        if mine != [(given.slots, claim.demand)]:
            db.execute(
                "INSERT OR REPLACE INTO places (site, holder, places, demand, until) VALUES (?, ?, ?, ?, ?)",
                (site, claim.holder, given.slots, claim.demand, at + LEASE_SECONDS),
            )
        return given

    @writes_quietly
    def leave_slots(self, db: Connection, site: str, holder: str) -> None:
        db.execute("DELETE FROM places WHERE site = ? AND holder = ?", (site, holder))
