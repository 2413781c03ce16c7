"""When a site is due for a visit, and its nonce for a renewal. Pure: time and randomness are parameters.

Everything is derived from the store, so that neither a restart nor a crash loop makes visits more frequent.
Times are Unix seconds. A time in the future means that the clock was set back since: it counts as long ago.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from math import inf

from shared.models import Credentials, Outcome, SiteState, Visit, VisitAsk

FAILURE_PAUSES = (5.0, 15.0, 45.0, 120.0, 300.0, 900.0, 3600.0)
CHALLENGE_PAUSES = (60.0, 300.0, 900.0, 3600.0, 3 * 3600.0, 6 * 3600.0)
# After a success. They grow while visits are asked for and no turn succeeds with the credentials they bring.
DEMAND_PAUSES = (30.0, 60.0, 300.0, 900.0, 3600.0)
JITTER_SHARE = 0.1  # of the interval, to either side
RENEWAL_SECONDS = 3 * 3600.0  # a nonce lives 12 to 24 h (PROTOCOL 3)
MIN_RENEWAL_SECONDS = 60.0
RENEWAL_PAUSE = 900.0  # after a failed renewal


@dataclass(frozen=True, slots=True)
class DueVisit:
    """The next visit: when, and why."""

    at: float
    trigger: str  # "start", "schedule" or "asked"


@dataclass(frozen=True, slots=True)
class SiteFacts:
    """The store's data on one site. *visits*: newest first; *page_url*: the page of the settings."""

    state: SiteState | None
    visits: Sequence[Visit]
    ask: VisitAsk | None
    page_url: str


def next_visit(site: SiteFacts, *, now: float, interval: float, jitter: float, is_start: bool) -> DueVisit | None:
    """When the site is to be visited next; None: not before something changes.

    *jitter*: a random number from -1 to 1 that stays the same between two visits; *is_start*: there was no visit since
    the service started.
    """
    scheduled = _scheduled(site, now=now, interval=interval, jitter=jitter, is_start=is_start)
    if site.ask is None:
        return scheduled
    pause = _failure_pause(site.visits) or _demand_pause(site, now)
    on_demand = DueVisit(_after_pause(site.visits, pause, now), "asked")
    return scheduled if scheduled is not None and scheduled.at < on_demand.at else on_demand


def _scheduled(site: SiteFacts, *, now: float, interval: float, jitter: float, is_start: bool) -> DueVisit | None:
    if site.state is not None and site.state.current.is_manual:
        return None
    pause = _failure_pause(site.visits)
    earliest = _after_pause(site.visits, pause, now)
    # Only until one visit succeeds: another harvester may go by other settings.
    is_other_page = site.state is not None and not site.state.current.started_from(site.page_url)
    has_new_page = is_other_page and (is_start or pause > 0)
    captured_at = site.state.current.captured_at if site.state else -inf  # a clock that is not set yet is near 0
    planned_at = captured_at + interval * (1 + JITTER_SHARE * jitter)
    if _is_past(captured_at, now) and planned_at > now and not has_new_page:
        return DueVisit(max(planned_at, earliest), "schedule")
    return DueVisit(earliest, "start" if is_start else "schedule")


def next_renewal(
    credentials: Credentials, *, now: float, interval: float, renewed_at: float, failed_at: float
) -> float:
    """When the nonce is to be renewed.

    *renewed_at*, *failed_at*: the last renewal by this process, and its last failure; 0: never. The store keeps the
    latest check, so that after the clock was set back only *renewed_at* shows one.
    """
    earliest = failed_at + RENEWAL_PAUSE if _is_past(failed_at, now) else 0.0
    checked_at = max(at for at in (credentials.nonce_checked_at, renewed_at, 0.0) if _is_past(at, now))
    period = max(min(RENEWAL_SECONDS, interval / 2), MIN_RENEWAL_SECONDS)
    return max(checked_at + period, earliest, now)


def _after_pause(visits: Sequence[Visit], pause: float, now: float) -> float:
    """The earliest time, from *now* on, that is *pause* seconds after the last visit's end."""
    if not visits:
        return now
    ended = visits[0].started_at + visits[0].seconds
    return max(ended + pause, now) if _is_past(ended, now) else now


def _failure_pause(visits: Sequence[Visit]) -> float:
    """The pause after the latest failures in a row, at least the site's Retry-After; 0 after a success."""
    failures = list(takewhile(lambda visit: visit.outcome is not Outcome.CAPTURED, visits))
    if not failures:
        return 0.0
    if failures[0].outcome is Outcome.CHALLENGE:
        pause = _nth(CHALLENGE_PAUSES, sum(visit.outcome is Outcome.CHALLENGE for visit in failures))
    else:
        pause = _nth(FAILURE_PAUSES, len(failures))
    return max(pause, failures[0].retry_after)


def _demand_pause(site: SiteFacts, now: float) -> float:
    """The pause between a success and a visit on demand."""
    good = site.state.last_good if site.state else None
    good_at = good.captured_at if good else 0.0

    def is_in_vain(visit: Visit) -> bool:
        if visit.trigger != "asked" or visit.started_at <= good_at <= visit.started_at + visit.seconds:
            return False
        # Before the clock was set back is not after all that came since.
        return visit.started_at > good_at or not _is_past(good_at, now)

    return _nth(DEMAND_PAUSES, sum(1 for _ in takewhile(is_in_vain, site.visits)))


def _nth(pauses: Sequence[float], count: int) -> float:
    return pauses[min(max(count, 1), len(pauses)) - 1]


def _is_past(moment: float, now: float) -> bool:
    return moment <= now + 1.0  # two processes may see the second change in different order
