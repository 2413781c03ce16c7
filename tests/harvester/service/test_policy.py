"""When visits and renewals are due, worked out from what the store holds."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from harvester.service.policy import (
    CHALLENGE_PAUSES,
    DEMAND_PAUSES,
    FAILURE_PAUSES,
    DueVisit,
    SiteFacts,
    next_renewal,
    next_visit,
)
from shared.models import Credentials, Outcome, SiteState, Visit, VisitAsk
from tests.shared.samples import credentials

NOW = 1_000_000.0
HOUR = 3600.0
INTERVAL = 6 * HOUR
PAGE = "https://chat.example/chat/"
CAPTURED, CHALLENGE, TIMEOUT = Outcome.CAPTURED, Outcome.CHALLENGE, Outcome.TIMEOUT
ASK = VisitAsk(site="https://chat.example", asked_at=NOW - 1, reason="refused", count=3)


def state(age: float, *, good: bool = True, **values: Any) -> SiteState:
    """Credentials captured *age* seconds ago; *good*: a turn succeeded with them."""
    current = replace(credentials(at=NOW - age), **values)
    return SiteState(current=current, last_good=current if good else None)


def visits(*outcomes: Outcome, ended: float = NOW, trigger: str = "schedule") -> list[Visit]:
    """Visits with these outcomes, newest first, the newest ended at *ended*, each 100 s before the next."""
    return [
        Visit(
            id=str(number),
            site="https://chat.example",
            started_at=ended - 2 - 100 * number,
            seconds=2.0,
            outcome=outcome,
            trigger=trigger,
        )
        for number, outcome in enumerate(outcomes)
    ]


def due(
    state: SiteState | None = None,
    visits: Sequence[Visit] = (),
    ask: VisitAsk | None = None,
    *,
    jitter: float = 0.0,
    is_start: bool = False,
) -> DueVisit | None:
    known = SiteFacts(state=state, visits=visits, ask=ask, page_url=PAGE)
    return next_visit(known, now=NOW, interval=INTERVAL, jitter=jitter, is_start=is_start)


def renewal(
    credentials: Credentials, *, interval: float = INTERVAL, renewed_at: float = 0.0, failed_at: float = 0.0
) -> float:
    return next_renewal(credentials, now=NOW, interval=interval, renewed_at=renewed_at, failed_at=failed_at)


def test_with_nothing_stored_a_visit_is_due_at_once() -> None:
    assert due(is_start=True) == DueVisit(NOW, "start")
    assert due() == DueVisit(NOW, "schedule")


def test_where_no_clock_was_set_yet_the_first_visit_is_due_at_once() -> None:
    nothing = SiteFacts(state=None, visits=[], ask=None, page_url=PAGE)

    assert next_visit(nothing, now=60.0, interval=INTERVAL, jitter=0.0, is_start=True) == DueVisit(60.0, "start")


def test_at_a_start_with_fresh_credentials_the_next_visit_waits_for_its_interval() -> None:
    assert due(state(HOUR), is_start=True) == DueVisit(NOW + 5 * HOUR, "schedule")


def test_credentials_older_than_the_interval_are_renewed_at_once() -> None:
    assert due(state(7 * HOUR), is_start=True) == DueVisit(NOW, "start")


@pytest.mark.parametrize(
    ("named", "outcomes", "is_start", "at", "trigger"),
    [
        ("https://chat.example/old/", [CAPTURED], True, NOW, "start"),
        ("https://chat.example/old/", [TIMEOUT], False, NOW + FAILURE_PAUSES[0], "schedule"),
        ("https://chat.example/old/", [CAPTURED], False, NOW + 5 * HOUR, "schedule"),
        (PAGE, [CAPTURED], True, NOW + 5 * HOUR, "schedule"),
    ],
)
def test_a_page_that_the_settings_did_not_name_before_is_visited_once_at_a_start(
    named: str, outcomes: Sequence[Outcome], is_start: bool, at: float, trigger: str
) -> None:
    assert due(state(HOUR, named_url=named), visits(*outcomes), is_start=is_start) == DueVisit(at, trigger)


@pytest.mark.parametrize(("jitter", "moved"), [(-1.0, -0.6 * HOUR), (1.0, 0.6 * HOUR)])
def test_the_interval_is_jittered_to_either_side(jitter: float, moved: float) -> None:
    assert due(state(HOUR), jitter=jitter) == DueVisit(NOW + 5 * HOUR + moved, "schedule")
    assert due(state(6 * HOUR + moved - 60), jitter=jitter) == DueVisit(NOW + 60, "schedule")
    assert due(state(6 * HOUR + moved), jitter=jitter) == DueVisit(NOW, "schedule")


def test_the_schedule_waits_for_the_pause_after_a_failure() -> None:
    challenged = visits(CHALLENGE, CHALLENGE)

    assert due(state(6 * HOUR - 60), challenged) == DueVisit(NOW + CHALLENGE_PAUSES[1], "schedule")
    assert due(state(7 * HOUR), challenged) == DueVisit(NOW + CHALLENGE_PAUSES[1], "schedule")


@pytest.mark.parametrize("count", range(1, 10))
def test_pauses_grow_with_every_failure_in_a_row(count: int) -> None:
    pause = FAILURE_PAUSES[min(count, len(FAILURE_PAUSES)) - 1]

    assert due(None, visits(*[TIMEOUT] * count), is_start=True) == DueVisit(NOW + pause, "start")
    assert due(None, visits(*[TIMEOUT] * count, CAPTURED, TIMEOUT)) == DueVisit(NOW + pause, "schedule")


@pytest.mark.parametrize("outcome", [TIMEOUT, CHALLENGE])
@pytest.mark.parametrize("ask", [None, ASK])
def test_a_site_that_asks_to_be_left_alone_is(outcome: Outcome, ask: VisitAsk | None) -> None:
    failed = [replace(visits(outcome)[0], retry_after=2 * HOUR)]
    shortly = [replace(visits(outcome)[0], retry_after=1.0)]

    found = due(None, failed, ask)
    assert found is not None
    assert found.at == NOW + 2 * HOUR
    assert due(None, shortly, ask) == due(None, visits(outcome), ask)


@pytest.mark.parametrize("count", range(1, 9))
def test_before_a_bot_check_the_pauses_are_longer(count: int) -> None:
    pause = CHALLENGE_PAUSES[min(count, len(CHALLENGE_PAUSES)) - 1]

    assert due(None, visits(*[CHALLENGE] * count)) == DueVisit(NOW + pause, "schedule")


def test_other_failures_in_between_do_not_make_the_pauses_before_a_check_short_again() -> None:
    assert due(None, visits(CHALLENGE, TIMEOUT, CHALLENGE, TIMEOUT)) == DueVisit(NOW + CHALLENGE_PAUSES[1], "schedule")


def test_an_ask_is_answered_at_once_when_the_last_success_is_long_ago() -> None:
    assert due(state(HOUR), visits(CAPTURED, ended=NOW - HOUR), ASK) == DueVisit(NOW, "asked")


def test_an_ask_right_after_a_success_waits_for_the_least_gap() -> None:
    assert due(state(5), visits(CAPTURED, ended=NOW - 5), ASK) == DueVisit(NOW + DEMAND_PAUSES[0] - 5, "asked")


@pytest.mark.parametrize("count", range(1, 8))
def test_asks_are_answered_ever_more_rarely_while_no_turn_succeeds_with_the_answers(count: int) -> None:
    in_vain = visits(*[CAPTURED] * count, trigger="asked")

    pause = DEMAND_PAUSES[min(count, len(DEMAND_PAUSES)) - 1]
    assert due(state(2, good=False), in_vain, ASK) == DueVisit(NOW + pause, "asked")


def test_a_visit_on_the_schedule_makes_the_gap_short_again() -> None:
    requested, scheduled = visits(*[CAPTURED] * 4, trigger="asked"), visits(*[CAPTURED] * 4)

    assert due(state(2, good=False), [requested[0], scheduled[1], *requested[2:]], ASK) == DueVisit(
        NOW + DEMAND_PAUSES[0], "asked"
    )


def test_a_turn_that_succeeded_since_makes_the_gap_short_again() -> None:
    requested = visits(*[CAPTURED] * 4, trigger="asked")

    assert due(state(2), requested, ASK) == DueVisit(NOW + DEMAND_PAUSES[0], "asked")


def test_an_ask_never_postpones_a_visit_that_the_schedule_wants() -> None:
    in_vain = visits(*[CAPTURED] * len(DEMAND_PAUSES), ended=NOW - 60, trigger="asked")
    nearly_old = state(INTERVAL - 600, good=False)

    assert due(nearly_old, in_vain, ASK) == DueVisit(NOW + 600, "schedule")
    assert due(state(INTERVAL - 600), in_vain[:1], ASK) == DueVisit(NOW, "asked")


def test_an_ask_after_failures_waits_like_everything_else() -> None:
    assert due(state(HOUR), visits(CHALLENGE, CHALLENGE), ASK) == DueVisit(NOW + CHALLENGE_PAUSES[1], "asked")


@pytest.mark.parametrize("renewed", [False, True])
def test_typed_credentials_are_not_visited_on_the_schedule_but_when_asked(renewed: bool) -> None:
    source = "renewal" if renewed else "manual"
    typed = state(100 * HOUR, source=source, user_agent="")

    assert due(typed, is_start=True) is None
    assert due(typed, ask=ASK) == DueVisit(NOW, "asked")


def test_renewed_credentials_of_a_visit_are_not_taken_for_typed_ones() -> None:
    of_visit: Credentials = replace(credentials(), source="renewal")

    assert not of_visit.is_manual


def test_a_clock_set_back_stops_no_visits() -> None:
    later = NOW + 5 * HOUR

    assert due(state(-5 * HOUR), visits(CAPTURED, ended=later)) == DueVisit(NOW, "schedule")
    assert due(None, visits(TIMEOUT, TIMEOUT, ended=later)) == DueVisit(NOW, "schedule")
    assert due(state(-5 * HOUR), visits(CAPTURED, ended=later), ASK) == DueVisit(NOW, "asked")
    assert renewal(credentials(at=later)) == NOW


def test_a_visit_that_ended_by_a_clock_a_little_ahead_of_ours_counts() -> None:
    assert due(None, visits(TIMEOUT, ended=NOW + 0.5)) == DueVisit(NOW + 0.5 + FAILURE_PAUSES[0], "schedule")


@pytest.mark.parametrize(
    ("interval", "period"), [(6 * HOUR, 3 * HOUR), (48 * HOUR, 3 * HOUR), (2 * HOUR, HOUR), (2.0, 60.0)]
)
def test_a_nonce_is_renewed_well_before_it_can_expire(interval: float, period: float) -> None:
    assert renewal(credentials(at=NOW), interval=interval) == NOW + period


def test_a_renewal_that_failed_is_tried_again_after_a_pause() -> None:
    old = credentials(at=NOW - 24 * HOUR)

    assert renewal(old, failed_at=NOW - 10) == NOW - 10 + 900


def test_a_nonce_that_was_renewed_after_the_clock_was_set_back_is_not_renewed_again_at_once() -> None:
    ahead = credentials(at=NOW + 24 * HOUR)

    assert renewal(ahead, renewed_at=NOW - 10) == NOW - 10 + 3 * HOUR
    assert renewal(ahead, renewed_at=NOW + 24 * HOUR) == NOW


def test_visits_that_are_asked_for_in_vain_are_counted_after_the_clock_was_set_back() -> None:
    good = SiteState(current=state(0).current, last_good=state(-24 * HOUR).current)  # of what was called tomorrow
    in_vain = visits(*[CAPTURED] * 3, trigger="asked")
    assert due(good, in_vain, ASK) == DueVisit(NOW + DEMAND_PAUSES[2], "asked")

    successful = replace(in_vain[1], started_at=NOW + 24 * HOUR - 1)
    assert due(good, [in_vain[0], successful, in_vain[2]], ASK) == DueVisit(NOW + DEMAND_PAUSES[0], "asked")


def test_a_failure_in_the_future_delays_no_renewal() -> None:
    """The clock was set back since."""
    assert renewal(credentials(at=NOW - 24 * HOUR), failed_at=NOW + HOUR) == NOW
