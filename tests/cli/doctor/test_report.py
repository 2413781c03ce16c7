"""The doctor's verdict, and its bundle for bug reports, which holds no secrets."""

import asyncio
import json
import re
import stat
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path

import click
import pytest

from shared import log_file
from shared.cli.doctor.check import Check, fail, ok, verdict, warn
from shared.cli.doctor.secrets import redact_text
from shared.models import Outcome, Visit
from shared.secrets import ensure_master_key, private_dir
from shared.store import open_store
from tests.cli import forked
from tests.cli.processes import clean_environment
from tests.needs import FREEAICHAT
from tests.shared.samples import capture, credentials

pytestmark = pytest.mark.usefixtures("measured")

GOOD, ODD = ok("python", "fine"), warn("memory", "little", "add some")
SITE_AWAY, NO_BROWSER = fail("site", "away", "look at the site"), fail("browser", "none", "install one")


@pytest.mark.parametrize(
    ("findings", "expected"),
    [
        ([GOOD, GOOD], "verdict: all is well (2 checks)"),
        ([GOOD, ODD], "verdict: nothing fails; worth a look: memory"),
        ([SITE_AWAY, GOOD, ODD], "verdict: 1 of 3 checks fail (site); begin with site: look at the site"),
        ([SITE_AWAY, NO_BROWSER], "verdict: 2 of 2 checks fail (site, browser); begin with browser: install one"),
    ],
)
def test_the_verdict_names_what_fails_and_where_to_begin(findings: list[Check], expected: str) -> None:
    assert click.unstyle(verdict(findings)) == expected


def test_a_secret_is_found_however_it_is_written() -> None:
    text = redact_text("a k%2Fey=1 and k/ey=1 and ab, Cookie: x=1; y=2", ["k/ey=1", "k/ey", "ab"])

    assert "k/ey" not in text
    assert "k%2Fey" not in text
    assert "x=1" not in text
    assert " ab," in text  # too short to be one


SECRETS = {
    "API_MASTER_KEY": "sk-of-the-settings-0001",
    "COOKIE": "wordpress_guest=cookie-by-hand-0002; other=cookie-by-hand-0003",
    "AJAX_NONCE": "nonce-by-hand-0004",
    "SESSION_ID": "session-by-hand-0005",
    "HTTPS_PROXY": "http://me:proxy-password-0006@127.0.0.1:9",
}
CAPTURED = ("cookie-of-a-visit-0007", "nonce-of-a-visit-0008", "session-of-a-visit-0009")


def doctor(bundle: Path, environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    return forked.run("doctor", "--bundle", bundle, environment=environment)


async def fill(data: Path, site: str) -> list[str]:
    """Fill a store, a log and key files with secrets everywhere; return the secrets."""
    master_key, _ = ensure_master_key(data)
    store_secret = "secret-of-the-store-0010"
    for unreadable in "abcdefgh":  # in whatever order they come
        (data / f"{unreadable}.secret").mkdir()
    (data / "freeaichat.db.secret").write_text(store_secret)
    cookie, nonce, session = CAPTURED
    found = replace(credentials(), site=site, cookie=f"guest={cookie}", nonce=nonce, session_id=session)
    visit = Visit(
        id="v", site=site, started_at=1.0, seconds=1.0, outcome=Outcome.SITE_ERROR, reason=f"it said {nonce} again"
    )
    async with open_store(f"sqlite:///{data / 'freeaichat.db'}") as store:
        await store.save_capture(replace(capture(), credentials=found), base=0)
        await store.end_visit(visit, "a test")
    lines = [*SECRETS.values(), *CAPTURED, master_key, store_secret, "sk-" + "x" * 40, f"a?_ajax_nonce={'9' * 10}"]

    log_file.log_path(data).write_text("an ordinary line\n" + "".join(f"odd {line} end\n" for line in lines))
    numbered = re.findall(r"[a-z-]+-\d{4}\b", " ".join(SECRETS.values()))
    return [*numbered, *CAPTURED, master_key, store_secret]


async def test_the_bundle_holds_what_a_report_needs_and_no_secret(tmp_path: Path, free_port: int) -> None:
    data, file = private_dir(tmp_path / "data"), tmp_path / "bundle.zip"
    site = f"http://127.0.0.1:{free_port}"
    hidden = await fill(data, site)
    environment = clean_environment(data, f"{site}/", free_port) | SECRETS | {"FREEAICHAT_SERVERS": f"mine={site}/v1"}

    result = await asyncio.to_thread(doctor, file, environment)
    with zipfile.ZipFile(file) as archive:
        texts = {name: archive.read(name).decode() for name in archive.namelist()}
    documents = {name: json.loads(text) for name, text in texts.items() if name.endswith(".json")}

    assert result.returncode == 1, result.stderr  # the site is away
    assert "without secrets" in result.stdout
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(hidden) >= 11
    assert {secret for secret in hidden for text in texts.values() if secret in text} == set()
    assert "x" * 40 not in texts["log.txt"]
    assert "9" * 10 not in texts["log.txt"]
    assert "an ordinary line" in texts["log.txt"]
    assert documents["settings.json"]["values"]["api_key"] == "(set)"
    assert documents["settings.json"]["values"]["port"] == free_port
    assert documents["settings.json"]["values"]["servers"] == [f"mine={site}/v1"]
    assert documents["visits.json"][site][0]["reason"] == "it said *** again"
    assert any(check["name"] == "site" and ": refused: " in check["what"] for check in documents["doctor.json"])
    assert documents["versions.json"]["packages"]["aiohttp"]
    assert documents["status.json"]["sites"][0]["credentials"]["source"]
    assert documents["errors.json"] == []


@pytest.mark.parametrize("directory", ["data", "d" * 300])  # the latter cannot even be asked for, as a locked one
def test_what_cannot_be_read_keeps_no_check_and_no_bundle_from_being_made(
    tmp_path: Path, free_port: int, directory: str
) -> None:
    for unreadable in ("master.key", "freeaichat.db.secret"):
        (tmp_path / "data" / unreadable).mkdir(parents=True)
    environment = clean_environment(tmp_path / directory, f"http://127.0.0.1:{free_port}/", free_port)
    result = forked.run("doctor", "--json", "--bundle", tmp_path / "b.zip", environment=environment)
    found = {check["name"]: check for check in json.loads(result.stdout)}

    assert result.returncode == 1
    assert "without secrets" in result.stderr
    assert zipfile.is_zipfile(tmp_path / "b.zip")
    assert found["key"]["what"].startswith("the key file cannot be read (")
    assert (found["data dir"]["level"] == "fail") is (directory != "data")
    assert found["site"]["level"] == "fail"
    assert ("credentials" in found) is (directory == "data")


def test_a_bundle_replaces_no_file_and_needs_no_store(tmp_path: Path, free_port: int) -> None:
    file = tmp_path / "bundle.zip"
    environment = clean_environment(tmp_path / "data", f"http://127.0.0.1:{free_port}/", free_port)
    (tmp_path / "broken.db").write_text("no database" * 100)
    broken = environment | {"FREEAICHAT_STORE": f"sqlite:///{tmp_path}/broken.db"}
    first, second = doctor(file, broken), doctor(file, broken)

    assert (first.returncode, second.returncode) == (1, 1)
    assert "there already" in second.stderr
    assert second.stdout == ""
    missing = doctor(tmp_path / "nowhere" / "b.zip", environment)
    assert (missing.returncode, missing.stdout) == (1, "")  # before any check
    assert "there is no directory" in missing.stderr
    with zipfile.ZipFile(file) as archive:
        assert "broken.db" in json.loads(archive.read("status.json"))["error"]


@pytest.mark.usefixtures("as_users_run_it")  # what measures it needs room too
def test_nothing_is_left_of_a_bundle_that_the_disk_has_no_room_for(tmp_path: Path, free_port: int) -> None:
    file = tmp_path / "bundle.zip"
    environment = clean_environment(tmp_path / "data", f"http://127.0.0.1:{free_port}/", free_port)
    command = ["sh", "-c", 'ulimit -f 1 && exec "$0" doctor --bundle "$1"', str(FREEAICHAT), str(file)]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    assert result.returncode == 1
    assert result.stderr.endswith(f"{file} cannot be written: File too large\n")
    assert not file.exists()
