"""The doctor's checks of file systems, file modes and HTTP proxies."""

from pathlib import Path

import pytest

from shared.cli.doctor.check import Level
from shared.cli.doctor.surroundings import check_proxies, check_store_files


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "http_proxy", "ALL_PROXY"])
def test_an_http_proxy_that_is_not_used_is_named(name: str) -> None:
    found = check_proxies({name: "http://10.0.0.1:3128", "HOME": "/root"})

    assert found.level is Level.WARN
    assert name in found.what
    assert "10.0.0.1" not in found.what
    assert check_proxies({"HOME": "/root", "HTTP_PROXY": ""}).level is Level.OK


def test_a_store_on_a_network_drive_is_told_of(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(f"/dev/sda1 / ext4 rw 0 0\nserver:/export {tmp_path}/a\\040share nfs4 rw 0 0\n")
    (tmp_path / "a share").mkdir()
    remote = check_store_files(f"sqlite:///{tmp_path}/a share/x.db", mounts)
    local = check_store_files(f"sqlite:///{tmp_path}/x.db", mounts)

    assert [each.level for each in remote] == [Level.WARN]
    assert "nfs4" in remote[0].what
    assert [each.level for each in local] == [Level.OK]


def test_where_the_system_tells_of_no_mounts_nothing_is_complained_about(tmp_path: Path) -> None:
    found = check_store_files(f"sqlite:///{tmp_path}/x.db", tmp_path / "missing")

    assert [each.level for each in found] == [Level.OK]


def test_store_files_that_others_can_read_are_named_with_the_mend(tmp_path: Path) -> None:
    for name in ("x.db", "x.db-wal"):
        (tmp_path / name).write_text("")
        (tmp_path / name).chmod(0o600)
    (tmp_path / "x.db-wal").chmod(0o644)
    _, modes = check_store_files(f"sqlite:///{tmp_path}/x.db")

    assert modes.level is Level.WARN
    assert modes.mend == f"chmod 600 {tmp_path}/x.db-wal"


def test_other_stores_have_no_files() -> None:
    assert check_store_files("redis://localhost/") == []
