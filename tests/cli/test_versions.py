"""A store of another version of this program: an older one's opens, a newer one's is refused by every command."""

from pathlib import Path

import pytest

from shared import __version__
from tests.cli.processes import clean_environment
from tests.cli.test_commands import CommandLine
from tests.shared.samples import SITE
from tests.shared.store import released
from tests.shared.store.sqlite_files import change, hashes

pytestmark = pytest.mark.usefixtures("measured")

NEWER = 99
REFUSING = [["up"], ["harvester"], ["proxy"], ["harvest"], ["status"], ["usage"], ["keys", "list"]]


@pytest.fixture
def freeaichat(tmp_path: Path, free_port: int) -> CommandLine:
    """The command line with the store of 0.1.0."""
    (tmp_path / "data").mkdir(mode=0o700)
    released.write("0.1.0", tmp_path / "data" / "freeaichat.db")
    return CommandLine(clean_environment(tmp_path / "data", f"{SITE}/", free_port), tmp_path)


async def test_the_version_is_reported(freeaichat: CommandLine) -> None:
    result = await freeaichat("--version")

    assert (result.code, result.output) == (0, f"freeaichat, version {__version__}\n")


async def test_the_store_of_the_first_version_opens_with_its_credentials_and_visits(freeaichat: CommandLine) -> None:
    result = await freeaichat("status")

    assert result.code == 0, result.errors
    assert "credentials  by a visit" in result.output
    assert "last visits" in result.output


@pytest.mark.parametrize("args", REFUSING, ids=" ".join)
async def test_after_a_downgrade_a_newer_store_is_refused_with_what_to_do(
    freeaichat: CommandLine, args: list[str], tmp_path: Path
) -> None:
    change(tmp_path / "data" / "freeaichat.db", f"PRAGMA user_version = {NEWER}")
    before = hashes(tmp_path / "data")

    refused = await freeaichat(*args)

    assert refused.code == 2
    assert "a newer version wrote the store" in refused.errors
    assert f"its schema is {NEWER}" in refused.errors
    assert "Update freeaichat" in refused.errors
    assert "Traceback" not in refused.errors
    assert hashes(tmp_path / "data") == before


async def test_the_doctor_fails_at_a_newer_store_and_names_it(
    freeaichat: CommandLine, tmp_path: Path, free_port: int
) -> None:
    freeaichat.environment["FREEAICHAT_SITES"] = f"http://127.0.0.1:{free_port}/"
    change(tmp_path / "data" / "freeaichat.db", f"PRAGMA user_version = {NEWER}")

    result = await freeaichat("doctor")

    assert result.code == 1
    assert "fail  store        a newer version wrote the store" in result.output
