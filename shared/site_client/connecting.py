"""Sockets to a site: a name with several addresses (RFC 8305), and the way through an HTTP proxy."""

import asyncio
import socket
from collections.abc import Callable
from typing import Any, TypeVar

import aiohappyeyeballs

from shared.site_client.errors import SiteUnreachable, reason
from shared.site_client.http1 import MAX_HEAD_BYTES, BadResponse, parse_head, request_bytes
from shared.site_client.proxies import HttpProxy

NEXT_ADDRESS_SECONDS = 0.25  # an address that has not answered by then gets company

P = TypeVar("P", bound=asyncio.Protocol)


async def open_connection(make: Callable[[], P], host: str, port: int, **tls: Any) -> P:
    """The protocol that *make* makes, connected to the first address of *host* that answers. Raises OSError.

    *tls*: `ssl` and `server_hostname` of `create_connection`.
    """
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    if len(found) == 1:  # there is nothing to race: the event loop connects by itself, in a quarter of the time
        try:
            return (await loop.create_connection(make, *found[0][4][:2], **tls))[1]
        except RuntimeError as error:  # uvloop's word for a connect that failed in an uncommon way
            raise OSError(str(error)) from error
    return await take_over(await _first(found), make, **tls)


async def take_over(made: socket.socket, make: Callable[[], P], **tls: Any) -> P:
    """The protocol that *make* makes, on a socket that is connected. Raises OSError, and closes it."""
    try:
        return (await asyncio.get_running_loop().create_connection(make, sock=made, **tls))[1]
    except BaseException:
        made.close()
        raise


async def connect(host: str, port: int) -> socket.socket:
    """Connected to the first address of *host* that answers. Raises OSError."""
    return await _first(await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM))


async def _first(found: list[Any]) -> socket.socket:
    """Connected to the first that answers of the addresses *found*, in the form of `getaddrinfo`. Raises OSError."""
    try:
        made = await aiohappyeyeballs.start_connection(found, happy_eyeballs_delay=NEXT_ADDRESS_SECONDS, interleave=1)
    except RuntimeError as error:
        raise OSError(str(error)) from error
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


async def connect_to_proxy(proxy: HttpProxy) -> socket.socket:
    """As `connect`. Raises `SiteUnreachable`."""
    try:
        return await connect(proxy.host, proxy.port)
    except TimeoutError:
        raise
    except OSError as error:
        raise SiteUnreachable(f"cannot connect to the HTTP proxy {proxy} ({reason(error)})") from error


async def open_tunnel(through: socket.socket, proxy: HttpProxy, host: str, port: int) -> None:
    """Have *proxy* connect what is sent *through* with *host*. Raises `SiteUnreachable` and OSError."""
    target = f"{f'[{host}]' if ':' in host else host}:{port}"
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(through, request_bytes("CONNECT", target, target, proxy.headers))
    received = b""
    while (end := received.find(b"\r\n\r\n")) < 0:
        piece = await loop.sock_recv(through, 4096)
        if not piece or len(received) > MAX_HEAD_BYTES:
            raise SiteUnreachable(f"the HTTP proxy {proxy} gave no answer")
        received += piece
    try:
        status = parse_head(received[:end]).status
    except BadResponse as error:
        raise SiteUnreachable(f"the HTTP proxy {proxy} answered with what is no HTTP") from error
    if status // 100 != 2:
        raise refused(proxy, status)
    if len(received) > end + 4:  # in TLS the client speaks first
        raise SiteUnreachable(f"the HTTP proxy {proxy} sent what does not belong there")


def refused(proxy: HttpProxy, status: int) -> SiteUnreachable:
    """*proxy* does not let us through."""
    why = "it wants a user and a password, or others: HTTP 407" if status == 407 else f"HTTP {status}"
    return SiteUnreachable(f"the HTTP proxy {proxy} refuses the way to the site ({why})")
