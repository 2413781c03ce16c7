"""Dockerfile and Compose file, as far as they can be checked without building anything; `.ci/image` does that."""

import re
import subprocess
import sys
from pathlib import Path

from shared import __version__
from shared.processes.supervise import GRACE_SECONDS

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE = (ROOT / "docker-compose.yml").read_text()


def test_hadolint_reports_nothing() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")

    result = subprocess.run([hadolint, "Dockerfile"], cwd=ROOT, capture_output=True, text=True, check=False)

    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_the_label_tells_the_version() -> None:
    assert f"ARG VERSION={__version__}\n" in DOCKERFILE


def test_nothing_of_one_machine_gets_into_the_image() -> None:
    assert re.search(r"(?i)proxy=|index-url|\.crt|\.pem|trusted-host", DOCKERFILE) is None


def test_the_proxys_image_lacks_only_what_the_harvester_alone_imports() -> None:
    removed = re.search(r"uninstall -y (.+)", DOCKERFILE)
    code = (
        "import sys\n"
        f"sys.modules.update(dict.fromkeys({removed[1].split() if removed else []!r}))\n"  # importing them now fails
        "import proxy.__main__, proxy.service, shared.cli.app, shared.cli.doctor.report, shared.cli.backup\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
    assert removed is not None


def test_compose_waits_longer_than_the_services_need_to_stop() -> None:
    graces = [float(found) for found in re.findall(r"stop_grace_period: (\d+)s", COMPOSE)]

    assert graces
    assert min(graces) > GRACE_SECONDS
