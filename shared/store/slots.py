"""Fair sharing of the slots of a site among all proxies of a store.

Each proxy leases slots ahead of its streams. While there are enough, they go to whoever asks first; when they are
short, each proxy with demand is entitled to an equal share, and releases what it holds beyond as streams end.
"""

from collections.abc import Sequence
from typing import NamedTuple

LEASE_SECONDS = 4.0  # after which the slots of a silent proxy are free
SLICE_SECONDS = 1.0  # the remainder of an equal division rotates, once in each time slice


class Claim(NamedTuple):
    """The request of one proxy."""

    holder: str
    kept: int  # slots in use, which it keeps in any case
    demand: int  # streams that are open or wait
    prefetch: int  # slots to lease in advance while nobody is short of them


class PeerDemand(NamedTuple):
    """The stored slots and demand of another proxy."""

    holder: str
    slots: int
    demand: int


class Share(NamedTuple):
    """What one proxy is granted. Above `entitled` it opens no stream, and releases what it can."""

    slots: int
    entitled: int
    others: int  # other proxies that are alive
    shortage: int  # slots that the others are short of


def compute_share(claim: Claim, others: Sequence[PeerDemand], *, limit: int, now: float) -> Share:
    """Compute the share of *claim* in *limit* slots beside *others*; *now* in seconds."""
    requesters = sorted([each.holder for each in others if each.demand] + ([claim.holder] if claim.demand else []))

    def fair(holder: str) -> int:
        if holder not in requesters:
            return 0
        equal, rest = divmod(limit, len(requesters))
        return equal + ((requesters.index(holder) + int(now // SLICE_SECONDS)) % len(requesters) < rest)

    reserved = sum(max(each.slots, min(each.demand, fair(each.holder))) for each in others)
    shortage = sum(max(each.demand - each.slots, 0) for each in others)
    entitled = max(limit - reserved, fair(claim.holder))
    free = limit - sum(each.slots for each in others)
    target = claim.demand + (0 if shortage else claim.prefetch) if others else limit
    return Share(max(claim.kept, min(target, free, entitled)), entitled, len(others), shortage)
