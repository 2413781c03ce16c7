"""The simulated site as a process: prints one JSON line with its url when it listens, and runs until it is ended.

python -m tests.site --port 8090 --page popup --option late_ms=200 --option page_cookies='["a=b; Path=/"]'
"""

import argparse
import asyncio
import contextlib
import json
import signal
import sys
from types import TracebackType
from typing import Protocol

from tests.site.behaviour import PAGES
from tests.site.server import SimulatedSite


class Served(Protocol):
    """A simulated site of any kind."""

    @property
    def url(self) -> str:
        """The page with the chat."""

    async def __aenter__(self) -> object: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.site", description="A simulated chat site.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--page", choices=PAGES, default="inline")
    parser.add_argument("--base-path", default="")
    parser.add_argument("--option", action="append", default=[], metavar="NAME=VALUE", help="a switch; JSON or text")
    parser.add_argument("--with-stdin", action="store_true", help="end when standard input ends")
    options = parser.parse_args()
    site = SimulatedSite(page=options.page, port=options.port, base_path=options.base_path)
    site.behaviour.update(dict(map(switch, options.option)))
    asyncio.run(serve(site, with_stdin=options.with_stdin))


def switch(text: str) -> tuple[str, object]:
    """A switch of the command line."""
    name, _, value = text.partition("=")
    with contextlib.suppress(ValueError):
        return name, json.loads(value)
    return name, value


async def serve(site: Served, *, with_stdin: bool) -> None:
    """Run *site* until the process is told to end."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    if with_stdin:
        loop.add_reader(sys.stdin, ended.set)
    async with site:
        print(json.dumps({"url": site.url}), flush=True)
        await ended.wait()


if __name__ == "__main__":
    main()
