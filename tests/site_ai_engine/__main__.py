"""The simulated AI Engine site as a process: prints one JSON line with its url when it listens, and runs until its end.

python -m tests.site_ai_engine --port 8091 --option version=2.4.1 --option streams=false
"""

import argparse
import asyncio

from tests.site.__main__ import serve, switch
from tests.site_ai_engine.server import SimulatedAiEngine


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.site_ai_engine", description="A simulated chat site.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--base-path", default="")
    parser.add_argument("--plain-permalinks", action="store_true")
    parser.add_argument("--option", action="append", default=[], metavar="NAME=VALUE", help="a switch; JSON or text")
    parser.add_argument("--with-stdin", action="store_true", help="end when standard input ends")
    options = parser.parse_args()
    site = SimulatedAiEngine(port=options.port, base_path=options.base_path, plain_permalinks=options.plain_permalinks)
    site.behaviour.update(dict(map(switch, options.option)))
    asyncio.run(serve(site, with_stdin=options.with_stdin))


if __name__ == "__main__":
    main()
