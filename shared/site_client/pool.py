"""The pool of keep-alive connections to sites."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from time import monotonic, time

from yarl import URL

from shared.site_client import tls
from shared.site_client.bodies import Body
from shared.site_client.connecting import connect_to_proxy, open_connection, open_tunnel, proxy_refusal, wrap_socket
from shared.site_client.connection import Connection, Timeouts
from shared.site_client.errors import SiteTimeout, SiteUnreachable
from shared.site_client.http1 import Head, request_bytes
from shared.site_client.proxies import HttpProxy, proxy_for
from shared.urls import as_ascii

MAX_IDLE = 256  # connections kept for each site
IDLE_SECONDS = 30.0
STALE_SECONDS = 2.0  # by then a connection that was closed while nobody used it has shown it


class ConnectionPool:
    """A pool of keep-alive connections to all sites."""

    def __init__(self, *, connect_timeout: float) -> None:
        """*connect_timeout*: seconds for name look-up, connecting and TLS together."""
        self._connect_timeout = connect_timeout
        self._idle: dict[tuple[str, str, int], list[_PooledConnection]] = {}
        self._open: set[Connection] = set()
        self._proxies: dict[tuple[str, str, int], HttpProxy | None] = {}  # the environment stays as it is

    async def send(
        self, method: str, url: str, headers: Mapping[str, str], *, body: bytes | None = None, timeouts: Timeouts
    ) -> tuple[Head, Body, Connection]:
        """Send a request. Raises `SiteUnreachable`, and OSError where no connection can be made.

        A request on a kept connection that the other side closed at the same moment is retried on a new one. One that
        breaks later may have been processed, and paid for: retrying that is up to the caller.
        """
        address, question_mark, query = as_ascii(url).partition("?")
        parts = URL(address, encoded=True)  # of which yarl remembers the latest
        host = parts.host_port_subcomponent or ""
        is_repeat = False
        while True:
            connection = await self._connection(parts)
            connection.is_repeat = is_repeat
            proxy, target = connection.proxy, f"{parts.raw_path}{question_mark}{query}"
            if proxy is None:
                request = request_bytes(method, target, host, headers, body)
            else:
                request = request_bytes(method, f"http://{host}{target}", host, {**headers, **proxy.headers}, body)
            started = monotonic()
            try:
                head, answer = await connection.send(request, timeouts)
            except SiteTimeout:
                raise
            except SiteUnreachable:
                if connection.is_reused and monotonic() - started < STALE_SECONDS:
                    is_repeat = True
                    continue
                raise
            if proxy is not None and head.status == 407:
                connection.abort()
                raise proxy_refusal(proxy, 407)
            return head, answer, connection

    async def close(self) -> None:
        """Close all connections."""
        for connection in list(self._open):
            connection.abort()
        await asyncio.sleep(0)  # their transports end in the loop's next round

    async def _connection(self, url: URL) -> "_PooledConnection":
        key = (url.scheme, url.raw_host or "", url.port or 0)
        idle = self._idle.setdefault(key, [])
        while idle:
            connection = idle.pop()
            # By the clock too: the loop's stands still while the machine sleeps, and what it has lost then shows late.
            if connection.is_usable and time() < connection.kept_until:
                connection.is_reused = True
                return connection
        return await self._connect(key, idle)

    async def _connect(self, key: tuple[str, str, int], idle: "list[_PooledConnection]") -> "_PooledConnection":
        scheme, host, port = key
        if key not in self._proxies:
            self._proxies[key] = proxy_for(scheme, host, port)
        proxy = self._proxies[key]
        options = {"ssl": tls.context(), "server_hostname": host} if scheme == "https" else {}

        def factory() -> _PooledConnection:
            return _PooledConnection(self._open, idle, None if options else proxy)

        async with asyncio.timeout(self._connect_timeout):
            if proxy is None:
                return await open_connection(factory, host, port, **options)
            sock = await connect_to_proxy(proxy)
            try:
                if options:
                    await open_tunnel(sock, proxy, host, port)
                return await wrap_socket(sock, factory, **options)
            except BaseException:
                sock.close()
                raise


class _PooledConnection(Connection):
    """A connection that adds itself to the pool's lists, and removes itself when it is closed.

    Event loops create the object before they connect, and some never are.
    """

    __slots__ = ("_all", "_idle_list", "kept_until", "proxy")

    def __init__(
        self, open_connections: set[Connection], idle: "list[_PooledConnection]", proxy: HttpProxy | None
    ) -> None:
        """*proxy*: the forward proxy to which requests are sent; None for a direct connection or a tunnel."""
        super().__init__()
        self._all, self._idle_list, self.proxy = open_connections, idle, proxy
        self.kept_until = 0.0  # Unix seconds

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._all.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self._all.discard(self)
        with suppress(ValueError):
            self._idle_list.remove(self)

    def on_idle(self) -> None:
        """Put the connection back into the pool, unless that has `MAX_IDLE` already."""
        if len(self._idle_list) < MAX_IDLE:
            self.close_after(IDLE_SECONDS)
            self.kept_until = time() + IDLE_SECONDS
            self._idle_list.append(self)
        else:
            self.abort()
