"""`python -m tests.audit [LOCK FILE …]`: look up every locked package among the published advisories.

Needs the network, and so is no part of the tests. Exit code 0: every package was looked up and none is known to be
vulnerable; 1: one is; 2: some could not be looked up, which is no success.
"""

import json
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

from tests.audit.verdict import NOT_AUDITED, verdict

ROOT = Path(__file__).parents[2]
AUDITOR = Path(__file__).with_name("requirements.txt")
SECONDS = 600


def audit(python: Path, lock: Path) -> int:
    """Audit one lock file with the auditor installed beside *python*; tells what was found."""
    command = [str(python), "-m", "pip_audit", "--requirement", str(lock), "--require-hashes", "--disable-pip"]
    options = ["--format", "json", "--progress-spinner", "off"]
    run = subprocess.run([*command, *options], capture_output=True, text=True, timeout=SECONDS, check=False)
    try:
        code, lines = verdict(json.loads(run.stdout))
    except ValueError:  # its error output says why; beside a report it says that all is well, whatever was skipped
        code, lines = NOT_AUDITED, ["the auditor made no report", run.stderr.strip()]
    for line in lines:
        print(f"{lock.name}: {line}", flush=True)
    return code


def main() -> int:
    """Audit the named lock files, or the one that users install; returns the exit code."""
    locks = [Path(name) for name in sys.argv[1:]] or [ROOT / "requirements.txt"]
    with tempfile.TemporaryDirectory() as directory:
        venv.create(directory, with_pip=True)
        python = Path(directory, "bin", "python")
        install = [str(python), "-m", "pip", "install", "--quiet", "--require-hashes", "--requirement", str(AUDITOR)]
        if subprocess.run(install, timeout=SECONDS, check=False).returncode:
            print("the auditor could not be installed", file=sys.stderr)
            return NOT_AUDITED
        return max(audit(python, lock) for lock in locks)


if __name__ == "__main__":
    sys.exit(main())
