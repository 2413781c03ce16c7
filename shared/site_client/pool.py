"""Connections for a turn's requests, made when they are needed and kept for the next request to the same site."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from time import monotonic

from yarl import URL

from shared.parsing import as_ascii
from shared.site_client import tls
from shared.site_client.bodies import Body
from shared.site_client.connecting import connect_to_proxy, open_connection, open_tunnel, refused, take_over
from shared.site_client.connection import Bounds, Connection
from shared.site_client.errors import SiteTimeout, SiteUnreachable
from shared.site_client.http1 import Head, request_bytes
from shared.site_client.proxies import HttpProxy, proxy_for

MAX_IDLE = 256  # connections kept for each site
IDLE_SECONDS = 30.0
STALE_SECONDS = 2.0  # by then a connection that was closed while nobody used it has shown it


class Streams:
    """Connections to all sites, kept for the next request."""

    def __init__(self, *, connect_timeout: float) -> None:
        """*connect_timeout*: seconds for name look-up, connecting and TLS together."""
        self._connect_timeout = connect_timeout
        self._idle: dict[tuple[str, str, int], list[_Pooled]] = {}
        self._open: set[Connection] = set()
        self._proxies: dict[tuple[str, str, int], HttpProxy | None] = {}  # the environment stays as it is

    async def ask(
        self, method: str, url: str, headers: Mapping[str, str], *, body: bytes | None = None, bounds: Bounds
    ) -> tuple[Head, Body, Connection]:
        """Send a request. Raises `SiteUnreachable`, and OSError where no connection can be made.

        A kept connection that the other side closed at the same moment is tried again on a fresh one. One that breaks
        later may have been heard, and what was asked may be paid for: that is for the caller to repeat.
        """
        address, mark, query = as_ascii(url).partition("?")
        parts = URL(address, encoded=True)  # of which yarl remembers the latest
        host = parts.host_port_subcomponent or ""
        is_repeat = False
        while True:
            connection = await self._connection(parts)
            connection.is_repeat = is_repeat
            proxy, target = connection.proxy, f"{parts.raw_path}{mark}{query}"
            if proxy is None:
                request = request_bytes(method, target, host, headers, body)
            else:
                request = request_bytes(method, f"http://{host}{target}", host, {**headers, **proxy.headers}, body)
            begun = monotonic()
            try:
                head, answer = await connection.ask(request, bounds)
            except SiteTimeout:
                raise
            except SiteUnreachable:
                if connection.is_reused and monotonic() - begun < STALE_SECONDS:
                    is_repeat = True
                    continue
                raise
            if proxy is not None and head.status == 407:
                connection.abort()
                raise refused(proxy, 407)
            return head, answer, connection

    async def close(self) -> None:
        """Drop all connections."""
        for connection in list(self._open):
            connection.abort()
        await asyncio.sleep(0)  # their transports end in the loop's next round

    async def _connection(self, url: URL) -> "_Pooled":
        key = (url.scheme, url.raw_host or "", url.port or 0)
        idle = self._idle.setdefault(key, [])
        while idle:
            connection = idle.pop()
            if connection.is_usable:
                connection.is_reused = True
                return connection
        return await self._connect(key)

    async def _connect(self, key: tuple[str, str, int]) -> "_Pooled":
        scheme, host, port = key
        idle = self._idle.setdefault(key, [])
        if key not in self._proxies:
            self._proxies[key] = proxy_for(scheme, host, port)
        proxy = self._proxies[key]
        options = {"ssl": tls.context(), "server_hostname": host} if scheme == "https" else {}

        def make() -> _Pooled:
            return _Pooled(self._open, idle, None if options else proxy)

        async with asyncio.timeout(self._connect_timeout):
            if proxy is None:
                return await open_connection(make, host, port, **options)
            through = await connect_to_proxy(proxy)
            try:
                if options:
                    await open_tunnel(through, proxy, host, port)
                return await take_over(through, make, **options)
            except BaseException:
                through.close()
                raise


class _Pooled(Connection):
    """A connection that is listed from when it is made until it is gone, and knows where.

    Event loops make the object before they connect, and some of it never is.
    """

    __slots__ = ("_everything", "_idle_list", "proxy")

    def __init__(self, everything: set[Connection], idle: "list[_Pooled]", proxy: HttpProxy | None) -> None:
        """*proxy*: the one that gets the requests, and hands them on."""
        super().__init__()
        self._everything, self._idle_list, self.proxy = everything, idle, proxy

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._everything.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self._everything.discard(self)
        with suppress(ValueError):
            self._idle_list.remove(self)

    def keep(self) -> None:
        """Wait for the next request to the same site, where not too many wait already."""
        if len(self._idle_list) < MAX_IDLE:
            self.end_in(IDLE_SECONDS)
            self._idle_list.append(self)
        else:
            self.abort()
