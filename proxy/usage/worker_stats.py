"""The counters of one worker, in a form that is sent to the other workers."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from time import time

from proxy.chat.upstream import BREAKER_STATES, BreakerState, Health
from shared.admin.usage import Counters


@dataclass(frozen=True, kw_only=True, slots=True)
class SiteLoad:
    """A worker's load and circuit breaker state of one site. *cooldown*: seconds."""

    site: str
    open: int
    queued: int
    breaker: BreakerState
    cooldown: float


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkerStats:
    """One worker now. *totals*: model, site and their counters since the process started."""

    worker: str
    totals: list[tuple[str, str, Counters]]
    sites: list[SiteLoad]


def collect_stats(worker: str, totals: Mapping[tuple[str, str], Counters], upstreams: Iterable[Health]) -> WorkerStats:
    """Return the counters of this process."""
    now = time()
    return WorkerStats(
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


def total_load(site: str, workers: Sequence[WorkerStats]) -> SiteLoad:
    """Load of *site* on all *workers* together; of breaker state and cooldown the worst."""
    loads = [load for worker in workers for load in worker.sites if load.site == site]
    return SiteLoad(
        site=site,
        open=sum(load.open for load in loads),
        queued=sum(load.queued for load in loads),
        breaker=max((load.breaker for load in loads), key=BREAKER_STATES.index, default="closed"),
        cooldown=max((load.cooldown for load in loads), default=0.0),
    )
