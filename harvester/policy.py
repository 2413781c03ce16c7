"""When a site is due for a visit, and its nonce for a renewal. Pure: the clock and the chance come in as numbers.

All is worked out from what the store holds, so that neither a restart nor a crash loop makes visits more frequent.
Times are Unix seconds. A moment in the future means that the clock was set back since: it counts as long ago.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

from shared.models import Credentials, Outcome, SiteState, Visit, VisitAsk

FAILURE_PAUSES = (5.0, 15.0, 45.0, 120.0, 300.0, 900.0, 3600.0)
CHALLENGE_PAUSES = (60.0, 300.0, 900.0, 3600.0, 3 * 3600.0, 6 * 3600.0)
# After a success. They grow while visits are asked for and no turn succeeds with what they bring.
ASKED_PAUSES = (30.0, 60.0, 300.0, 900.0, 3600.0)
JITTER_SHARE = 0.1  # of the interval, to either side
RENEWAL_SECONDS = 3 * 3600.0  # a nonce lives 12 to 24 h (PROTOCOL 3)
RENEWAL_PAUSE = 900.0  # after a failed renewal


@dataclass(frozen=True, slots=True)
class Due:
    """The next visit: when, and why."""

    at: float
    trigger: str  # "start", "schedule" or "asked"


@dataclass(frozen=True, slots=True)
class Known:
    """What the store holds of one site. *visits*: newest first."""

    state: SiteState | None
    visits: Sequence[Visit]
    ask: VisitAsk | None


def next_visit(known: Known, *, now: float, interval: float, chance: float, is_start: bool) -> Due | None:
    """When the site is to be visited next; None: not before something changes.

    *chance* is a number from -1 to 1 that stays the same between two visits; *is_start*: nothing was visited yet
    since the service started.
    """
    earliest = _earliest(known, now)
    if known.ask is not None:
        return Due(earliest, "asked")
    if known.state is not None and is_typed(known.state.current):
        return None
    captured_at = known.state.current.captured_at if known.state else 0.0
    if _is_past(captured_at, now) and now - captured_at < interval:
        return Due(max(captured_at + interval * (1 + JITTER_SHARE * chance), earliest), "schedule")
    return Due(earliest, "start" if is_start else "schedule")


def next_renewal(credentials: Credentials, *, now: float, interval: float, failed_at: float) -> float:
    """When the nonce is to be renewed. *failed_at*: when that failed last, 0: it did not."""
    earliest = failed_at + RENEWAL_PAUSE if failed_at and _is_past(failed_at, now) else 0.0
    if not _is_past(credentials.nonce_checked_at, now):
        return max(now, earliest)
    return max(credentials.nonce_checked_at + min(RENEWAL_SECONDS, interval / 2), earliest)


def is_typed(credentials: Credentials) -> bool:
    """Whether a person typed them, though the nonce may have been renewed since: a visit always has a User-Agent.

    Such credentials need no browser until they fail.
    """
    return credentials.source == "manual" or (credentials.source == "renewal" and not credentials.user_agent)


def _earliest(known: Known, now: float) -> float:
    """The first moment at which a visit would not be one too soon after the last."""
    if not known.visits:
        return now
    ended = known.visits[0].started_at + known.visits[0].seconds
    return max(ended + _pause(known), now) if _is_past(ended, now) else now


def _pause(known: Known) -> float:
    failures = list(takewhile(lambda visit: visit.outcome is not Outcome.CAPTURED, known.visits))
    if failures:
        challenges = sum(visit.outcome is Outcome.CHALLENGE for visit in failures)
        if failures[0].outcome is Outcome.CHALLENGE:
            return _nth(CHALLENGE_PAUSES, challenges)
        return _nth(FAILURE_PAUSES, len(failures))
    good = known.state.last_good if known.state else None
    good_since = good.captured_at if good else 0.0
    in_vain = takewhile(
        lambda visit: visit.outcome is Outcome.CAPTURED and visit.trigger == "asked" and visit.started_at > good_since,
        known.visits,
    )
    return _nth(ASKED_PAUSES, sum(1 for _ in in_vain))


def _nth(pauses: Sequence[float], count: int) -> float:
    return pauses[min(max(count, 1), len(pauses)) - 1]


def _is_past(moment: float, now: float) -> bool:
    return moment <= now + 1.0  # two processes may see the second change in different order
