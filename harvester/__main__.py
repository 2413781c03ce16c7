"""`python -m harvester`: visit on the schedule until told to stop.

`python -m harvester once`: visit once, now. `python -m harvester health`: whether a harvester runs.
"""

import argparse
import sys

from pydantic import ValidationError

from harvester.service.health import run_health
from harvester.service.run import run, run_once
from shared.processes.services import EXIT_SETTINGS
from shared.settings import explain, load


def main() -> int:
    """Read arguments and settings and run; returns the exit code."""
    arguments = _arguments()
    try:
        settings = load()
    except ValidationError as error:
        print(f"freeaichat: {explain(error)}", file=sys.stderr)  # noqa: T201
        return EXIT_SETTINGS
    if arguments.command == "once":
        return run_once(settings, arguments.site, is_headed=arguments.headed)
    if arguments.command == "health":
        return run_health(settings)
    return run(settings)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m harvester", description="Visits the chat sites of the settings.")
    commands = parser.add_subparsers(dest="command")
    once = commands.add_parser("once", help="visit one site now and print the outcome")
    once.add_argument("--site", default="", metavar="URL", help="the page to visit; default: the first of the settings")
    once.add_argument("--headed", action="store_true", help="in a window, for what only a person may do")
    commands.add_parser(
        "health",
        help="exit 0 while a harvester leaves its heartbeat in the store, else 1; asks no site",
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
