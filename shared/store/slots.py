"""Sharing the slots of a site out among all proxies of a store.

Each proxy holds slots ahead of its streams. While there are enough, whoever asks first gets them; where some wait in
vain, each that has streams to open is entitled to an equal part, and hands back what it holds beyond as streams end.
"""

from collections.abc import Sequence
from typing import NamedTuple

LEASE_SECONDS = 4.0  # after which a proxy that says nothing any more holds no slot
SLICE_SECONDS = 1.0  # slots that cannot be divided equally go round, to others in each slice of time


class Claim(NamedTuple):
    """What one proxy asks for."""

    holder: str
    kept: int  # slots that it goes on holding whatever the answer is
    demand: int  # streams that are open or wait
    spare: int  # slots to have in advance while nobody is short of them


class Held(NamedTuple):
    """What stands for another proxy."""

    holder: str
    slots: int
    demand: int


class Share(NamedTuple):
    """What one proxy was given. Above `entitled` it opens no stream, and hands back what it can."""

    slots: int
    entitled: int
    others: int  # other proxies that are alive
    wanted: int  # slots that these are short of


def share(claim: Claim, others: Sequence[Held], *, most: int, now: float) -> Share:
    """The share of *claim* in *most* slots beside *others*; *now* in seconds."""
    asking = sorted([each.holder for each in others if each.demand] + ([claim.holder] if claim.demand else []))

    def fair(holder: str) -> int:
        if holder not in asking:
            return 0
        equal, rest = divmod(most, len(asking))
        return equal + ((asking.index(holder) + int(now // SLICE_SECONDS)) % len(asking) < rest)

    reserved = sum(max(each.slots, min(each.demand, fair(each.holder))) for each in others)
    wanted = sum(max(each.demand - each.slots, 0) for each in others)
    entitled = max(most - reserved, fair(claim.holder))
    free = most - sum(each.slots for each in others)
    goal = claim.demand + (0 if wanted else claim.spare) if others else most
    return Share(max(claim.kept, min(goal, free, entitled)), entitled, len(others), wanted)
