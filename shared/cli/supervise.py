"""`python -m shared.cli.supervise BEGUN WORKERS GRACE`: the supervisor of `freeaichat up`, over all its services."""

import sys

from shared.processes.services import module_command
from shared.processes.supervise import Service, proxy_services, supervise


def main(begun: str, workers: str, grace: str) -> int:
    """Run everything; returns the exit code. *begun*: when `freeaichat up` was typed, Unix seconds."""
    services = [
        Service("harvester", module_command("harvester")),
        *proxy_services(int(workers)),
        Service("progress display", module_command("shared.cli.welcome", begun), is_lasting=False),
    ]
    return supervise(services, grace=float(grace))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
