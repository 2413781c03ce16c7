"""Counting usage: in memory while requests run, written to the store in batches soon after.

A process that is killed loses the last `FLUSH_SECONDS`; one that is stopped loses nothing. While the store is
unavailable the counts wait here, bounded.
"""

import asyncio
import logging
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from time import monotonic, perf_counter, time

from proxy.access.rules import Caller
from proxy.chat.answer import Answer
from proxy.chat.errors import LimitExceeded, ServiceError
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
    UsageBatch,
    UsageGroup,
    add,
    bucket,
    day_of,
    hour_of,
)
from shared.store import Store, StoreError

FLUSH_SECONDS = 0.5
RETRY_SECONDS = 1.0
LAST_SECONDS = 3.0  # for the last counts when the proxy stops
MAX_GROUPS = 10_000  # that wait for the store; an hour of one key, model and site makes one
# Only here, not in the store:
GAP = "gap:"  # between two tokens, on average
SUM = "sum:"  # of all values of a histogram, in microseconds
REJECTED = "rejected"  # invalid requests, which reached no site

log = logging.getLogger(__name__)


class RequestRecord:
    """One request to a model, from its arrival to its end. `model` and `site` are empty until they are known."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self.model = self.site = ""
        self.usage = Usage(0, 0)  # estimated tokens
        self.seconds = 0.0
        self.first_text_seconds: float | None = None  # how long the first text took
        self.error: ServiceError | None = None
        self.has_left = False  # the client closed the connection before the end
        self.tool_outcomes: list[str] = []  # of answers with calls or structured output
        self._started_at = perf_counter()
        self._answers: Sequence[Answer] = ()

    def set_answers(self, answers: Sequence[Answer]) -> None:
        """Set the answers that are being made for it."""
        self._answers, self.model = answers, answers[0].model

    def set_upstream(self, model: str, site: str) -> None:
        """Set the model and the site that it is forwarded to."""
        self.model, self.site = model, site

    def close(self) -> None:
        """End it: its answers count as far as they have come."""
        self.seconds = perf_counter() - self._started_at
        answers, self._answers = self._answers, ()
        if not answers:
            return
        self.site = answers[0].upstream
        for answer in answers:
            if answer.tool_outcome is not None:
                self.tool_outcomes.append(answer.tool_outcome)
            if answer.first_text_at is not None:
                seconds = answer.first_text_at - self._started_at
                self.first_text_seconds = min(seconds, self.first_text_seconds or seconds)
        if self.first_text_seconds is not None and not self.usage.total:
            self.usage = total_usage([answer.usage for answer in answers])

    @property
    def kind(self) -> str:
        """The code of the error that ended it; empty for none."""
        return "" if self.error is None else self.error.code or self.error.type

    @property
    def details(self) -> Mapping[str, object]:
        """Fields for the request log."""
        details: dict[str, object] = {
            "model": self.model,
            "site": self.site.rpartition("://")[2],
            "tokens_in": self.usage.prompt_tokens,
            "tokens_out": self.usage.completion_tokens,
            "ttft_ms": "" if self.first_text_seconds is None else round(self.first_text_seconds * 1000),
            "error": self.kind,
        }
        return {name: value for name, value in details.items() if value != ""}


class UsageRecorder:
    """Counts every finished request to a model; run `keep_flushing` as a task."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._groups: dict[UsageGroup, Counters] = {}
        self._tokens: dict[tuple[str, int], int] = {}
        self._last_used: dict[str, float] = {}
        self._outgoing: UsageBatch | None = None
        self._has_changes, self._is_urgent = asyncio.Event(), asyncio.Event()
        self._lost = 0
        self._totals: dict[tuple[str, str], Counters] = {}

    @property
    def totals(self) -> Mapping[tuple[str, str], Counters]:
        """All counters since the process started, by model and site."""
        return self._totals

    def key_used(self, key_id: str) -> None:
        """Record that a key was used now."""
        self._last_used[key_id] = time()
        self._has_changes.set()

    def record(self, request: RequestRecord) -> None:
        """Count a request that has ended."""
        now = time()
        counters, local_counters = _counters(request)
        add(self._totals.setdefault((request.model, request.site), {}), counters | local_counters)
        group = UsageGroup(hour_of(now), request.caller.id, request.model, request.site)
        if group in self._groups or len(self._groups) < MAX_GROUPS:
            add(self._groups.setdefault(group, {}), counters)
        else:
            self._lost += 1
        key = request.caller.key
        if key is not None and key.tpd is not None and request.usage.total:
            today = (key.id, day_of(now))
            self._tokens[today] = self._tokens.get(today, 0) + request.usage.total
            self._is_urgent.set()  # other processes hold the key to its limit too
        self._has_changes.set()

    def unwritten_tokens(self, key_id: str) -> int:
        """A key's tokens of today that are not in the store yet."""
        today = (key_id, day_of(time()))
        on_the_way = self._outgoing.tokens.get(today, 0) if self._outgoing else 0
        return self._tokens.get(today, 0) + on_the_way

    async def keep_flushing(self) -> None:
        """Write new counts to the store, until cancelled."""
        while True:
            await self._has_changes.wait()
            with suppress(TimeoutError):
                async with asyncio.timeout(FLUSH_SECONDS):
                    await self._is_urgent.wait()
            self._has_changes.clear()
            self._is_urgent.clear()
            try:
                await self._flush()
            except StoreError as error:
                log.warning("usage is written later: %s", error)
                self._has_changes.set()
                await asyncio.sleep(RETRY_SECONDS)

    async def close(self) -> None:
        """Write the remaining counts."""
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
        while self._outgoing or self._groups or self._last_used:
            if self._outgoing is None:
                self._outgoing = UsageBatch(secrets.token_hex(8), self._groups, self._tokens, self._last_used)
                self._groups, self._tokens, self._last_used = {}, {}, {}
            # A batch that may have arrived is sent again unchanged: the store recognizes its id.
            await self._store.add_usage(self._outgoing)
            self._outgoing = None
        if self._lost:
            log.error("the usage of %d requests is lost: the store was away for too long", self._lost)
            self._lost = 0


def _counters(request: RequestRecord) -> tuple[Counters, Counters]:
    """The counters of a request for the store, and those for this process alone.

    The latter: rejected requests, the average time between tokens, and sums.
    """
    if isinstance(request.error, LimitExceeded):
        return {REFUSED: 1}, {}
    counters = {REQUESTS: 1, SECONDS + str(bucket(request.seconds)): 1}
    local_counters = {SUM + SECONDS: round(request.seconds * 1e6)}
    if request.error is not None:
        counters[ERROR + request.kind] = 1
        if request.error.status < 500 and not request.site:
            local_counters[REJECTED] = 1
    first, usage = request.first_text_seconds, request.usage
    if first is not None:
        counters[FIRST_TEXT + str(bucket(first))] = 1
        local_counters[SUM + FIRST_TEXT] = round(first * 1e6)
        if usage.completion_tokens > 1:
            gap = (request.seconds - first) / (usage.completion_tokens - 1)
            local_counters[GAP + str(bucket(gap))] = 1
            local_counters[SUM + GAP] = round(gap * 1e6)
    for outcome in request.tool_outcomes:
        add(counters, {TOOLS + outcome: 1})
    if usage.total:
        counters |= {TOKENS_IN: usage.prompt_tokens, TOKENS_OUT: usage.completion_tokens}
    return counters, local_counters
