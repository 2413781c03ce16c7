"""How many streams may be open to one site, and how others wait for their turn: fairly, bounded, not for ever."""

import asyncio
from collections import OrderedDict, deque

from proxy.chat.errors import Refused

MAX_WAITING = 1024
WAIT_SECONDS = 30.0


class SiteLimit:
    """A bounded number of places, and a bounded queue for them.

    Callers take turns: whoever waits with many requests gets no more places than one that waits with few. `short` is
    set when there are fewer places than might be and none of them is free.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.places = most  # those that may be taken now; `allow` sets them
        self.taken = 0
        self.short = asyncio.Event()
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()  # the next caller comes first
        self.open = 0
        self.queued = 0

    @property
    def demand(self) -> int:
        """Places that are taken or waited for."""
        return self.taken + sum(map(len, self._waiting.values()))

    def allow(self, places: int) -> None:
        """Let so many places be taken from now on; those that are taken already stay so."""
        self.places = places
        self._hand_on()

    async def take(self, caller: str) -> None:
        """Take one place. Raises `Refused` (429) when the queue is full or moves too slowly."""
        if self.taken < self.places:
            self.taken += 1
            if self.taken == self.places:
                self._tell()
        else:
            self._tell()
            await self._queue(caller)
        self.open += 1

    def leave(self) -> None:
        """Give back what `take` took."""
        self.open -= 1
        if self._waiting or self.taken > self.places:
            self._give_back()
        else:
            self.taken -= 1

    async def _queue(self, caller: str) -> None:
        if self.queued >= MAX_WAITING:
            raise busy()
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(caller, deque()).append(turn)
        self.queued += 1
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await turn
        except TimeoutError:
            if not _has_come(turn):
                raise busy() from None
        except asyncio.CancelledError:
            if _has_come(turn):
                self._give_back()
            raise
        finally:
            self.queued -= 1
            self._forget(caller, turn)

    def _give_back(self) -> None:
        self.taken -= 1
        self._hand_on()
        self._tell()

    def _hand_on(self) -> None:
        """Give free places to the next callers in turn."""
        while self._waiting and self.taken < self.places:
            caller, waiting = self._waiting.popitem(last=False)
            turn = waiting.popleft()
            if waiting:
                self._waiting[caller] = waiting  # behind all others
            if not turn.done():
                self.taken += 1
                turn.set_result(None)

    def _tell(self) -> None:
        if self.taken >= self.places and self.places < self.most:
            self.short.set()

    def _forget(self, caller: str, turn: asyncio.Future[None]) -> None:
        waiting = self._waiting.get(caller)
        if waiting and turn in waiting:
            waiting.remove(turn)
            if not waiting:
                del self._waiting[caller]


def _has_come(turn: asyncio.Future[None]) -> bool:
    """Whether the place was given, be it in the very moment in which its caller left or would wait no longer."""
    return turn.done() and not turn.cancelled()


def busy() -> Refused:
    """The error for a request that found no place in time."""
    return Refused(
        429,
        "Too many requests are waiting for this site; FREEAICHAT_MAX_UPSTREAM sets how many it answers at once.",
        type="rate_limit_error",
        code="rate_limit_exceeded",
        retry_after=5,
    )
