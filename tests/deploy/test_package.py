"""The packages that users install: what is in them, and that uvx gives a `freeaichat` that runs.

That pip and pipx do is in `tests.end_to_end.test_readme_blocks`.
"""

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from shared import __version__

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
PRODUCT = ("harvester", "proxy", "shared")
INSTALL_SECONDS = 300  # with the browser's driver, a fresh environment is some 150 MB
PYTHONS = ("3.11", "3.12", "3.13")
pytestmark = pytest.mark.usefixtures("as_users_run_it")


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the source distribution, and the wheel that is built from it."""
    directory = tmp_path_factory.mktemp("packages")
    result = run(str(BIN / "pyproject-build"), "--no-isolation", "--outdir", str(directory), cwd=ROOT)
    assert "warning" not in result.lower()
    return directory


@pytest.fixture(scope="module")
def wheel(packages: Path) -> Path:
    """The wheel."""
    return next(packages.glob("*.whl"))


def run(*command: str, cwd: Path, **settings: str) -> str:
    """What *command* prints, both streams together; a failure shows it."""
    result = subprocess.run(
        command,
        cwd=cwd,
        env=os.environ | settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout
    return result.stdout


def sources(*places: str) -> set[str]:
    """The files of the project below *places*, but those that git leaves out."""
    listed = run("git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *places, cwd=ROOT).splitlines()
    return {name for name in listed if (ROOT / name).exists()}


def test_the_wheel_holds_the_product_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        entry_points = archive.read(f"freeaichat_2api-{__version__}.dist-info/entry_points.txt").decode()

    assert names == sources(*PRODUCT)
    assert entry_points.split() == ["[console_scripts]", "freeaichat", "=", "shared.cli:main"]
    assert wheel.name == f"freeaichat_2api-{__version__}-py3-none-any.whl"


def test_the_source_distribution_holds_all_that_is_needed_to_test_it(packages: Path) -> None:
    with tarfile.open(next(packages.glob("*.tar.gz"))) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}

    assert names == sources() - {".editorconfig", ".gitattributes"} | {"PKG-INFO"}


@pytest.mark.timeout(INSTALL_SECONDS)
def test_uvx_runs_the_program_without_installing_it(wheel: Path, tmp_path: Path) -> None:
    check_program(str(BIN / "uvx"), "--python", sys.executable, "--from", str(wheel), "freeaichat", cwd=tmp_path)


def check_program(*freeaichat: str, cwd: Path) -> None:
    """Check that the program prints its version and has its services (a proxy without a store exits with an error)."""
    settings = {"FREEAICHAT_DATA_DIR": str(cwd / "data"), "FREEAICHAT_STORE": "unknown://", "PYTHONPATH": ""}
    assert run(*freeaichat, "--version", cwd=cwd).split()[-1] == __version__
    for service in ("harvester", "proxy"):
        result = subprocess.run(
            [*freeaichat, service], cwd=cwd, env=os.environ | settings, capture_output=True, text=True, check=False
        )
        assert (result.returncode, "unknown://" in result.stderr) == (2, True), result.stderr


@pytest.mark.parametrize("version", PYTHONS)
@pytest.mark.parametrize("machine", ["aarch64-manylinux_2_28", "x86_64-manylinux_2_28"])
def test_every_locked_package_is_there_ready_built(machine: str, version: str, tmp_path: Path) -> None:
    run(
        *(str(BIN / "uv"), "pip", "install", "--dry-run", "--target", str(tmp_path), "--only-binary", ":all:"),
        *("--python-platform", machine, "--python-version", version, "--requirement", "requirements.txt"),
        "--require-hashes",
        cwd=ROOT,
    )
