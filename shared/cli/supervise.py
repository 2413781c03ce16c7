"""`python -m shared.cli.supervise STARTED WORKERS GRACE HOSTS PORT LOG`: the supervisor of `freeaichat up`."""

import sys
from contextlib import nullcontext

from shared.processes import ports
from shared.processes.services import EXIT_PORT_TAKEN, module_command
from shared.processes.supervise import Service, proxy_services, supervise


def main(started: str, workers: str, grace: str, *rest: str) -> int:
    """Run the services and the progress display; returns the exit code.

    *started*: when `freeaichat up` was typed, Unix seconds. *rest*: HOSTS, PORT, and the file that the services log to,
    "": none.
    """
    hosts, port, log = rest
    live = ["--live"] if log else []
    services = [
        Service("harvester", module_command("harvester")),
        *proxy_services(int(workers)),
        Service("progress display", module_command("shared.cli.up_progress", started, *live), is_restarted=False),
    ]
    try:
        reserved = ports.reserve(hosts.split(","), int(port)) if int(workers) > 1 else nullcontext()
    except OSError as error:
        print(f"freeaichat: cannot listen on {hosts} port {port}: {error.strerror}", file=sys.stderr)
        return EXIT_PORT_TAKEN
    with reserved:
        return supervise(services, grace=float(grace), log=log)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
