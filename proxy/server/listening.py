"""Listening sockets, and closing them without losing a connection."""

import asyncio
import errno
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress

from shared.processes.ports import bind_addresses, bound

BACKLOG = 1024
UNAVAILABLE_ERRORS = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})  # of bind: no interface here has the address
UNREAD_SECONDS = 60.0  # a client that reads nothing for so long is gone


def is_unavailable(error: OSError) -> bool:
    """Whether the address, or its name, is not available now, as while the network is not up yet."""
    return error.errno in UNAVAILABLE_ERRORS or isinstance(error, socket.gaierror)


def open_sockets(hosts: Sequence[str], port: int, *, shares_port: bool = False) -> list[socket.socket]:
    """Open a listening socket for each address of *hosts*, all on one port. Raises `OSError`, also for a port in
    use.

    Addresses that this machine does not have are skipped, but for the first: it may have no IPv6. *shares_port*:
    further workers may listen on the same address (SO_REUSEPORT); the system distributes connections among them.
    """
    sockets: list[socket.socket] = []
    with ExitStack() as opened:
        for family, (host, _, *rest) in bind_addresses(hosts, port):
            address = (host, port or _port_of(sockets), *rest)
            try:
                listener = opened.enter_context(bound((family, address), shares_port=shares_port))
            except OSError as error:
                if not sockets or error.errno not in UNAVAILABLE_ERRORS:
                    raise
                continue
            listener.listen(BACKLOG)
            if sys.platform == "linux":  # handed down to the connections
                listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(UNREAD_SECONDS * 1000))
            listener.setblocking(False)
            sockets.append(listener)
        opened.pop_all()
    return sockets


def _port_of(sockets: Sequence[socket.socket]) -> int:
    """The port of the first of *sockets*; 0 if there is none."""
    return int(sockets[0].getsockname()[1]) if sockets else 0


def stop_listening(sockets: Sequence[socket.socket]) -> list[socket.socket]:
    """Stop listening, and return the connections that the system has established and nobody has accepted yet.

    The system resets connections that come between the last accept and the end of listening: these calls follow
    directly.
    """
    accepted = []
    for listener in sockets:
        try:
            while True:
                accepted.append(listener.accept()[0])
        except OSError:  # there is none any more
            with suppress(OSError):  # some systems end listening only when the socket is closed
                listener.shutdown(socket.SHUT_RD)
    for connection in accepted:
        connection.setblocking(False)
    return accepted


async def serve_accepted(connections: Sequence[socket.socket], protocol: Callable[[], asyncio.Protocol]) -> None:
    """Hand accepted *connections* to *protocol*."""
    loop = asyncio.get_running_loop()
    for connection in connections:
        with suppress(OSError):  # gone meanwhile
            await loop.connect_accepted_socket(protocol, connection)
