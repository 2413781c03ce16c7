"""Claims, and what killed visits leave behind."""

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harvester.service.workspace import Workspace, WorkspaceError
from tests.cli.processes import is_alive, wait_until

SITE, OTHER = "https://chat.example", "https://other.example"
HOLD = """
import sys, time
from harvester.service.workspace import Workspace
with Workspace(sys.argv[1]).claim(sys.argv[2]) as claim:
    claim.directory.mkdir(mode=0o700)
    (claim.directory / "profile").mkdir()
    print(claim.holder, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A store that only this test names."""
    return f"sqlite:///{tmp_path}/store.db"


def hold(url: str) -> tuple[subprocess.Popen[str], str]:
    """A process that visits `SITE`, and its holder's name."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, url, SITE], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def test_a_site_is_claimed_by_one_at_a_time_and_sites_do_not_hinder_each_other(url: str) -> None:
    workspace = Workspace(url)
    with workspace.claim(SITE) as first, Workspace(url).claim(SITE) as second, workspace.claim(OTHER) as other:
        assert first is not None
        assert second is None
        assert other is not None

    with workspace.claim(SITE) as reclaimed:
        assert reclaimed is not None
    assert not workspace.path.exists()


def test_a_workspace_is_private_and_removed_afterwards(url: str) -> None:
    workspace = Workspace(url)
    with workspace.claim(SITE) as claim:
        assert claim is not None
        claim.directory.mkdir(mode=0o700)
        assert claim.directory.stat().st_mode & 0o777 == 0o700
        assert workspace.path.stat().st_mode & 0o777 == 0o700
        assert len(f"{claim.directory}/org.chromium.Chromium.XXXXXX/SingletonSocket") < 108  # a socket's longest name
        claim.clear()

    assert not workspace.path.exists()


def test_undecodable_paths_make_a_holder_that_a_store_can_keep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = tmp_path / os.fsdecode(b"caf\xe9")
    directory.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(directory))

    with Workspace(f"sqlite:///{directory}/store.db").claim(SITE) as claim:
        assert claim is not None
        assert claim.holder.encode()


def test_a_killed_holder_is_followed_at_once_under_the_same_name(url: str) -> None:
    process, name = hold(url)
    with Workspace(url).claim(SITE) as claim:
        assert claim is None
    kill(process)

    with Workspace(url).claim(SITE) as claim:
        assert claim is not None
        assert claim.holder == name
        assert len(claim.leftovers) == 1
        claim.sweep()
        assert not claim.leftovers[0].exists()


def test_a_sweep_before_does_not_change_the_name(url: str) -> None:
    process, name = hold(url)
    kill(process)
    workspace = Workspace(url)
    workspace.sweep()

    with workspace.claim(OTHER), workspace.claim(SITE) as claim:
        assert claim is not None
        assert claim.holder == name


def test_a_sweep_ends_what_killed_visits_left_and_spares_those_under_way(url: str, tmp_path: Path) -> None:
    workspace = Workspace(url)
    dead, _ = hold(url)
    left = next(workspace.path.glob("visit-*"))
    browser = subprocess.Popen(["sleep", "60"], env=os.environ | {"TMPDIR": str(left)})
    kill(dead)
    with workspace.claim(OTHER) as claim:
        assert claim is not None
        claim.directory.mkdir(mode=0o700)
        workspace.sweep()
        assert claim.directory.exists()
        claim.clear()

    assert not left.exists()
    assert not is_alive(browser.pid)
    browser.wait()
    assert not workspace.path.exists()


def test_a_sweep_removes_the_lock_of_a_killed_holder_whose_visit_cleaned_up(url: str) -> None:
    process, _ = hold(url)
    workspace = Workspace(url)
    kill(process)
    shutil.rmtree(next(workspace.path.glob("visit-*")))

    workspace.sweep()

    assert not workspace.path.exists()


def test_a_sweep_of_a_clean_machine_does_nothing(url: str) -> None:
    workspace = Workspace(url)

    workspace.sweep()

    assert not workspace.path.exists()


def test_a_workspace_that_disappears_under_a_claim_is_recreated(url: str) -> None:
    workspace = Workspace(url)
    with workspace.claim(SITE) as claim:
        assert claim is not None
        for file in workspace.path.iterdir():
            file.unlink()
        workspace.path.rmdir()

    with workspace.claim(SITE) as claim:
        assert claim is not None


@pytest.mark.parametrize("kind", ["file", "link", "directory that all may enter"])
def test_what_stands_in_the_workspaces_place_is_not_used(url: str, tmp_path: Path, kind: str) -> None:
    workspace = Workspace(url)
    if kind == "file":
        workspace.path.write_text("in the way")
    elif kind == "link":
        workspace.path.symlink_to(tmp_path)
    else:
        workspace.path.mkdir()
        workspace.path.chmod(0o755)
    try:
        with pytest.raises(WorkspaceError), workspace.claim(SITE):
            pass
    finally:
        shutil.move(workspace.path, tmp_path / "moved away")


def test_workspaces_of_two_stores_do_not_hinder_each_other(url: str) -> None:
    with Workspace(url).claim(SITE), Workspace(f"{url}.other").claim(SITE) as claim:
        assert claim is not None


def test_a_file_system_without_locks_is_reported(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)

    with pytest.raises(WorkspaceError, match="cannot be locked: No locks available"), Workspace(url).claim(SITE):
        pass


def test_a_workspace_that_another_user_made_is_not_used(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = Workspace(url)
    workspace.path.mkdir(mode=0o700)
    uid = os.geteuid()
    monkeypatch.setattr("os.geteuid", lambda: uid + 1)
    try:
        with pytest.raises(WorkspaceError, match="not ours alone"), workspace.claim(SITE):
            pass
    finally:
        workspace.path.rmdir()


def test_many_processes_never_hold_one_site_together(url: str, tmp_path: Path) -> None:
    script = f"""
import os, sys, time
from harvester.service.workspace import Workspace
until = time.monotonic() + 1.5
while time.monotonic() < until:
    with Workspace({url!r}).claim({SITE!r}) as claim:
        if claim is not None:
            os.close(os.open({str(tmp_path / "inside")!r}, os.O_CREAT | os.O_EXCL))
            time.sleep(0.001)
            os.unlink({str(tmp_path / "inside")!r})
            sys.stdout.write("x")
"""
    processes = [
        subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    outputs = [process.communicate() for process in processes]

    assert [process.returncode for process in processes] == [0] * 4, outputs
    assert sum(len(output[0]) for output in outputs) > 20
    wait_until(lambda: not Workspace(url).path.exists(), "the last one tidied up", seconds=1)


def test_directories_of_one_name_on_two_machines_make_two_holders(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stands for two containers of one host name that share a store but no directory."""
    directory = tmp_path / "tmp"
    monkeypatch.setattr("tempfile.tempdir", str(directory))
    holders = []
    for machine in ("one", "other"):
        directory.mkdir()
        with Workspace(url).claim(SITE) as claim:
            assert claim is not None
            holders.append(claim.holder)
        directory.rename(tmp_path / machine)

    assert holders[0] != holders[1]
