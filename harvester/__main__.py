"""`python -m harvester`: visit on the schedule until told to stop.

`python -m harvester once`: visit once, now. `python -m harvester health`: whether a harvester runs.
"""

import argparse
import asyncio
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module

from harvester.service.child import Child, start_child
from harvester.service.tasks import run_until_stopped
from shared.processes.services import EXIT_FAILED, EXIT_SETTINGS
from shared.settings import Settings, SettingsError, load_in_fork

CLOSE_SECONDS = 1.0


def main() -> int:
    """Read arguments and settings and run; returns the exit code."""
    arguments = _arguments()
    load_settings = load_in_fork()
    if arguments.command == "health":
        from harvester.service.health import run_health

        settings = _settings(load_settings)
        return EXIT_SETTINGS if settings is None else run_health(settings)
    when_stopped = EXIT_FAILED if arguments.command == "once" else 0
    return asyncio.run(run_until_stopped(_start(arguments, load_settings), when_stopped))


async def _start(arguments: argparse.Namespace, load_settings: Callable[[], Settings]) -> int:
    """Run, with the process for a first visit started while the rest is imported, which takes as long.

    Usually a visit is due, and somebody waits for it. If none is, the process ends by itself.
    """
    prestarted = None
    with suppress(OSError):  # a visit that cannot start one either is recorded with the reason
        prestarted = await start_child()
    try:
        await asyncio.to_thread(import_module, "harvester.service.run")
        return await _run(arguments, prestarted, load_settings)
    finally:
        if prestarted is not None:
            prestarted.stop()
            with suppress(TimeoutError):
                await asyncio.wait_for(prestarted.process.wait(), CLOSE_SECONDS)


async def _run(arguments: argparse.Namespace, prestarted: Child | None, load_settings: Callable[[], Settings]) -> int:
    from harvester.service.run import run, run_once

    settings = _settings(load_settings)
    if settings is None:
        return EXIT_SETTINGS
    if arguments.command == "once":
        return await run_once(settings, prestarted, arguments.site, is_headed=arguments.headed)
    return await run(settings, prestarted)


def _settings(load_settings: Callable[[], Settings]) -> Settings | None:
    """The settings; None if they are invalid, after printing why."""
    try:
        return load_settings()
    except SettingsError as error:
        print(f"freeaichat: {error}", file=sys.stderr)  # noqa: T201
        return None


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
