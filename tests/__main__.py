"""`python -m tests [pytest options]`: get what the tests need, run them all, and measure what they cover."""

import os
import subprocess
import sys

from tests.needs import provide

LEAST_COVERAGE = 85  # percent, branches counted


def main() -> int:
    """Run the tests; the exit code is non-zero unless all passed and enough was covered."""
    if not provide():
        return 1
    environment = {**os.environ, "PYTHONDEVMODE": "1"}
    coverage = (sys.executable, "-m", "coverage")
    subprocess.run((*coverage, "erase"), check=True)  # what a run that was killed left behind
    tests = subprocess.run((*coverage, "run", "-m", "pytest", *sys.argv[1:]), env=environment, check=False)
    subprocess.run((*coverage, "combine", "--quiet"), check=False)
    limit = () if sys.argv[1:] else (f"--fail-under={LEAST_COVERAGE}",)  # a part of the tests covers a part
    report = subprocess.run((*coverage, "report", *limit), check=False)
    return tests.returncode or report.returncode


if __name__ == "__main__":
    sys.exit(main())
