"""The sockets that the proxy listens on, and letting go of them without losing a connection."""

import asyncio
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress

from shared.settings import SHARES_PORTS

BACKLOG = 1024
UNREAD_SECONDS = 60.0  # a client that takes nothing for so long, though much waits for it, is gone


def open_sockets(host: str, port: int) -> list[socket.socket]:
    """A listening socket for each address of *host*. Raises OSError.

    On Linux further proxies may listen on the same address (SO_REUSEPORT): the system shares new connections out
    among them, so that one can take over from another.
    """
    found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    sockets: list[socket.socket] = []
    try:
        for family, _, _, _, address in dict.fromkeys(found):
            listener = socket.create_server(
                address[:2],  # host and port come first in every internet family
                family=family,
                backlog=BACKLOG,
                reuse_port=SHARES_PORTS,
            )
            if sys.platform == "linux":  # handed down to the connections
                listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(UNREAD_SECONDS * 1000))
            listener.setblocking(False)
            sockets.append(listener)
    except OSError:
        for listener in sockets:
            listener.close()
        raise
    return sockets


def stop_listening(sockets: Sequence[socket.socket]) -> list[socket.socket]:
    """Take no more connections, and return those that the system has made already and nobody has accepted yet.

    The system resets whatever comes between the last accept and the end of listening: nothing stands between them.
    """
    accepted = []
    for listener in sockets:
        try:
            while True:
                accepted.append(listener.accept()[0])
        except OSError:  # there is none any more
            listener.shutdown(socket.SHUT_RD)
    for connection in accepted:
        connection.setblocking(False)
    return accepted


async def serve_rest(connections: Sequence[socket.socket], protocol: Callable[[], asyncio.Protocol]) -> None:
    """Hand accepted *connections* to *protocol*."""
    loop = asyncio.get_running_loop()
    for connection in connections:
        with suppress(OSError):  # gone meanwhile
            await loop.connect_accepted_socket(protocol, connection)
