"""`python -m proxy.server.workers COUNT GRACE HOSTS PORT`: supervises COUNT proxies that share one port.

It imports nothing heavy and takes no part in serving: the system distributes connections among the workers. It
reserves PORT for them as long as it runs, so that nobody else shares it; 0 selects a free one.
"""

import sys
from typing import TYPE_CHECKING, NoReturn

from shared.processes import ports
from shared.processes.services import EXIT_FAILED, EXIT_PORT_TAKEN, exec_command, module_command
from shared.processes.supervise import export_log_format, grace_period, proxy_services, supervise

if TYPE_CHECKING:  # it would bring much with it that stays in memory
    from shared.settings import Settings


def become_supervisor(settings: "Settings") -> NoReturn:
    """Replace this process with the supervisor of the workers; the process id stays."""
    grace = grace_period(settings.shutdown_timeout)
    arguments = (str(settings.workers), str(grace), ",".join(settings.hosts), str(settings.port))
    export_log_format(settings.log_format)
    exec_command(module_command("proxy.server.workers", *arguments))


def main(count: int, grace: float, hosts: str, port: int) -> int:
    """Run the workers until told to stop; returns the exit code."""
    try:
        chosen = port or ports.free_port(hosts.partition(",")[0])
        held = ports.reserve(hosts.split(","), chosen)
    except OSError as error:
        where = f"{hosts} port {port}" if port else hosts
        print(f"freeaichat: cannot listen on {where}: {error.strerror}", file=sys.stderr)  # noqa: T201
        return EXIT_PORT_TAKEN if ports.is_in_use(error) else EXIT_FAILED
    with held:
        return supervise(proxy_services(count, "--port", str(chosen)), grace=grace)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3], int(sys.argv[4])))
