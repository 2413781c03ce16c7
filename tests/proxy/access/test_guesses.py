"""How often wrong keys may be tried."""

from proxy.access.guesses import BURST, EVERY_SECONDS, MAX_SOURCES, Guesses


def test_wrong_keys_are_bounded_and_time_brings_tries_back() -> None:
    guesses = Guesses()
    assert [guesses.failed("a", 100.0) for _ in range(BURST)] == [0.0] * BURST

    assert guesses.failed("a", 100.0) == EVERY_SECONDS
    assert guesses.failed("a", 100.0 + EVERY_SECONDS / 2) == EVERY_SECONDS / 2
    assert guesses.failed("a", 100.0 + EVERY_SECONDS) == 0.0


def test_rest_saves_up_no_more_than_a_burst() -> None:
    guesses = Guesses()
    guesses.failed("a", 0.0)
    assert [guesses.failed("a", 10_000.0) for _ in range(BURST)] == [0.0] * BURST

    assert guesses.failed("a", 10_000.0) > 0


def test_one_source_takes_no_tries_from_another() -> None:
    guesses = Guesses()
    for _ in range(BURST + 1):
        guesses.failed("a", 0.0)

    assert guesses.failed("a", 0.0) > 0
    assert guesses.failed("b", 0.0) == 0.0


def test_sources_without_number_take_a_bounded_place_and_the_last_ones_stay_known() -> None:
    guesses = Guesses()
    for number in range(MAX_SOURCES + 100):
        for _ in range(BURST if number in (0, MAX_SOURCES) else 1):
            guesses.failed(str(number), 0.0)

    assert guesses.failed("0", 0.0) == 0.0
    assert guesses.failed(str(MAX_SOURCES), 0.0) > 0
