"""Admission of turns to one upstream: its slots, its circuit breaker and the cooldowns of its bots."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from math import ceil
from time import monotonic, time

from proxy.chat.errors import ServiceError
from proxy.chat.upstream import Health, Problem, Refusal, RefusalReason, StopReading
from proxy.upstreams.breaker import Breaker
from proxy.upstreams.slots import Slots
from shared.models import Credentials

# Where another site offers the same model it is asked first for so long. Seconds.
QUOTA_COOLDOWN = 600.0
RATE_LIMIT_COOLDOWN = 30.0
MINUTE = 60.0
_PACED = Problem("rate_limit_exceeded", "the site takes no more requests from this address in this minute")
_RESTS = Problem("site_unavailable", "the site failed again and again and is left alone for a moment")
_FAULTS = frozenset({RefusalReason.UPSTREAM, RefusalReason.CREDENTIALS})  # of the whole site, unless it had begun
_COOLING = {
    RefusalReason.QUOTA: QUOTA_COOLDOWN,
    RefusalReason.MODEL: QUOTA_COOLDOWN,
    RefusalReason.RATE: RATE_LIMIT_COOLDOWN,
}

log = logging.getLogger(__name__)


class Gate:
    """Admits turns to one upstream by its slots, its circuit breaker and the cooldowns of its bots."""

    def __init__(self, site: str, slots: int) -> None:
        self.site = site
        self.slots = Slots(slots)
        self.breaker = Breaker()
        self._paced_until = 0.0  # the site's plugin counts the turns of all its visitors from one address
        # By bot: of those whose quota or rate limit was reached, or that are gone, broken or closed. A quota belongs to
        # the bot and this guest (PROTOCOL 7).
        self._cool_until: dict[int, float] = {}

    def enter(self, bot_id: int, caller: str) -> "Permit":
        """Hold a slot for one turn, in an `async with`, and learn from how it ends."""
        return Permit(self, bot_id, caller)

    def check(self) -> None:
        """Raise `ServiceError`: 503 while the breaker is open, 429 for the rest of a minute without further turns."""
        now = monotonic()
        if now < self._paced_until:
            raise ServiceError(
                429,
                f"{self.site} takes no more requests from this address in this minute.",
                type="rate_limit_error",
                code="rate_limit_exceeded",
                retry_after=ceil(self._paced_until - now),
            )
        if not self.breaker.is_well and not self.breaker.admits(now):
            raise ServiceError(
                503,
                f"{self.site} failed again and again and is left alone for a moment.",
                type="server_error",
                code="site_unavailable",
                retry_after=max(1.0, self.breaker.wait(now)),
            )

    def ended(self, bot_id: int, error: BaseException | None, *, is_trial: bool, cool_until: float | None) -> None:
        """Learn from how a turn ended that was admitted; *cool_until*: of its bot, when the turn began."""
        if error is None or isinstance(error, StopReading):
            if not self.breaker.is_well:
                self.breaker.succeeded()
            if cool_until is not None and self._cool_until.get(bot_id) == cool_until:
                del self._cool_until[bot_id]  # it answers all the same
        elif isinstance(error, Refusal):
            self._learn(bot_id, error, is_trial=is_trial)
        elif is_trial:
            self.breaker.trial_abandoned()

    def cool_until(self, bot_id: int) -> float | None:
        """Until when the bot is better left alone, or was; None where it was not since it answered last."""
        return self._cool_until.get(bot_id)

    def revived(self) -> None:
        """A visit or a renewal got what it came for."""
        self.breaker.revived(monotonic())

    @property
    def cooldown_until(self) -> float | None:
        """When the last of its bots may be used like others again (Unix seconds); None: now."""
        left = max((self._paced_until, *self._cool_until.values())) - monotonic()
        return time() + left if left > 0 else None

    def health(
        self, kind: str | None, trouble: Problem | None, *, bots: int, credentials: Credentials | None = None
    ) -> Health:
        """The upstream's health now. *trouble*: what else is wrong with it than that no turn may pass."""
        now = monotonic()
        if now < self._paced_until:
            trouble = trouble or _PACED
        elif not self.breaker.admits(now):
            trouble = trouble or _RESTS
        return Health(
            name=self.site,
            kind=kind,
            problem=trouble,
            breaker=self.breaker.state(now),
            cooldown_until=self.cooldown_until,
            open_streams=self.slots.open,
            queued=self.slots.queued,
            credentials=credentials,
            bots=bots,
        )

    def rank(self, bot_id: int) -> int:
        """The lower, the better a turn's prospects here are.

        A half-open breaker costs a site nothing of its rank: the turn that is its trial can still go on elsewhere, and
        a site that no turn ever tries again would never be known to be well.
        """
        now = monotonic()
        if not self.breaker.is_well and not self.breaker.admits(now):
            return 2
        return int(now < self._paced_until or now < self._cool_until.get(bot_id, 0.0))

    def _learn(self, bot_id: int, refusal: Refusal, *, is_trial: bool) -> None:
        now = monotonic()
        if refusal.reason is RefusalReason.PACE:
            self._paced_until = now + (refusal.retry_after or MINUTE)
        if refusal.reason in _COOLING:
            self._cool_until[bot_id] = now + (refusal.retry_after or _COOLING[refusal.reason])
        if refusal.reason not in _FAULTS or refusal.has_begun:
            if refusal.has_begun:
                self.breaker.succeeded()
            elif is_trial:
                self.breaker.trial_abandoned()
            return
        was_closed = self.breaker.state(now) == "closed"
        self.breaker.failed(now)
        if was_closed and self.breaker.state(now) == "open":
            log.warning("%s failed again and again (%s); it is left alone for a while", self.site, refusal.error.code)


class Permit:
    """One turn's slot, as an async context manager. Entering it raises `ServiceError`: 429 and 503."""

    __slots__ = ("_bot_id", "_caller", "_cool_until", "_gate", "_has_slot", "is_trial")

    def __init__(self, gate: Gate, bot_id: int, caller: str) -> None:
        self._gate, self._bot_id, self._caller = gate, bot_id, caller
        self._has_slot = False
        self._cool_until: float | None = None
        self.is_trial = False  # of a site that may have recovered

    async def __aenter__(self) -> "Permit":
        gate = self._gate
        gate.check()
        await gate.slots.take(self._caller)
        self._has_slot = True
        try:
            gate.check()  # the site may have failed or refused others while this one queued
        except ServiceError:
            self._leave_slot()
            raise
        self.is_trial = not gate.breaker.is_well and gate.breaker.admitted(monotonic())
        self._cool_until = gate.cool_until(self._bot_id)
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        self._leave_slot()
        self._gate.ended(self._bot_id, error, is_trial=self.is_trial, cool_until=self._cool_until)

    def answered(self) -> None:
        """The first text came: the site is well, however and whenever this turn ends."""
        if not self._gate.breaker.is_well:
            self._gate.breaker.succeeded()
        self.is_trial = False

    @asynccontextmanager
    async def outside(self) -> AsyncIterator[None]:
        """Leave the slot to others while the turn waits for something else; it queues again for what comes after."""
        self._leave_slot()
        yield
        await self._gate.slots.take(self._caller)
        self._has_slot = True

    def _leave_slot(self) -> None:
        if self._has_slot:
            self._has_slot = False
            self._gate.slots.leave()
