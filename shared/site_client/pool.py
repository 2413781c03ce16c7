"""Connections for a turn's requests, made when they are needed and kept for the next request to the same site."""

import asyncio
import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache

from yarl import URL

from shared.site_client.bodies import Body
from shared.site_client.connection import Bounds, Connection
from shared.site_client.errors import SiteTimeout, SiteUnreachable
from shared.site_client.http1 import Head, request_bytes

MAX_IDLE = 256  # connections kept for each site
IDLE_SECONDS = 30.0


class Streams:
    """Connections to all sites, kept for the next request."""

    def __init__(self, *, connect_timeout: float) -> None:
        """*connect_timeout*: seconds for name look-up, connecting and TLS together."""
        self._connect_timeout = connect_timeout
        self._idle: dict[tuple[str, str, int], list[Connection]] = {}
        self._open: set[Connection] = set()

    async def ask(
        self, method: str, url: str, headers: Mapping[str, str], *, body: bytes | None = None, bounds: Bounds
    ) -> tuple[Head, Body, Connection]:
        """Send a request. Raises `SiteUnreachable`, and OSError where no connection can be made.

        A kept connection that the other side closed at the same moment is tried again on a fresh one.
        """
        address, mark, query = url.partition("?")
        parts = URL(address, encoded=True)  # of which yarl remembers the latest
        host = parts.host_port_subcomponent or ""
        request = request_bytes(method, f"{parts.raw_path}{mark}{query}", host, headers, body)
        is_repeat = False
        while True:
            connection = await self._connection(parts)
            connection.is_repeat = is_repeat
            try:
                head, answer = await connection.ask(request, bounds)
            except SiteTimeout:
                raise
            except SiteUnreachable:
                if connection.is_reused:
                    is_repeat = True
                    continue
                raise
            return head, answer, connection

    async def close(self) -> None:
        """Drop all connections."""
        for connection in list(self._open):
            connection.abort()
        await asyncio.sleep(0)  # their transports end in the loop's next round

    async def _connection(self, url: URL) -> Connection:
        key = (url.scheme, url.raw_host or "", url.port or 0)
        idle = self._idle.setdefault(key, [])
        while idle:
            connection = idle.pop()
            if connection.is_usable:
                connection.is_reused = True
                return connection
        return await self._connect(key)

    async def _connect(self, key: tuple[str, str, int]) -> Connection:
        scheme, host, port = key

        def keep(connection: Connection) -> None:
            idle = self._idle.setdefault(key, [])
            if len(idle) < MAX_IDLE:
                connection.rest(IDLE_SECONDS)
                idle.append(connection)
            else:
                connection.abort()

        async with asyncio.timeout(self._connect_timeout):
            _, connection = await asyncio.get_running_loop().create_connection(
                lambda: _Counted(keep, self._open, self._idle.setdefault(key, [])),
                host,
                port,
                ssl=_tls() if scheme == "https" else None,
            )
        return connection


@cache
def _tls() -> ssl.SSLContext:
    """Reading the system's certificates takes some 20 ms; they serve for the whole process."""
    return ssl.create_default_context()


class _Counted(Connection):
    """A connection that knows where it is listed, and leaves those lists when it is gone."""

    __slots__ = ("_everything", "_idle_list")

    def __init__(self, free: Callable[[Connection], None], everything: set[Connection], idle: list[Connection]) -> None:
        super().__init__(free)
        self._everything, self._idle_list = everything, idle
        everything.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self._everything.discard(self)
        with suppress(ValueError):
            self._idle_list.remove(self)
