"""Keeping a port for processes that share it. Imports nothing heavy: supervisors do this."""

import errno
import socket
from collections.abc import Sequence
from contextlib import ExitStack


def hold(hosts: Sequence[str], port: int) -> ExitStack:
    """Keep *port* of every address of *hosts* for workers of this user that set SO_REUSEPORT, until closed.

    Nothing listens there by this. Raises OSError where somebody has the port, whether they share it or not.
    """
    found = [
        each
        for host in hosts
        for each in socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    ]
    with ExitStack() as held:
        for family, _, _, _, address in dict.fromkeys(found):
            try:
                held.enter_context(_held(family, address))
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    raise
                # An address that cannot be used at all is the workers' to tell.
        return held.pop_all()


def free(host: str) -> int:
    """A port of *host* that nobody has. Raises OSError."""
    family, _, _, _, address = socket.getaddrinfo(host or None, 0, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.bind(address)
        return int(probe.getsockname()[1])


def _held(family: socket.AddressFamily, address: tuple[object, ...]) -> socket.socket:
    """Bound as one that shares nothing, and opened to those that share only then: so two never both have it."""
    held = socket.socket(family, socket.SOCK_STREAM)
    try:
        if family == socket.AF_INET6:
            held.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # what earlier connections left is no obstacle,
        held.bind(address)
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)  # but nobody is to pass over this one
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    except OSError:
        held.close()
        raise
    return held
