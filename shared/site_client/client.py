"""The client of sites and servers: moves bytes to and from one, and decides nothing.

Cookies go out exactly as they were captured, redirects are not followed, and every body that is read whole is bounded.
"""

from collections.abc import AsyncIterable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

from multidict import CIMultiDict

from shared import __version__
from shared.models import Credentials
from shared.plugins.requests import PluginRequest
from shared.site_client.bodies import Body
from shared.site_client.connection import Bounds, Connection
from shared.site_client.errors import SiteTimeout, SiteUnreachable, reason
from shared.site_client.http1 import Head
from shared.site_client.pool import Streams
from shared.site_client.proxies import BadProxy

MAX_REPLY_BYTES = 1024 * 1024  # the replies to what is posted are short JSON or an error page
MAX_PAGE_BYTES = 4 * 1024 * 1024  # what is got is a page, or all models of a server: 2 kB each where they are described
CONNECT_SECONDS = 15.0
_HEADERS = {"Accept": "*/*", "Accept-Encoding": "identity"}  # a compressed stream would arrive in lumps
OWN_USER_AGENT = f"freeaichat-2api/{__version__}"  # for credentials that were typed in without a User-Agent


_Asking = Coroutine[Any, Any, tuple[Head, Body, Connection]]


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer. `body` is cut at `MAX_REPLY_BYTES`, or at `MAX_PAGE_BYTES` where it was got."""

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


class SiteClient:
    """A pool of kept-alive connections. Use as an async context manager."""

    async def __aenter__(self) -> "SiteClient":
        self._streams = Streams(connect_timeout=CONNECT_SECONDS)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._streams.close()

    async def post(self, url: str, body: bytes, headers: Mapping[str, str], *, timeout: float) -> Reply:
        """Post *body* and read the whole answer within *timeout* seconds of its sending. Raises `SiteUnreachable`."""
        return await self._whole(url, headers, timeout, body, most=MAX_REPLY_BYTES)

    async def ask(self, guest: Credentials, request: PluginRequest, *, timeout: float) -> Reply:
        """Make *request* as the guest of these credentials. As `post`."""
        headers = {**visitor_headers(guest), **request.headers}
        return await self.post(request.url, request.body, headers, timeout=timeout)

    async def get(self, url: str, headers: Mapping[str, str], *, timeout: float) -> Reply:
        """Get *url* and read the whole answer within *timeout* seconds. Raises `SiteUnreachable`."""
        return await self._whole(url, headers, timeout, None, most=MAX_PAGE_BYTES)

    async def _whole(
        self, url: str, headers: Mapping[str, str], timeout: float, body: bytes | None, *, most: int
    ) -> Reply:
        with _translated():
            bounds = Bounds(timeout, timeout, is_for_all=True)
            head, answer, connection = await self._asking(url, headers, body, bounds)
            try:
                content = await read_bounded(answer, most)
            except BaseException:
                connection.drop(answer)
                raise
            connection.leave(answer)
        return Reply(head.status, _content_type(head), CIMultiDict(head.headers), content)

    def stream(
        self, url: str, headers: Mapping[str, str], *, idle_timeout: float, body: bytes | None = None
    ) -> "Stream":
        """Get *url*, or post *body* to it, and hand out the answer's body as it comes, in an `async with`; leaving it
        drops the connection, or keeps it for the next stream if the body's end comes in a moment.

        *idle_timeout* bounds the wait for each piece, in seconds. Raises `SiteUnreachable`, while reading too.
        """
        bounds = Bounds(idle_timeout, CONNECT_SECONDS + idle_timeout)  # a head that drips in is no sign of life
        return Stream(self._asking(url, headers, body, bounds))

    def _asking(self, url: str, headers: Mapping[str, str], body: bytes | None, bounds: Bounds) -> _Asking:
        method = "GET" if body is None else "POST"
        return self._streams.ask(method, url, {**_HEADERS, **headers}, body=body, bounds=bounds)


class Stream:
    """One answer as it comes. (As a generator it would cost several times as much to begin.)"""

    __slots__ = ("_asking", "_body", "_connection")

    def __init__(self, asking: _Asking) -> None:
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


async def read_bounded(pieces: AsyncIterable[bytes], most: int = MAX_REPLY_BYTES) -> bytes:
    """All of *pieces*, cut at *most* bytes."""
    content = bytearray()
    async for piece in pieces:
        content += piece
        if len(content) >= most:
            break
    return bytes(content[:most])


def _content_type(head: Head) -> str:
    return head.headers.get("content-type", "").partition(";")[0].strip().lower()


class _translated:  # noqa: N801  (reads as a word in a with statement)
    """Turns the many exceptions of connecting into our two. The texts hold no URL: it may carry a nonce."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        if isinstance(error, SiteUnreachable):
            return
        if isinstance(error, TimeoutError):
            raise SiteTimeout("no answer came in time") from error
        if isinstance(error, OSError):
            raise SiteUnreachable(f"cannot connect ({reason(error)})") from error
        if isinstance(error, BadProxy):
            raise SiteUnreachable(str(error)) from error
        if isinstance(error, ValueError | OverflowError):  # a name or a port that cannot be one, a line break
            raise SiteUnreachable(f"its address cannot be asked ({type(error).__name__})") from error
