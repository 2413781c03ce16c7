"""What one worker tells of itself, as plain values that the others can read."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from time import time

from proxy.chat.upstream import BREAKER_STATES, BreakerState, Health
from shared.admin.usage import Counters


@dataclass(frozen=True, kw_only=True, slots=True)
class SiteLoad:
    """What one worker has under way on one site, and what it has learnt of it. *cooldown*: seconds."""

    site: str
    open: int
    queued: int
    breaker: BreakerState
    cooldown: float


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkerNumbers:
    """One worker now. *totals*: model, site and what was counted of both since it began."""

    worker: str
    totals: list[tuple[str, str, Counters]]
    sites: list[SiteLoad]


def take_numbers(worker: str, totals: Mapping[tuple[str, str], Counters], upstreams: Iterable[Health]) -> WorkerNumbers:
    """The numbers of this process."""
    now = time()
    return WorkerNumbers(
        worker=worker,
        totals=[(model, site, counters) for (model, site), counters in totals.items()],
        sites=[
            SiteLoad(
                site=each.name,
                open=each.open_streams,
                queued=each.queued,
                breaker=each.breaker,
                cooldown=max((each.cooldown_until or now) - now, 0.0),
            )
            for each in upstreams
        ],
    )


def load_of(site: str, workers: Sequence[WorkerNumbers]) -> SiteLoad:
    """What all *workers* together have under way on *site*; of what they have learnt of it, the worst."""
    loads = [load for worker in workers for load in worker.sites if load.site == site]
    return SiteLoad(
        site=site,
        open=sum(load.open for load in loads),
        queued=sum(load.queued for load in loads),
        breaker=max((load.breaker for load in loads), key=BREAKER_STATES.index, default="closed"),
        cooldown=max((load.cooldown for load in loads), default=0.0),
    )
