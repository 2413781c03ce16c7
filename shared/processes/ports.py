"""Trying, finding and keeping ports. Imports nothing heavy: supervisors do this."""

import errno
import socket
from collections.abc import Sequence
from contextlib import ExitStack

_Place = tuple[socket.AddressFamily, tuple[object, ...]]  # where to bind


def hold(hosts: Sequence[str], port: int) -> ExitStack:
    """Keep *port* of every address of *hosts* for workers of this user that set SO_REUSEPORT, until closed.

    Nothing listens there by this. Raises OSError where somebody has the port, whether they share it or not.
    """
    with ExitStack() as held:
        for place in dict.fromkeys(_places(hosts, port)):
            try:
                # Bound as one that shares nothing, and opened to those that share only then: so two never both have it.
                kept = held.enter_context(_bound(place))
            except OSError as error:
                if is_taken(error):
                    raise
                continue  # an address that cannot be used at all is the workers' to tell
            kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)  # nobody is to pass over this one
            kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        return held.pop_all()


def free(host: str) -> int:
    """A port of *host* that nobody has. Raises OSError."""
    with _bound(_places([host], 0)[0]) as probe:
        return int(probe.getsockname()[1])


def bind_problem(hosts: Sequence[str], port: int) -> OSError | None:
    """Why a server could not listen on *hosts* and *port*; None if it could. One usable address is enough."""
    try:
        places = _places(hosts, port)
    except OSError as error:
        return error
    problems = [_problem(place) for place in places]
    taken = next((problem for problem in problems if is_taken(problem)), None)
    return taken or (problems[0] if all(problems) else None)


def is_taken(problem: OSError | None) -> bool:
    """Whether *problem* is that somebody else listens there."""
    return problem is not None and problem.errno == errno.EADDRINUSE


def _places(hosts: Sequence[str], port: int) -> list[_Place]:
    """Every address of *hosts*. Raises OSError."""
    found = [
        each
        for host in hosts
        for each in socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    ]
    return [(socket.AddressFamily(family), address) for family, _, _, _, address in found]


def _problem(place: _Place) -> OSError | None:
    try:
        _bound(place).close()
    except OSError as error:
        return error
    return None


def _bound(place: _Place) -> socket.socket:
    """A socket as a server binds it: what earlier connections left is no obstacle. Raises OSError."""
    family, address = place
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
