"""The supervisor with stand-ins for services: `python -m tests.cli.supervised GRACE MODE FILE [MODE FILE …]`.

A mode with a `once:` before it is a child that need not last.
"""

import sys

from shared.processes.supervise import Service, supervise


def main() -> int:
    grace, *rest = sys.argv[1:]
    pairs = zip(rest[::2], rest[1::2], strict=True)
    return supervise(
        [
            Service(
                f"service {number}",
                [sys.executable, "-m", "tests.cli.standin", mode.removeprefix("once:"), file],
                is_restarted=not mode.startswith("once:"),
            )
            for number, (mode, file) in enumerate(pairs, 1)
        ],
        grace=float(grace),
    )


if __name__ == "__main__":
    sys.exit(main())
