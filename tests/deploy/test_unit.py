"""The systemd unit: systemd takes it without a warning, and it fits how the program ends."""

import re
import subprocess
from pathlib import Path

from shared.processes.services import FINAL_EXITS
from shared.processes.supervise import GRACE_SECONDS
from tests.needs import FREEAICHAT

UNIT = Path(__file__).parents[2] / "deploy" / "freeaichat.service"
LEAST_PROTECTED = 3.0  # of systemd's own scale, from 0 (safe) to 10


def test_systemd_accepts_the_unit_without_a_warning(tmp_path: Path) -> None:
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/opt/freeaichat/bin/freeaichat", FREEAICHAT))

    result = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)

    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_the_unit_is_well_protected() -> None:
    command = ["systemd-analyze", "security", "--offline=yes", "--no-pager", str(UNIT)]
    report = subprocess.run(command, capture_output=True, text=True, check=True).stdout

    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", report)
    assert found is not None, report
    assert float(found[1]) < LEAST_PROTECTED


def test_the_unit_waits_longer_than_the_program_and_does_not_repeat_what_cannot_succeed() -> None:
    settings = dict(line.split("=", 1) for line in UNIT.read_text().splitlines() if re.match(r"\w+=", line))

    assert float(settings["TimeoutStopSec"]) > GRACE_SECONDS
    assert {int(code) for code in settings["RestartPreventExitStatus"].split()} == set(FINAL_EXITS)
