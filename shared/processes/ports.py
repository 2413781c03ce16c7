"""Probing, finding and reserving ports. Imports nothing heavy, since supervisors use it."""

import errno
import socket
from collections.abc import Sequence
from contextlib import ExitStack

_BindAddress = tuple[socket.AddressFamily, tuple[object, ...]]  # where to bind


def reserve(hosts: Sequence[str], port: int) -> ExitStack:
    """Reserve *port* on every address of *hosts* for workers of this user that set SO_REUSEPORT, until closed.

    This does not listen. Raises OSError where the port is in use, with SO_REUSEPORT or without.
    """
    with ExitStack() as sockets:
        for address in dict.fromkeys(_bind_addresses(hosts, port)):
            try:
                # Bound as one that shares nothing, and opened to those that share only then: so two never both have it.
                reserved = sockets.enter_context(_bound(address))
            except OSError as error:
                if is_in_use(error):
                    raise
                continue  # the workers report an address that cannot be used at all
            reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)  # nobody is to pass over this one
            reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        return sockets.pop_all()


def free_port(host: str) -> int:
    """A free port of *host*. Raises OSError."""
    with _bound(_bind_addresses([host], 0)[0]) as probe:
        return int(probe.getsockname()[1])


def bind_error(hosts: Sequence[str], port: int) -> OSError | None:
    """Why a server could not listen on *hosts* and *port*; None if it could. One usable address is enough."""
    try:
        addresses = _bind_addresses(hosts, port)
    except OSError as error:
        return error
    problems = [_problem(address) for address in addresses]
    in_use = next((problem for problem in problems if is_in_use(problem)), None)
    return in_use or (problems[0] if all(problems) else None)


def is_in_use(problem: OSError | None) -> bool:
    """Whether *problem* is that the port is in use."""
    return problem is not None and problem.errno == errno.EADDRINUSE


def _bind_addresses(hosts: Sequence[str], port: int) -> list[_BindAddress]:
    """Every address of *hosts*. Raises OSError."""
    found = [
        each
        for host in hosts
        for each in socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    ]
    return [(socket.AddressFamily(family), address) for family, _, _, _, address in found]


def _problem(address: _BindAddress) -> OSError | None:
    try:
        _bound(address).close()
    except OSError as error:
        return error
    return None


def _bound(bind_address: _BindAddress) -> socket.socket:
    """A socket bound as a server does: connections in TIME_WAIT do not matter. Raises OSError."""
    family, address = bind_address
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except OSError:
        bound.close()
        raise
    return bound
