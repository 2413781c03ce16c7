"""`python -m proxy`: serve until told to stop."""

import sys

from pydantic import ValidationError

from proxy.service import EXIT_SETTINGS, run
from shared.settings import explain, load


def main() -> int:
    """Read the settings and serve; returns the exit code."""
    try:
        settings = load()
    except ValidationError as error:
        print(f"freeaichat: {explain(error)}", file=sys.stderr)  # noqa: T201
        return EXIT_SETTINGS
    return run(settings)


if __name__ == "__main__":
    sys.exit(main())
