"""Places on sites in SQLite. Each function does what the `Store` method of its name promises, in one transaction.

What did not change is not written again before half of its lease is over.
"""

import sqlite3

from shared.store.slots import LEASE_SECONDS, Claim, Held, Share, share


def take_places(connection: sqlite3.Connection, site: str, claim: Claim, most: int, at: float) -> Share:
    # A lease that ends too late was taken before the clock was set back.
    connection.execute(
        "DELETE FROM places WHERE site = ? AND (until <= ? OR until > ?)", (site, at, at + 2 * LEASE_SECONDS)
    )
    rows = connection.execute("SELECT holder, places, demand, until FROM places WHERE site = ?", (site,)).fetchall()
    given = share(claim, [Held(*row[:3]) for row in rows if row["holder"] != claim.holder], most=most, now=at)
    mine = [tuple(row[1:3]) for row in rows if row["holder"] == claim.holder and row["until"] > at + LEASE_SECONDS / 2]
    if mine != [(given.places, claim.demand)]:
        connection.execute(
            "INSERT OR REPLACE INTO places (site, holder, places, demand, until) VALUES (?, ?, ?, ?, ?)",
            (site, claim.holder, given.places, claim.demand, at + LEASE_SECONDS),
        )
    return given


def leave_places(connection: sqlite3.Connection, site: str, holder: str) -> None:
    connection.execute("DELETE FROM places WHERE site = ? AND holder = ?", (site, holder))
