"""Free ports for servers of tests."""

import os
import socket
from contextlib import suppress
from itertools import cycle

# Below those that the system gives by itself, so that nothing takes one before the program that it is meant for does.
# Each process of a test run has a share of its own, and begins somewhere in it: another run may go on at the same time.
FIRST, SHARES, EACH = 10_000, 22, 1_000
SHARE = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % SHARES

_ports = cycle(FIRST + SHARE * EACH + (os.getpid() + number) % EACH for number in range(EACH))


def a_free_port() -> int:
    """A port on which nothing listens."""
    while True:
        with suppress(OSError), socket.create_server(("127.0.0.1", port := next(_ports))):
            return port
