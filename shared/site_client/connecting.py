"""Connecting to a site: Happy Eyeballs (RFC 8305), and tunnels through an HTTP proxy."""

import asyncio
import socket
from collections.abc import Callable
from typing import Any, TypeVar

import aiohappyeyeballs

from shared.site_client.errors import SiteUnreachable, reason
from shared.site_client.http1 import MAX_HEAD_BYTES, BadResponse, parse_head, request_bytes
from shared.site_client.proxies import HttpProxy

NEXT_ADDRESS_SECONDS = 0.25  # after which the next address is tried as well

P = TypeVar("P", bound=asyncio.Protocol)


async def open_connection(factory: Callable[[], P], host: str, port: int, **tls: Any) -> P:
    """Connect the protocol that *factory* creates to the first address of *host* that answers. Raises OSError.

    *tls*: `ssl` and `server_hostname` of `create_connection`.
    """
    loop = asyncio.get_running_loop()
    addresses = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    if len(addresses) == 1:  # there is nothing to race: the event loop connects by itself, in a quarter of the time
        try:
            return (await loop.create_connection(factory, *addresses[0][4][:2], **tls))[1]
        except RuntimeError as error:  # uvloop's word for a connect that failed in an uncommon way
            raise OSError(str(error)) from error
    return await wrap_socket(await _connect_any(addresses), factory, **tls)


async def wrap_socket(sock: socket.socket, factory: Callable[[], P], **tls: Any) -> P:
    """Run the protocol that *factory* creates on a connected socket. Raises OSError, and closes the socket."""
    try:
        return (await asyncio.get_running_loop().create_connection(factory, sock=sock, **tls))[1]
    except BaseException:
        sock.close()
        raise


async def connect(host: str, port: int) -> socket.socket:
    """A socket connected to the first address of *host* that answers. Raises OSError."""
    return await _connect_any(await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM))


async def _connect_any(addresses: list[Any]) -> socket.socket:
    """A socket connected to the first of the `getaddrinfo` results *addresses* that answers. Raises OSError."""
    try:
        sock = await aiohappyeyeballs.start_connection(
            addresses, happy_eyeballs_delay=NEXT_ADDRESS_SECONDS, interleave=1
        )
    except RuntimeError as error:
        raise OSError(str(error)) from error
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


async def connect_to_proxy(proxy: HttpProxy) -> socket.socket:
    """As `connect`. Raises `SiteUnreachable`."""
    try:
        return await connect(proxy.host, proxy.port)
    except TimeoutError:
        raise
    except OSError as error:
        raise SiteUnreachable(f"cannot connect to the HTTP proxy {proxy} ({reason(error)})") from error


async def open_tunnel(sock: socket.socket, proxy: HttpProxy, host: str, port: int) -> None:
    """Send CONNECT over the socket *sock* to *proxy*. Raises `SiteUnreachable` and OSError."""
    target = f"{f'[{host}]' if ':' in host else host}:{port}"
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(sock, request_bytes("CONNECT", target, target, proxy.headers))
    received = b""
    while (end := received.find(b"\r\n\r\n")) < 0:
        data = await loop.sock_recv(sock, 4096)
        if not data or len(received) > MAX_HEAD_BYTES:
            raise SiteUnreachable(f"the HTTP proxy {proxy} gave no answer")
        received += data
    try:
        status = parse_head(received[:end]).status
    except BadResponse as error:
        raise SiteUnreachable(f"the HTTP proxy {proxy} answered with what is no HTTP") from error
    if status // 100 != 2:
        raise proxy_refusal(proxy, status)
    if len(received) > end + 4:  # in TLS the client speaks first
        raise SiteUnreachable(f"the HTTP proxy {proxy} sent what does not belong there")


def proxy_refusal(proxy: HttpProxy, status: int) -> SiteUnreachable:
    """The error for a *proxy* that refuses with *status*."""
    reason_text = "it wants a user and a password, or others: HTTP 407" if status == 407 else f"HTTP {status}"
    return SiteUnreachable(f"the HTTP proxy {proxy} refuses the way to the site ({reason_text})")
