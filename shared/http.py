"""The client of the sites: moves bytes to and from one, and decides nothing.

With shared/download.py the only place that uses aiohttp's client.

Cookies go out exactly as they were captured (aiohttp's own jar would quote them anew), redirects are not followed,
and every body that is read whole is bounded.
"""

import asyncio
import io
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from urllib.parse import urlencode

import aiohttp
from yarl import URL

from shared import __version__
from shared.models import Credentials

MAX_REPLY_BYTES = 1024 * 1024  # the replies that are read whole are short JSON or an error page
CONNECT_SECONDS = 15.0
LINGER_SECONDS = 0.1
LARGE_BODY_BYTES = 1024 * 1024  # a larger body is written piece by piece, so that it does not block the loop
OWN_USER_AGENT = f"freeaichat-2api/{__version__}"  # for credentials that were typed in without a User-Agent


class SiteUnreachable(Exception):
    """No answer came: refused, reset, name not found, TLS failure."""


class SiteTimeout(SiteUnreachable):
    """No answer came in time."""


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
    body: AsyncIterator[bytes]


def visitor_headers(credentials: Credentials) -> dict[str, str]:
    """The headers that make a request part of the captured visit: its Cookie and User-Agent."""
    headers = {"User-Agent": credentials.user_agent or OWN_USER_AGENT}
    if credentials.cookie:
        headers["Cookie"] = credentials.cookie
    return headers


def form_body(fields: Mapping[str, str]) -> tuple[str, bytes]:
    """Content type and body of an urlencoded form."""
    return "application/x-www-form-urlencoded", urlencode(fields).encode()


class SiteClient:
    """A pool of kept-alive connections. Use as an async context manager."""

    def __init__(self, *, limit: int = 0) -> None:
        """*limit*: connections open at once, 0 for no limit of its own."""
        self._limit = limit
        self._session: aiohttp.ClientSession

    async def __aenter__(self) -> "SiteClient":
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._limit, keepalive_timeout=30),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"Accept-Encoding": "identity"},  # a compressed event stream would arrive in lumps
            auto_decompress=False,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def post(self, url: str, body: bytes, headers: Mapping[str, str], *, timeout: float) -> Reply:
        """Post *body* and read the whole answer within *timeout* seconds. Raises `SiteUnreachable`."""
        return await self._whole("POST", url, body, headers, timeout)

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
                content = await _read_bounded(answer)
                return Reply(answer.status, answer.content_type, answer.headers, content)

    @asynccontextmanager
    async def stream(self, url: str, headers: Mapping[str, str], *, idle_timeout: float) -> AsyncIterator[StreamReply]:
        """Get *url* and hand out the body as it comes; leaving the context drops the connection.

        *idle_timeout* bounds the wait for each piece, in seconds. Raises `SiteUnreachable`, while reading too.
        """
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=idle_timeout)
        with _translated():
            answer = await self._session.get(
                URL(url, encoded=True), headers=headers, allow_redirects=False, timeout=timeout
            )
        try:
            yield StreamReply(answer.status, answer.content_type, answer.headers, _pieces(answer))
            await _read_to_end(answer)
        finally:
            answer.close()  # does nothing to a connection that went back to the pool


def _payload(body: bytes | None) -> bytes | io.BytesIO | None:
    return io.BytesIO(body) if body and len(body) >= LARGE_BODY_BYTES else body


async def _read_to_end(answer: aiohttp.ClientResponse) -> None:
    """Let the last bytes of the framing come in, so that the connection can be kept; not longer than a moment."""
    with suppress(TimeoutError, aiohttp.ClientError):
        async with asyncio.timeout(LINGER_SECONDS):
            while await answer.content.readany():
                pass


async def _read_bounded(answer: aiohttp.ClientResponse) -> bytes:
    content = bytearray()
    async for piece in answer.content.iter_any():
        content += piece
        if len(content) >= MAX_REPLY_BYTES:
            answer.close()
            break
    return bytes(content[:MAX_REPLY_BYTES])


async def _pieces(answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    with _translated():
        async for piece in answer.content.iter_any():
            yield piece


class _translated:  # noqa: N801  (reads as a word in a with statement)
    """Turns aiohttp's many exceptions into our two. The texts hold no URL: it may carry a nonce."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        if isinstance(error, TimeoutError):
            raise SiteTimeout("the site did not answer in time") from error
        if isinstance(error, aiohttp.ClientError | OSError):
            raise SiteUnreachable(_reason(error)) from error


def _reason(error: BaseException) -> str:
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"cannot connect to {error.host}:{error.port} ({error.os_error.strerror or error.os_error})"
    return f"the connection to the site broke ({type(error).__name__})"
