"""Binding, probing, finding and reserving ports. Imports nothing heavy, since supervisors use it."""

import errno
import socket
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

_BindAddress = tuple[socket.AddressFamily, tuple[Any, ...]]  # where to bind: an address of that family


def reserve(hosts: Sequence[str], port: int) -> ExitStack:
    """Reserve *port* on every address of *hosts* for workers of this user that set SO_REUSEPORT, until closed.

    This does not listen. Raises OSError where the port is in use, with SO_REUSEPORT or without.
    """
    with ExitStack() as sockets:
        for address in bind_addresses(hosts, port):
            try:
                # Bound as one that shares nothing, and opened to those that share only then: so two never both have it.
                reserved = sockets.enter_context(bound(address))
            except OSError as error:
                if is_in_use(error):
                    raise
                continue  # the workers report an address that cannot be used at all
            reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)  # nobody is to pass over this one
            reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        return sockets.pop_all()


def free_port(host: str) -> int:
    """A free port of *host*. Raises OSError."""
    with bound(bind_addresses([host], 0)[0]) as probe:
        return int(probe.getsockname()[1])


def bind_error(hosts: Sequence[str], port: int) -> OSError | None:
    """Why a server could not listen on *hosts* and *port*; None if it could. One usable address is enough."""
    try:
        addresses = bind_addresses(hosts, port)
    except OSError as error:
        return error
    problems = [_problem(address) for address in addresses]
    in_use = next((problem for problem in problems if is_in_use(problem)), None)
    return in_use or (problems[0] if all(problems) else None)


def is_in_use(problem: OSError | None) -> bool:
    """Whether *problem* is that the port is in use."""
    return problem is not None and problem.errno == errno.EADDRINUSE


def bind_addresses(hosts: Sequence[str], port: int) -> list[_BindAddress]:
    """Every address of *hosts*, each once. Raises OSError."""
    resolved = (
        socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE) for host in hosts
    )
    return list(dict.fromkeys((family, address) for each in resolved for family, _, _, _, address in each))


def bound(bind_address: _BindAddress, *, shares_port: bool = False) -> socket.socket:
    """A socket bound for a server: connections in TIME_WAIT do not matter. Raises OSError.

    *shares_port*: others may bind the same address (SO_REUSEPORT).
    """
    family, address = bind_address
    server = socket.socket(family, socket.SOCK_STREAM)
    try:
        if family == socket.AF_INET6:
            server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shares_port:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        server.bind(address)
    except OSError:
        server.close()
        raise
    return server


def _problem(address: _BindAddress) -> OSError | None:
    try:
        bound(address).close()
    except OSError as error:
        return error
    return None
