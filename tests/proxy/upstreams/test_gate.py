"""The gate of a site: what it learns from how turns end, and that no turn keeps it closed."""

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from time import time

import pytest

from proxy.chat.errors import ServiceError
from proxy.chat.upstream import Refusal, RefusalReason
from proxy.upstreams import breaker
from proxy.upstreams.breaker import FAILURES_TO_OPEN
from proxy.upstreams.gate import QUOTA_COOLDOWN, RATE_LIMIT_COOLDOWN, Gate
from tests.proxy.upstreams.list_upstream import refusal

BOT = 7


async def turn(gate: Gate, ends: BaseException | None = None, *, caller: str = "one") -> None:
    """One turn, whose place is held until it *ends*."""
    async with gate.enter(BOT, caller):
        if ends is not None:
            raise ends


async def error_of(work: Awaitable[None]) -> ServiceError:
    with pytest.raises(ServiceError) as exc_info:
        await work
    return exc_info.value


async def fails(gate: Gate, times: int) -> None:
    for _ in range(times):
        with suppress(Refusal):
            await turn(gate, refusal(RefusalReason.UPSTREAM))


@pytest.mark.parametrize("about", [RefusalReason.UPSTREAM, RefusalReason.CREDENTIALS])
async def test_a_site_that_fails_is_left_alone(about: RefusalReason) -> None:
    gate = Gate("site", 2)
    for _ in range(FAILURES_TO_OPEN):
        with suppress(Refusal):
            await turn(gate, refusal(about))

    error = await error_of(turn(gate))

    assert (error.status, error.code) == (503, "site_unavailable")
    assert error.retry_after is not None
    assert error.retry_after >= 1
    assert gate.health(None, None, bots=0).problem is not None
    assert gate.rank(BOT) == 2


@pytest.mark.parametrize(
    "ends",
    [
        None,
        refusal(RefusalReason.UPSTREAM, delivered=True, has_begun=True),
        refusal(RefusalReason.ANSWER, has_begun=True),
    ],
    ids=["whole, without text", "broken off", "broken off by the model"],
)
async def test_any_answer_closes_the_breaker(ends: Refusal | None) -> None:
    gate = Gate("site", 2)
    await fails(gate, FAILURES_TO_OPEN - 1)
    with suppress(Refusal):
        await turn(gate, ends)
    await fails(gate, FAILURES_TO_OPEN - 1)

    await turn(gate)


async def test_the_first_text_counts_as_a_success() -> None:
    gate = Gate("site", 2)
    await fails(gate, FAILURES_TO_OPEN - 1)
    with suppress(asyncio.CancelledError):
        async with gate.enter(BOT, "one") as passage:
            passage.answered()
            raise asyncio.CancelledError  # its client left
    await fails(gate, FAILURES_TO_OPEN - 1)

    await turn(gate)


@pytest.mark.parametrize(
    "ends",
    [asyncio.CancelledError(), RuntimeError(), refusal(RefusalReason.MESSAGE)],
    ids=["left", "a fault", "refused"],
)
async def test_a_trial_that_shows_nothing_is_followed_by_another(
    ends: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breaker, "FIRST_PAUSE", 0.0)
    gate = Gate("site", 2)
    await fails(gate, FAILURES_TO_OPEN)
    with suppress(asyncio.CancelledError, RuntimeError, Refusal):
        await turn(gate, ends)

    await turn(gate)
    assert gate.health(None, None, bots=0).problem is None


async def test_a_site_that_stays_away_is_told_of_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(breaker, "FIRST_PAUSE", 0.01)
    gate = Gate("site", 2)
    await fails(gate, FAILURES_TO_OPEN)
    await asyncio.sleep(0.02)
    await fails(gate, 1)  # a trial

    assert caplog.text.count("it is left alone for a while") == 1


async def test_while_a_trial_is_under_way_no_other_turn_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breaker, "FIRST_PAUSE", 0.0)
    gate = Gate("site", 2)
    await fails(gate, FAILURES_TO_OPEN)

    async with gate.enter(BOT, "one"):
        assert (await error_of(turn(gate, caller="two"))).code == "site_unavailable"
        assert gate.rank(BOT) == 2
    await turn(gate, caller="two")


async def test_turns_queued_while_the_breaker_opens_fail_and_take_no_slot() -> None:
    gate = Gate("site", 1)
    await fails(gate, FAILURES_TO_OPEN - 1)
    with suppress(Refusal):
        async with gate.enter(BOT, "one"):
            waiting = asyncio.create_task(error_of(turn(gate, caller="two")))
            while not gate.slots.queued:
                await asyncio.sleep(0)
            raise refusal(RefusalReason.UPSTREAM)

    assert (await waiting).code == "site_unavailable"
    assert (gate.slots.taken, gate.slots.open) == (0, 0)


@pytest.mark.parametrize(
    ("about", "seconds", "rests"),
    [
        (RefusalReason.QUOTA, None, QUOTA_COOLDOWN),
        (RefusalReason.RATE, None, RATE_LIMIT_COOLDOWN),
        (RefusalReason.MODEL, None, QUOTA_COOLDOWN),
        (RefusalReason.QUOTA, 5.0, 5.0),
        (RefusalReason.RATE, 90.0, 90.0),
    ],
)
async def test_a_limit_or_a_fault_is_that_of_the_bot_alone(
    about: RefusalReason, seconds: float | None, rests: float
) -> None:
    gate = Gate("site", 1)
    reached = refusal(about)
    reached.retry_after = seconds
    with suppress(Refusal):
        await turn(gate, reached)

    assert (gate.rank(BOT), gate.rank(BOT + 1)) == (1, 0)
    assert gate.cooldown_until is not None
    assert gate.cooldown_until - time() == pytest.approx(rests, abs=1.0)
    await turn(gate)  # it is asked all the same where nobody else is
    assert gate.rank(BOT) == 0


@pytest.mark.parametrize("earlier", [None, refusal(RefusalReason.RATE)], ids=["the first limit", "a second one"])
async def test_an_answer_from_before_a_limit_does_not_lift_it(earlier: Refusal | None) -> None:
    gate = Gate("site", 2)
    with suppress(Refusal):
        await turn(gate, earlier)
    async with gate.enter(BOT, "one"):
        with suppress(Refusal):
            await turn(gate, refusal(RefusalReason.QUOTA))

    assert gate.rank(BOT) == 1


@pytest.mark.parametrize(("seconds", "rests"), [(12.0, 12), (None, 60)])
async def test_a_minute_that_is_full_is_full_for_all_bots(seconds: float | None, rests: int) -> None:
    gate = Gate("site", 1)
    full = refusal(RefusalReason.PACE)
    full.retry_after = seconds
    with suppress(Refusal):
        await turn(gate, full)

    error = await error_of(turn(gate))

    assert (error.status, error.code, error.retry_after) == (429, "rate_limit_exceeded", rests)
    assert (gate.rank(BOT), gate.rank(BOT + 1)) == (1, 1)
    assert gate.cooldown_until is not None


async def test_a_waiting_turn_releases_its_slot() -> None:
    gate = Gate("site", 1)
    async with gate.enter(BOT, "one") as passage:
        async with passage.outside():
            await turn(gate, caller="two")
        assert gate.slots.taken == 1
        with pytest.raises(LookupError):
            async with passage.outside():
                raise LookupError

    assert gate.slots.taken == 0
