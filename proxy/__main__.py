"""`python -m proxy`: serve until stopped, in this process or in several that share a port.

`--worker NUMBER` makes it one of several, `--port PORT` names the port that they share.
"""

import argparse
import gc
import sys

from shared.processes.services import EXIT_SETTINGS
from shared.settings import SettingsError, load_in_fork


def main(arguments: list[str]) -> int:
    """Read the settings and serve; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m proxy")
    parser.add_argument("--worker", type=int, default=0)
    parser.add_argument("--port", type=int)
    options = parser.parse_args(arguments)
    settings_read = load_in_fork(port=options.port)
    gc.disable()  # hardly anything that is loaded is garbage, and looking for some takes a seventh of the time
    from proxy.service import run

    gc.enable()
    try:
        settings = settings_read()
    except SettingsError as error:
        print(f"freeaichat: {error}", file=sys.stderr)  # noqa: T201
        return EXIT_SETTINGS
    if settings.workers > 1 and not options.worker:
        from proxy.server.workers import become_supervisor

        become_supervisor(settings)
    return run(settings, worker=options.worker)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
