"""Counting what is used: in memory while requests run, into the store in batches soon after.

A process that is killed loses what it counted in the last `FLUSH_SECONDS`; one that is stopped loses nothing. While
the store is away the counts wait here, bounded.
"""

import asyncio
import logging
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from time import monotonic, perf_counter, time

from proxy.access.rules import Caller
from proxy.chat.answer import Answer
from proxy.chat.errors import Refused, ServiceError
from proxy.chat.tokens import Usage, total_usage
from shared.admin.usage import (
    ERROR,
    FIRST_TEXT,
    REFUSED,
    REQUESTS,
    SECONDS,
    TOKENS_IN,
    TOKENS_OUT,
    TOOLS,
    Counters,
    Group,
    UsageBatch,
    add,
    bucket,
    day_of,
    hour_of,
)
from shared.store import Store, StoreError

FLUSH_SECONDS = 0.5
RETRY_SECONDS = 1.0
LAST_SECONDS = 3.0  # for what is left when the proxy stops
MAX_GROUPS = 10_000  # that wait for the store; an hour of one key, model and site makes one
# Only here, not in the store:
GAP = "gap:"  # between two tokens, on average
SUM = "sum:"  # of all values of a histogram, in microseconds
REJECTED = "rejected"  # failed requests that were wrong in themselves, and reached no site

log = logging.getLogger(__name__)


class Turn:
    """One request to a model, from its arrival to its end. `model` and `site` are empty until one was found."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self.model = self.site = ""
        self.usage = Usage(0, 0)  # estimated tokens
        self.seconds = 0.0
        self.first_text_seconds: float | None = None  # how long the first text took
        self.error: ServiceError | None = None
        self.has_left = False  # the client did, before all of the answer was written
        self.tool_outcomes: list[str] = []  # of the answers that hold calls or JSON by a schema
        self._begun = perf_counter()
        self._answers: Sequence[Answer] = ()

    def follow(self, answers: Sequence[Answer]) -> None:
        """These are what it is answered with."""
        self._answers, self.model = answers, answers[0].model

    def asks(self, model: str, site: str) -> None:
        """It is passed on to this site."""
        self.model, self.site = model, site

    def close(self) -> None:
        """It has ended: what was answered until now is what is counted, whole or not."""
        self.seconds = perf_counter() - self._begun
        answers, self._answers = self._answers, ()
        if not answers:
            return
        self.site = answers[0].upstream
        for answer in answers:
            if answer.tool_outcome is not None:
                self.tool_outcomes.append(answer.tool_outcome)
            if answer.first_text_at is not None:
                seconds = answer.first_text_at - self._begun
                self.first_text_seconds = min(seconds, self.first_text_seconds or seconds)
        if self.first_text_seconds is not None and not self.usage.total:
            self.usage = total_usage([answer.usage for answer in answers])

    @property
    def kind(self) -> str:
        """The code of the error that ended it; empty for none."""
        return "" if self.error is None else self.error.code or self.error.type

    @property
    def details(self) -> Mapping[str, object]:
        """What the log tells of it."""
        details: dict[str, object] = {
            "model": self.model,
            "site": self.site.rpartition("://")[2],
            "tokens_in": self.usage.asked,
            "tokens_out": self.usage.answered,
            "ttft_ms": "" if self.first_text_seconds is None else round(self.first_text_seconds * 1000),
            "error": self.kind,
        }
        return {name: value for name, value in details.items() if value != ""}


class UsageRecorder:
    """Told once of every request to a model; run `keep_flushing` as a task beside."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._groups: dict[Group, Counters] = {}
        self._tokens: dict[tuple[str, int], int] = {}
        self._seen: dict[str, float] = {}
        self._outgoing: UsageBatch | None = None
        self._has_news, self._is_urgent = asyncio.Event(), asyncio.Event()
        self._lost = 0
        self._totals: dict[tuple[str, str], Counters] = {}

    @property
    def totals(self) -> Mapping[tuple[str, str], Counters]:
        """All that this process counted since it began, by model and site."""
        return self._totals

    def saw(self, key_id: str) -> None:
        """A key was used just now."""
        self._seen[key_id] = time()
        self._has_news.set()

    def finished(self, turn: Turn) -> None:
        """A request to a model has ended."""
        now = time()
        counters, told = _counters(turn)
        add(self._totals.setdefault((turn.model, turn.site), {}), counters | told)
        group = Group(hour_of(now), turn.caller.id, turn.model, turn.site)
        if group in self._groups or len(self._groups) < MAX_GROUPS:
            add(self._groups.setdefault(group, {}), counters)
        else:
            self._lost += 1
        key = turn.caller.key
        if key is not None and key.tpd is not None and turn.usage.total:
            today = (key.id, day_of(now))
            self._tokens[today] = self._tokens.get(today, 0) + turn.usage.total
            self._is_urgent.set()  # other processes hold the key to its limit too
        self._has_news.set()

    def unwritten_tokens(self, key_id: str) -> int:
        """How many of the key's tokens of today the store does not know yet."""
        today = (key_id, day_of(time()))
        on_the_way = self._outgoing.tokens.get(today, 0) if self._outgoing else 0
        return self._tokens.get(today, 0) + on_the_way

    async def keep_flushing(self) -> None:
        """Write what was counted, until cancelled."""
        while True:
            await self._has_news.wait()
            with suppress(TimeoutError):
                async with asyncio.timeout(FLUSH_SECONDS):
                    await self._is_urgent.wait()
            self._has_news.clear()
            self._is_urgent.clear()
            try:
                await self._flush()
            except StoreError as error:
                log.warning("usage is written later: %s", error)
                self._has_news.set()
                await asyncio.sleep(RETRY_SECONDS)

    async def close(self) -> None:
        """Write what is left; nothing is counted any more."""
        deadline = monotonic() + LAST_SECONDS
        while True:
            try:
                await self._flush()
                break
            except StoreError as error:
                if monotonic() > deadline:
                    log.error("the usage of the last requests is lost: %s", error)
                    break
            await asyncio.sleep(0.1)

    async def _flush(self) -> None:
        while self._outgoing or self._groups or self._seen:
            if self._outgoing is None:
                self._outgoing = UsageBatch(secrets.token_hex(8), self._groups, self._tokens, self._seen)
                self._groups, self._tokens, self._seen = {}, {}, {}
            # A batch of which nobody knows whether it arrived goes out again as it is: the store knows it by its id.
            await self._store.add_usage(self._outgoing)
            self._outgoing = None
        if self._lost:
            log.error("the usage of %d requests is lost: the store was away for too long", self._lost)
            self._lost = 0


def _counters(turn: Turn) -> tuple[Counters, Counters]:
    """What is kept of *turn*, and what only this process tells.

    The latter: what was the client's own mistake, the average time between tokens, and sums.
    """
    if isinstance(turn.error, Refused):
        return {REFUSED: 1}, {}
    kept = {REQUESTS: 1, SECONDS + str(bucket(turn.seconds)): 1}
    told = {SUM + SECONDS: round(turn.seconds * 1e6)}
    if turn.error is not None:
        kept[ERROR + turn.kind] = 1
        if turn.error.status < 500 and not turn.site:
            told[REJECTED] = 1
    first, usage = turn.first_text_seconds, turn.usage
    if first is not None:
        kept[FIRST_TEXT + str(bucket(first))] = 1
        told[SUM + FIRST_TEXT] = round(first * 1e6)
        if usage.answered > 1:
            gap = (turn.seconds - first) / (usage.answered - 1)
            told[GAP + str(bucket(gap))] = 1
            told[SUM + GAP] = round(gap * 1e6)
    for outcome in turn.tool_outcomes:
        add(kept, {TOOLS + outcome: 1})
    if usage.total:
        kept |= {TOKENS_IN: usage.asked, TOKENS_OUT: usage.answered}
    return kept, told
