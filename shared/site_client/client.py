"""The client of the sites: moves bytes to and from one, and decides nothing.

With proxy/api/images/download.py the only place that uses aiohttp's client.

Cookies go out exactly as they were captured (aiohttp's own jar would quote them anew), redirects are not followed,
and every body that is read whole is bounded.
"""

import io
from collections.abc import AsyncIterable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from shared import __version__
from shared.models import Credentials
from shared.site_client.bodies import Body
from shared.site_client.connection import Bounds, Connection
from shared.site_client.errors import SiteTimeout, SiteUnreachable
from shared.site_client.http1 import Head
from shared.site_client.pool import Streams

MAX_REPLY_BYTES = 1024 * 1024  # the replies that are read whole are short JSON or an error page
CONNECT_SECONDS = 15.0
LARGE_BODY_BYTES = 1024 * 1024  # a larger body is written piece by piece, so that it does not block the loop
_HEADERS = {"Accept": "*/*", "Accept-Encoding": "identity"}  # a compressed stream would arrive in lumps
OWN_USER_AGENT = f"freeaichat-2api/{__version__}"  # for credentials that were typed in without a User-Agent


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer. `body` is cut at `MAX_REPLY_BYTES`."""

    status: int
    content_type: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class StreamReply:
    """The head of an answer whose body is still to come."""

    status: int
    content_type: str
    headers: Mapping[str, str]
    body: Body
    is_repeat: bool  # it was asked for before, on a kept connection that broke: that may have been heard


def visitor_headers(credentials: Credentials) -> dict[str, str]:
    """The headers that make a request part of the captured visit: its Cookie and User-Agent."""
    headers = {"User-Agent": credentials.user_agent or OWN_USER_AGENT}
    if credentials.cookie:
        headers["Cookie"] = credentials.cookie
    return headers


def form_body(fields: Mapping[str, str]) -> tuple[str, bytes]:
    """Content type and body of an urlencoded form."""
    return "application/x-www-form-urlencoded", urlencode(fields).encode()


def form_post(credentials: Credentials, fields: Mapping[str, str]) -> tuple[str, bytes, dict[str, str]]:
    """Address, body and headers of a form that the captured visit posts: what `SiteClient.post` takes."""
    content_type, body = form_body(fields)
    return credentials.ajax_url, body, {**visitor_headers(credentials), "Content-Type": content_type}


class SiteClient:
    """A pool of kept-alive connections. Use as an async context manager."""

    def __init__(self, *, limit: int = 0) -> None:
        """*limit*: connections open at once, 0 for no limit of its own."""
        self._limit = limit
        self._session: aiohttp.ClientSession
        self._streams: Streams

    async def __aenter__(self) -> "SiteClient":
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._limit, keepalive_timeout=30),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"Accept-Encoding": "identity"},  # a compressed event stream would arrive in lumps
            auto_decompress=False,
        )
        self._streams = Streams(connect_timeout=CONNECT_SECONDS)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._streams.close()
        await self._session.close()

    async def post(self, url: str, body: bytes, headers: Mapping[str, str], *, timeout: float) -> Reply:
        """Post *body* and read the whole answer within *timeout* seconds of its sending. Raises `SiteUnreachable`."""
        if len(body) >= LARGE_BODY_BYTES:
            return await self._whole("POST", url, body, headers, timeout)
        with _translated():
            head, answer, connection = await self._streams.ask(
                "POST", url, {**_HEADERS, **headers}, body=body, bounds=Bounds(timeout, timeout, is_for_all=True)
            )
            try:
                content = await _read_bounded(answer)
            except BaseException:
                connection.drop(answer)
                raise
            connection.leave(answer)
        return Reply(head.status, _content_type(head), CIMultiDict(head.headers), content)

    async def get(self, url: str, headers: Mapping[str, str], *, timeout: float) -> Reply:
        """Get *url* and read the whole answer within *timeout* seconds. Raises `SiteUnreachable`."""
        return await self._whole("GET", url, None, headers, timeout)

    async def _whole(
        self, method: str, url: str, body: bytes | None, headers: Mapping[str, str], timeout: float
    ) -> Reply:
        with _translated():
            async with self._session.request(
                method,
                URL(url, encoded=True),
                data=_payload(body),
                headers=headers,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=timeout, sock_connect=CONNECT_SECONDS),
            ) as answer:
                content = await _read_bounded(answer.content.iter_any())
                return Reply(answer.status, answer.content_type, answer.headers, content)

    def stream(self, url: str, headers: Mapping[str, str], *, idle_timeout: float) -> "Stream":
        """Get *url* and hand out the body as it comes, in an `async with`; leaving it drops the connection, or keeps it
        for the next stream if the body's end comes in a moment.

        *idle_timeout* bounds the wait for each piece, in seconds. Raises `SiteUnreachable`, while reading too.
        """
        bounds = Bounds(idle_timeout, CONNECT_SECONDS + idle_timeout)  # a head that drips in is no sign of life
        return Stream(self._streams.ask("GET", url, {**_HEADERS, **headers}, bounds=bounds))


class Stream:
    """One answer as it comes. (As a generator it would cost several times as much to begin.)"""

    __slots__ = ("_asking", "_body", "_connection")

    def __init__(self, asking: Coroutine[Any, Any, tuple[Head, Body, Connection]]) -> None:
        self._asking = asking
        self._body: Body
        self._connection: Connection

    async def __aenter__(self) -> StreamReply:
        with _translated():
            head, self._body, self._connection = await self._asking
        return StreamReply(
            head.status, _content_type(head), CIMultiDict(head.headers), self._body, self._connection.is_repeat
        )

    async def __aexit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if error is None:
            self._connection.leave(self._body)
        else:
            self._connection.drop(self._body)


def _payload(body: bytes | None) -> bytes | io.BytesIO | None:
    return io.BytesIO(body) if body and len(body) >= LARGE_BODY_BYTES else body


async def _read_bounded(pieces: AsyncIterable[bytes]) -> bytes:
    content = bytearray()
    async for piece in pieces:
        content += piece
        if len(content) >= MAX_REPLY_BYTES:
            break
    return bytes(content[:MAX_REPLY_BYTES])


def _content_type(head: Head) -> str:
    return head.headers.get("content-type", "").partition(";")[0].strip().lower()


class _translated:  # noqa: N801  (reads as a word in a with statement)
    """Turns aiohttp's many exceptions into our two. The texts hold no URL: it may carry a nonce."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        if isinstance(error, SiteUnreachable):
            return
        if isinstance(error, TimeoutError):
            raise SiteTimeout("the site did not answer in time") from error
        if isinstance(error, aiohttp.ClientError | OSError):
            raise SiteUnreachable(_reason(error)) from error


def _reason(error: BaseException) -> str:
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"cannot connect to {error.host}:{error.port} ({error.os_error.strerror or error.os_error})"
    if isinstance(error, OSError) and not isinstance(error, aiohttp.ClientError):
        return f"cannot connect to the site ({error.strerror or type(error).__name__})"
    return f"the connection to the site broke ({type(error).__name__})"
