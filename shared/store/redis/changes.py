"""Change notification by Redis pub/sub."""

import asyncio
from contextlib import suppress

from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from shared.store.changes import Changes
from shared.store.redis.client import CALL_SECONDS, RedisClient

GAP_SECONDS = 0.05  # between two wake-ups, which bounds the cost of watching
SILENCE_SECONDS = 2.0  # after which the connection is pinged, as the machine may have vanished
RECONNECT_SECONDS = 0.2


class PublishedChanges(Changes):
    """Every change is published, those of this process too. A lost connection counts as a change."""

    def __init__(self, server: RedisClient) -> None:
        super().__init__()
        self._server = server

    async def _follow(self) -> None:
        is_lost = False
        while True:
            pubsub = self._server.pubsub()
            try:
                await self._subscribe(pubsub)
                if is_lost:
                    self.notify()
                is_lost = False
                self._is_following.set()
                await self._listen(pubsub)
            except (RedisError, OSError):
                if not is_lost:
                    self.notify()  # watchers get the error when they read
                is_lost = True
                self._is_following.set()
            finally:
                with suppress(RedisError, OSError):  # or it would take the place of a cancellation
                    await pubsub.aclose()  # type: ignore[no-untyped-call]
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _subscribe(self, pubsub: PubSub) -> None:
        async with asyncio.timeout(CALL_SECONDS):
            await pubsub.subscribe(self._server.channel)
            await pubsub.get_message(timeout=CALL_SECONDS)  # the confirmation: from here on nothing is missed

    async def _listen(self, pubsub: PubSub) -> None:
        """Call `notify` for changes until the connection fails."""
        while True:
            is_news = await self._next(pubsub)
            while is_news:
                self.notify()
                await asyncio.sleep(GAP_SECONDS)
                is_news = False
                while await pubsub.get_message(timeout=0.0):
                    is_news = True

    async def _next(self, pubsub: PubSub) -> bool:
        """Whether the next message is a change. Raises TimeoutError where the server is silent."""
        message = await pubsub.get_message(timeout=SILENCE_SECONDS)
        if message is None:
            async with asyncio.timeout(SILENCE_SECONDS):
                await pubsub.ping()
                message = await pubsub.get_message(timeout=SILENCE_SECONDS)
            if message is None:
                raise TimeoutError
        return bool(message["type"] == "message")
