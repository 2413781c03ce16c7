"""The slots of one upstream: how many turns it answers at once, and a fair queue for them."""

import asyncio
from collections import OrderedDict, deque

from proxy.chat.errors import LimitExceeded

MAX_WAITING = 1024
WAIT_SECONDS = 30.0  # for a slot


class Slots:
    """A bounded number of slots, and a bounded queue for them.

    Callers take turns: whoever waits with many requests gets no more slots than one that waits with few. Other proxies
    may hold some of the *limit* slots: `shortage` is set when none is free and fewer than *limit* are allowed here.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.allowed = limit  # those that may be taken now; `allow` sets them
        self.taken = 0  # with those that were just given to a waiting caller
        self.shortage = asyncio.Event()
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()  # the next caller comes first
        self.open = 0  # turns under way
        self.queued = 0

    @property
    def demand(self) -> int:
        """Slots that are taken or waited for."""
        return self.taken + sum(map(len, self._waiting.values()))

    def allow(self, slots: int) -> None:
        """Let so many slots be taken from now on; those that are taken already stay so."""
        self.allowed = slots
        self._grant()

    async def take(self, caller: str) -> None:
        """Take one slot. Raises `LimitExceeded` (429) when the queue is full or moves too slowly."""
        if self.taken < self.allowed:
            self.taken += 1
            self._signal_shortage()
        else:
            self._signal_shortage()
            await self._queue(caller)
        self.open += 1

    def leave(self) -> None:
        """Give back what `take` took."""
        self.open -= 1
        self._give_back()

    async def _queue(self, caller: str) -> None:
        if self.queued >= MAX_WAITING:
            raise _queue_full()
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(caller, deque()).append(turn)
        self.queued += 1
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await turn
        except TimeoutError:
            if not _was_granted(turn):
                raise _queue_full() from None
        except asyncio.CancelledError:
            if _was_granted(turn):
                self._give_back()
            raise
        finally:
            self.queued -= 1
            self._unqueue(caller, turn)

    def _give_back(self) -> None:
        self.taken -= 1
        self._grant()
        self._signal_shortage()

    def _grant(self) -> None:
        """Give free slots to the next callers in turn."""
        while self._waiting and self.taken < self.allowed:
            caller, waiting = self._waiting.popitem(last=False)
            turn = waiting.popleft()
            if waiting:
                self._waiting[caller] = waiting  # behind all others
            if not turn.done():
                self.taken += 1
                turn.set_result(None)

    def _signal_shortage(self) -> None:
        if self.taken >= self.allowed and self.allowed < self.limit:
            self.shortage.set()

    def _unqueue(self, caller: str, turn: asyncio.Future[None]) -> None:
        waiting = self._waiting.get(caller)
        if waiting and turn in waiting:
            waiting.remove(turn)
            if not waiting:
                del self._waiting[caller]


def _was_granted(turn: asyncio.Future[None]) -> bool:
    """Whether the slot was given, be it in the very moment in which its caller left or would wait no longer."""
    return turn.done() and not turn.cancelled()


def _queue_full() -> LimitExceeded:
    """The error for a request that found no slot in time."""
    return LimitExceeded(
        429,
        "Too many requests wait already; FREEAICHAT_MAX_UPSTREAM sets how many a site answers at once, "
        "FREEAICHAT_MAX_SERVER a server.",
        type="rate_limit_error",
        code="rate_limit_exceeded",
        retry_after=5,
    )
