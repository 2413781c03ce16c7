"""The Redis client: runs Lua scripts, each atomic and bounded in time."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

import redis.asyncio
from redis.asyncio.client import PubSub
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, RedisError

from shared.store import StoreError, StoreUnavailable
from shared.store.redis.errors import FOREIGN, NEWER, map_error
from shared.store.redis.schema import VERSION, key
from shared.store.store_url import redacted_url

CALL_SECONDS = 4.0  # longest wait for one call, also for a connection; it takes Redis less than a millisecond
CONNECT_SECONDS = 2.0
MAX_CONNECTIONS = 32  # further calls wait for one of these
ATTEMPTS = 10  # at compare-and-set; one fails only because another process has just written

Argument = str | bytes | int | float

_CHECK = f"""
local schema = redis.call('GET', KEYS[1])
if schema and not tonumber(schema) then return redis.error_reply('{FOREIGN}') end
if schema and tonumber(schema) > {VERSION} then return redis.error_reply('{NEWER} ' .. schema) end
"""
_CHANGE = f"""
if not schema or tonumber(schema) < {VERSION} then redis.call('SET', KEYS[1], {VERSION}) end
local function changed() redis.call('PUBLISH', ARGV[1], '') end
"""


@dataclass(frozen=True)
class Script:
    """A Lua script.

    Keys and arguments become locals with the names given here; further arguments are in ARGV from `rest` on. One that
    writes calls `changed()` if it changed anything.
    """

    body: str
    keys: str = ""  # names, separated by spaces
    args: str = ""
    is_read_only: bool = False
    allows_oom: bool = False  # it frees memory, or needs next to none: runs where memory is full
    is_idempotent: bool = False  # retried after a lost connection

    @cached_property
    def text(self) -> str:
        """The whole source."""
        keys, args = self.keys.split(), self.args.split()
        # By the first line Redis refuses before anything is done where it cannot do it all, as when memory is full.
        first = f"#!lua{' flags=allow-oom' if self.allows_oom else ''}"
        lines = ["#!lua flags=no-writes", _CHECK] if self.is_read_only else [first, _CHECK, _CHANGE]
        lines += [f"local {name} = KEYS[{number}]" for number, name in enumerate(keys, 2)]
        lines += [f"local {name} = ARGV[{number}]" for number, name in enumerate(args, 2)]
        return "\n".join((*lines, f"local rest = {len(args) + 2}", self.body))

    @cached_property
    def sha(self) -> str:
        """The SHA-1 for EVALSHA."""
        return hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()


class RedisClient:
    """The connections to one Redis. All methods raise what `Store` methods may raise."""

    def __init__(self, url: str) -> None:
        """Does not connect yet. Raises StoreError for an invalid URL."""
        self.shown = redacted_url(url)
        self._pool = _make_pool(url)
        self._client = redis.asyncio.Redis(connection_pool=self._pool)
        # Channels are not kept apart by database, so the name tells it.
        self.channel = key("changes", str(self._pool.connection_kwargs.get("db", 0)))
        self._running = 0
        self._is_idle = asyncio.Event()
        self._is_idle.set()
        self._is_closed = False

    async def run(self, script: Script, keys: Sequence[str] = (), *args: Argument) -> Any:
        """Run *script*; returns None, integers, bytes or lists of these."""
        values = [_encoded(value) for value in (key("schema"), *keys, self.channel, *args)]
        return await self._call(lambda: self._run(script, 1 + len(keys), values))

    async def info(self) -> Mapping[str, Any]:
        """The fields of the INFO command."""
        fields: Mapping[str, Any] = await self._call(self._client.info)
        return fields

    async def _call(self, call: Callable[[], Awaitable[Any]]) -> Any:
        if self._is_closed:
            raise StoreUnavailable("the store is closed")
        self._running += 1
        self._is_idle.clear()
        try:
            async with asyncio.timeout(CALL_SECONDS):
                return await call()
        except (RedisError, OSError) as error:
            mapped = map_error(error, self.shown)
            if isinstance(mapped, StoreUnavailable):
                # The other connections lead to the same server, which is gone or no longer the primary.
                with suppress(RedisError, OSError):
                    await self._pool.disconnect(inuse_connections=False)
            raise mapped from error
        finally:
            self._running -= 1
            if not self._running:
                self._is_idle.set()

    def pubsub(self) -> PubSub:
        """A pub/sub connection; it raises Redis's errors."""
        return self._client.pubsub()

    async def close(self) -> None:
        """Wait for running calls, then close the connections. Later calls raise `StoreUnavailable`."""
        self._is_closed = True
        await self._is_idle.wait()
        with suppress(RedisError, OSError):
            await self._pool.disconnect()

    async def _run(self, script: Script, key_count: int, values: Sequence[bytes]) -> Any:
        try:
            return await self._evaluate(script, key_count, values)
        except RedisConnectionError:  # Redis was restarted since the connection was last used, or just now
            if not (script.is_read_only or script.is_idempotent):
                raise
            return await self._evaluate(script, key_count, values)

    async def _evaluate(self, script: Script, key_count: int, values: Sequence[bytes]) -> Any:
        try:
            return await self._client.evalsha(script.sha, key_count, *values)
        except NoScriptError:
            return await self._client.eval(script.text, key_count, *values)


class RedisMixin:
    """Base of the mixins that make up `RedisStore`: each method is one script, unless it says otherwise."""

    def __init__(self, server: RedisClient) -> None:
        self._server = server
        self._run = server.run

    def _contention_error(self) -> StoreUnavailable:
        """The error after `ATTEMPTS` failed."""
        return StoreUnavailable(f"the store {self._server.shown} cannot be used just now: too many write to it at once")


def _make_pool(url: str) -> redis.asyncio.ConnectionPool:
    try:
        number = urlsplit(url).path.strip("/")
        if not url.startswith("unix:") and number and not number.isdecimal():
            raise ValueError("redis-py would take another database than the one that is named")  # noqa: TRY301
        pool = redis.asyncio.BlockingConnectionPool.from_url(
            url,
            max_connections=MAX_CONNECTIONS,
            timeout=None,
            socket_connect_timeout=CONNECT_SECONDS,
            protocol=2,
        )
        # Whatever the URL says. redis-py's own timeout makes it call `asyncio.wait_for`, which before Python 3.12 may
        # lose the cancellation of a task; ours are around whole calls.
        pool.connection_kwargs.update(decode_responses=False, socket_timeout=None)
        pool.make_connection()  # type: ignore[no-untyped-call]  # an option that nobody knows shows only here
    except (ValueError, TypeError):
        raise StoreError(
            "FREEAICHAT_STORE: this is no URL of a Redis server; write redis://[[user]:password@]host[:port][/number]"
        ) from None
    return pool


def _encoded(value: Argument) -> bytes:
    if isinstance(value, bytes):
        return value
    return str(value).encode("utf-8", "surrogatepass")
