"""`python -m proxy`: serve until told to stop, in this process or in several that share a port.

`--worker NUMBER` makes it one of several, `--port PORT` names the port that they have chosen.
"""

import argparse
import gc
import sys

from pydantic import ValidationError

from shared.processes.services import EXIT_SETTINGS
from shared.settings import explain, load


def main(arguments: list[str]) -> int:
    """Read the settings and serve; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m proxy")
    parser.add_argument("--worker", type=int, default=0)
    parser.add_argument("--port", type=int)
    options = parser.parse_args(arguments)
    try:
        settings = load(port=options.port)
    except ValidationError as error:
        print(f"freeaichat: {explain(error)}", file=sys.stderr)  # noqa: T201
        return EXIT_SETTINGS
    if settings.workers > 1 and not options.worker:
        from proxy.server.workers import become_supervisor

        become_supervisor(settings)
    gc.disable()  # hardly anything that is loaded is garbage, and looking for some takes a seventh of the time
    from proxy.service import run  # what only serving needs is not loaded by a process that becomes another

    gc.enable()
    return run(settings, worker=options.worker)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
