"""`python -m proxy.server.workers COUNT GRACE [HOST]`: keeps COUNT proxies running that share one port.

It imports nothing heavy and takes no part in what they serve: the system hands each connection to one of them. With
HOST they listen on a free port of that address, which is held for them for as long as this process runs.
"""

import os
import socket
import sys
from typing import TYPE_CHECKING, NoReturn

from shared.processes.services import EXIT_PORT_TAKEN, module_command
from shared.processes.supervise import grace_for, proxy_services, supervise

if TYPE_CHECKING:  # it would bring much with it that stays in memory
    from shared.settings import Settings


def become_supervisor(settings: "Settings") -> NoReturn:
    """Go on as the supervisor of the workers, with the process id of this one."""
    grace = grace_for(settings.shutdown_timeout)
    where = [] if settings.port else [settings.hosts[0]]
    command = module_command("proxy.server.workers", str(settings.workers), str(grace), *where)
    sys.stderr.flush()
    os.execv(command[0], command)  # noqa: S606  (our own interpreter)


def main(count: int, grace: float, host: str | None) -> int:
    """Run the workers until told to stop; returns the exit code."""
    if host is None:
        return supervise(proxy_services(count), grace=grace)
    try:
        reserved = reserve_port(host)
    except OSError as error:
        print(f"freeaichat: cannot listen on {host}: {error.strerror}", file=sys.stderr)  # noqa: T201
        return EXIT_PORT_TAKEN
    with reserved:
        return supervise(proxy_services(count, "--port", str(reserved.getsockname()[1])), grace=grace)


def reserve_port(host: str) -> socket.socket:
    """A socket that keeps a free port of *host* for processes that share it, and listens on nothing. Raises OSError."""
    family, kind, _, _, address = socket.getaddrinfo(host or None, 0, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[
        0
    ]
    reserved = socket.socket(family, kind)
    try:
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        reserved.bind(address)
    except OSError:
        reserved.close()
        raise
    return reserved


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else None))
