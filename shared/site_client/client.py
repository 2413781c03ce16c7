"""The HTTP client of sites and servers.

Cookies go out exactly as they were captured, redirects are not followed, and every body that is read whole is bounded.
"""

import asyncio
from collections.abc import AsyncIterable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from multidict import CIMultiDict

from shared import __version__
from shared.models import Credentials
from shared.plugins.requests import PluginRequest
from shared.site_client.bodies import Body
from shared.site_client.connection import Connection, Timeouts
from shared.site_client.errors import SiteTimeout, SiteUnreachable, reason
from shared.site_client.http1 import Head
from shared.site_client.pool import ConnectionPool
from shared.site_client.proxies import InvalidProxy

MAX_REPLY_BYTES = 1024 * 1024  # the answer to a POST is short JSON or an error page
MAX_PAGE_BYTES = 4 * 1024 * 1024  # a GET brings a page, or all models of a server: up to 2 kB each
CONNECT_SECONDS = 15.0
ERROR_SECONDS = 5.0  # for the body of an error
_HEADERS = {"Accept": "*/*", "Accept-Encoding": "identity"}  # a compressed stream would arrive in lumps
USER_AGENT = f"freeaichat-2api/{__version__}"  # for credentials that were typed in without a User-Agent


_PendingResponse = Coroutine[Any, Any, tuple[Head, Body, Connection]]


@dataclass(frozen=True, slots=True)
class Response:
    """A response with its body, which is cut at `MAX_REPLY_BYTES`, or at `MAX_PAGE_BYTES` for a GET."""

    status: int
    content_type: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class StreamResponse:
    """A response whose body is still to be read."""

    status: int
    content_type: str
    headers: Mapping[str, str]
    body: Body
    is_repeat: bool  # it was sent before, on a kept connection that broke; the site may have processed that


def guest_headers(credentials: Credentials) -> dict[str, str]:
    """The headers that make a request part of the captured visit: its Cookie and User-Agent."""
    headers = {"User-Agent": credentials.user_agent or USER_AGENT}
    if credentials.cookie:
        headers["Cookie"] = credentials.cookie
    return headers


class SiteClient:
    """A pool of kept-alive connections. Use as an async context manager."""

    async def __aenter__(self) -> "SiteClient":
        self._pool = ConnectionPool(connect_timeout=CONNECT_SECONDS)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._pool.close()

    async def post(self, url: str, body: bytes, headers: Mapping[str, str], *, timeout: float) -> Response:
        """Post *body* and read the whole response within *timeout* seconds. Raises `SiteUnreachable`."""
        return await self._read_all(url, headers, body, timeout)

    async def ask(self, guest: Credentials, request: PluginRequest, *, timeout: float) -> Response:
        """Send *request* with the cookie and User-Agent of *guest*. As `post`."""
        headers = {**guest_headers(guest), **request.headers}
        return await self.post(request.url, request.body, headers, timeout=timeout)

    async def get(self, url: str, headers: Mapping[str, str], *, timeout: float) -> Response:
        """Get *url* and read the whole response within *timeout* seconds. Raises `SiteUnreachable`."""
        return await self._read_all(url, headers, None, timeout)

    async def _read_all(self, url: str, headers: Mapping[str, str], body: bytes | None, timeout: float) -> Response:
        max_bytes = MAX_PAGE_BYTES if body is None else MAX_REPLY_BYTES
        with _mapped_errors():
            timeouts = Timeouts(timeout, timeout, is_for_all=True)
            head, response_body, connection = await self._send(url, headers, body, timeouts)
            try:
                content = await read_bounded(response_body, max_bytes)
            except BaseException:
                connection.drop(response_body)
                raise
            connection.release(response_body)
        return Response(head.status, _content_type(head), CIMultiDict(head.headers), content)

    def stream(
        self, url: str, headers: Mapping[str, str], *, idle_timeout: float, body: bytes | None = None
    ) -> "StreamContext":
        """Get *url*, or post *body* to it, and stream the response in an `async with`; leaving that closes the
        connection, or keeps it for the next stream if the end of the body arrives in a moment.

        *idle_timeout* bounds the wait for each chunk, in seconds. Raises `SiteUnreachable`, while reading too.
        """
        timeouts = Timeouts(idle_timeout, CONNECT_SECONDS + idle_timeout)  # a head that drips in does not extend it
        return StreamContext(self._send(url, headers, body, timeouts))

    def _send(self, url: str, headers: Mapping[str, str], body: bytes | None, timeouts: Timeouts) -> _PendingResponse:
        method = "GET" if body is None else "POST"
        return self._pool.send(method, url, {**_HEADERS, **headers}, body=body, timeouts=timeouts)


class StreamContext:
    """Context manager of a streamed response. (As a generator it would cost several times as much.)"""

    __slots__ = ("_body", "_connection", "_pending")

    def __init__(self, pending: _PendingResponse) -> None:
        self._pending = pending
        self._body: Body
        self._connection: Connection

    async def __aenter__(self) -> StreamResponse:
        with _mapped_errors():
            head, self._body, self._connection = await self._pending
        return StreamResponse(
            head.status, _content_type(head), CIMultiDict(head.headers), self._body, self._connection.is_repeat
        )

    async def __aexit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if error is None:
            self._connection.release(self._body)
        else:
            self._connection.drop(self._body)


async def read_bounded(chunks: AsyncIterable[bytes], max_bytes: int) -> bytes:
    """Join *chunks*, cut at *max_bytes* bytes."""
    content = bytearray()
    async for chunk in chunks:
        content += chunk
        if len(content) >= max_bytes:
            break
    return bytes(content[:max_bytes])


async def read_error(body: AsyncIterable[bytes]) -> bytes:
    """What comes of *body* in `ERROR_SECONDS`, cut at `MAX_REPLY_BYTES` bytes; it may break off or never end."""
    content = bytearray()
    with suppress(SiteUnreachable, TimeoutError):
        async with asyncio.timeout(ERROR_SECONDS):
            async for chunk in body:
                content += chunk
                if len(content) >= MAX_REPLY_BYTES:
                    break
    return bytes(content[:MAX_REPLY_BYTES])


def _content_type(head: Head) -> str:
    return head.headers.get("content-type", "").partition(";")[0].strip().lower()


class _mapped_errors:  # noqa: N801  (reads as a word in a with statement)
    """Maps exceptions of connecting to `SiteUnreachable`. The texts hold no URL: it may carry a nonce."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        if isinstance(error, SiteUnreachable):
            return
        if isinstance(error, TimeoutError):
            raise SiteTimeout("no answer came in time") from error
        if isinstance(error, OSError):
            raise SiteUnreachable(f"cannot connect ({reason(error)})") from error
        if isinstance(error, InvalidProxy):
            raise SiteUnreachable(str(error)) from error
        if isinstance(error, ValueError | OverflowError):  # a name or a port that cannot be one, a line break
            raise SiteUnreachable(f"its address cannot be asked ({type(error).__name__})") from error
