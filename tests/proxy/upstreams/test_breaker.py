"""The circuit breaker of a site."""

from hypothesis import given
from hypothesis import strategies as st

from proxy.upstreams.breaker import FAILURES_TO_OPEN, FIRST_PAUSE, LONGEST_PAUSE, TRIAL_SECONDS, Breaker


def open_breaker() -> Breaker:
    breaker = Breaker()
    fail_until_open(breaker, 0.0)
    return breaker


def fail_until_open(breaker: Breaker, now: float) -> None:
    for _ in range(FAILURES_TO_OPEN):
        assert allows(breaker, now)
        breaker.failed(now)


def allows(breaker: Breaker, now: float) -> bool:
    """Whether a request may pass, which it then does."""
    may = breaker.admits(now)
    if may:
        breaker.admitted(now)
    return may


def test_the_breaker_opens_on_consecutive_failures() -> None:
    breaker = open_breaker()

    assert breaker.state(0.0) == "open"
    assert not breaker.admits(FIRST_PAUSE - 0.1)
    assert breaker.wait(0.5) == FIRST_PAUSE - 0.5


def test_a_success_between_failures_keeps_the_breaker_closed() -> None:
    breaker = Breaker()
    for _ in range(3 * FAILURES_TO_OPEN):
        for _ in range(FAILURES_TO_OPEN - 1):
            breaker.failed(0.0)
        breaker.succeeded()

    assert breaker.state(0.0) == "closed"
    assert breaker.wait(0.0) == 0.0


def test_after_the_pause_one_trial_passes_and_its_success_closes_the_breaker() -> None:
    breaker = open_breaker()

    assert breaker.state(FIRST_PAUSE) == "half_open"
    assert breaker.admits(FIRST_PAUSE)
    assert breaker.admitted(FIRST_PAUSE), "this one is the trial"
    assert not breaker.admits(FIRST_PAUSE)
    assert breaker.wait(FIRST_PAUSE) > 0, "until it is known what became of the trial"
    breaker.succeeded()
    assert breaker.is_well
    assert breaker.admits(FIRST_PAUSE)
    assert not breaker.admitted(FIRST_PAUSE)


def test_failed_trials_make_the_pauses_longer_up_to_a_limit() -> None:
    breaker, now, pauses = open_breaker(), 0.0, []
    for _ in range(10):
        pauses.append(breaker.wait(now))
        now += breaker.wait(now)
        assert allows(breaker, now)
        breaker.failed(now)

    assert pauses[:4] == [FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE, 8 * FIRST_PAUSE]
    assert pauses[-1] == LONGEST_PAUSE
    breaker.succeeded()
    fail_until_open(breaker, now)
    assert breaker.wait(now) == FIRST_PAUSE, "a success lets it forget them"


def test_a_trial_that_shows_nothing_makes_room_for_the_next() -> None:
    breaker = open_breaker()
    assert allows(breaker, FIRST_PAUSE)
    breaker.trial_abandoned()
    assert breaker.admits(FIRST_PAUSE)


def test_a_trial_without_an_outcome_expires() -> None:
    breaker = open_breaker()
    assert allows(breaker, FIRST_PAUSE)

    assert not breaker.admits(FIRST_PAUSE + TRIAL_SECONDS - 1)
    assert allows(breaker, FIRST_PAUSE + TRIAL_SECONDS)
    assert not breaker.admits(FIRST_PAUSE + TRIAL_SECONDS), "there is another trial now"


def test_requests_from_before_it_opened_do_not_lengthen_the_pause() -> None:
    breaker = open_breaker()
    breaker.failed(1.0)
    assert breaker.wait(1.0) == FIRST_PAUSE - 1.0


def test_a_sign_of_life_ends_the_pause_and_forgets_how_long_it_had_grown() -> None:
    breaker, now = open_breaker(), 0.0
    for _ in range(5):
        now += breaker.wait(now)
        assert allows(breaker, now)
        breaker.failed(now)
    assert not breaker.admits(now)

    breaker.revived(now)
    assert breaker.state(now) == "half_open"
    assert allows(breaker, now)
    breaker.revived(now)
    assert not breaker.admits(now), "the trial that runs goes on alone"
    breaker.failed(now)
    assert breaker.wait(now) == 2 * FIRST_PAUSE


def test_a_sign_of_life_changes_nothing_while_requests_pass() -> None:
    breaker = Breaker()
    for _ in range(FAILURES_TO_OPEN):
        breaker.revived(0.0)
        breaker.failed(0.0)

    assert breaker.state(0.0) == "open"


@given(st.lists(st.sampled_from(["ask", "fail", "succeed", "leave", "revive", "wait"])))
def test_the_breaker_always_recovers_by_itself(steps: list[str]) -> None:
    breaker, now = Breaker(), 0.0
    for step in steps:
        if step == "ask":
            allows(breaker, now)
        elif step == "fail":
            breaker.failed(now)
        elif step == "succeed":
            breaker.succeeded()
        elif step == "leave":
            breaker.trial_abandoned()
        elif step == "revive":
            breaker.revived(now)
        else:
            now += 1.0

    assert breaker.admits(now + max(LONGEST_PAUSE, TRIAL_SECONDS))
