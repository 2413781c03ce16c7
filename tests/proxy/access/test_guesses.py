"""How often wrong keys may be tried."""

from proxy.access.guesses import BURST, EVERY_SECONDS, Guesses


def test_wrong_keys_are_bounded_and_time_brings_tries_back() -> None:
    guesses = Guesses()
    for _ in range(BURST):
        assert guesses.wait(100.0) == 0.0
        guesses.failed(100.0)

    assert guesses.wait(100.0) == EVERY_SECONDS
    assert guesses.wait(100.0 + EVERY_SECONDS / 2) == EVERY_SECONDS / 2
    assert guesses.wait(100.0 + EVERY_SECONDS) == 0.0


def test_rest_saves_up_no_more_than_a_burst() -> None:
    guesses = Guesses()
    guesses.failed(0.0)
    for _ in range(BURST):
        assert guesses.wait(10_000.0) == 0.0
        guesses.failed(10_000.0)

    assert guesses.wait(10_000.0) > 0
