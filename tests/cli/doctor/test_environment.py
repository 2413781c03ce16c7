"""The doctor's checks of file systems, file modes and HTTP proxies."""

from pathlib import Path

import pytest

from shared.cli.doctor.check import Level
from shared.cli.doctor.environment import check_authorities, check_proxies, check_store_files
from shared.parsing import site

SITE = site("https://chat.example/")


def test_the_http_proxy_to_a_site_is_named_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://me:hush@10.0.0.1:3128")
    monkeypatch.setenv("NO_PROXY", "other.example")
    through, around = check_proxies([SITE, site("https://www.other.example/")])

    assert (through.level, around.level) == (Level.OK, Level.OK)
    assert through.what == "https://chat.example is asked through 10.0.0.1:3128"
    assert around.what == "none on the way to https://www.other.example"


def test_a_proxy_that_cannot_be_used_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://me:hush@10.0.0.1:1080")
    (found,) = check_proxies([SITE])

    assert found.level is Level.FAIL
    assert "socks5" in found.what
    assert "hush" not in found.what + found.advice


def test_authorities_that_are_not_there_are_reported(tmp_path: Path) -> None:
    found = check_authorities({"SSL_CERT_FILE": str(tmp_path / "missing.pem")})

    assert found.level is Level.FAIL
    assert "SSL_CERT_FILE" in found.what
    assert check_authorities({"SSL_CERT_DIR": str(tmp_path)}).level is Level.OK
    assert check_authorities({}).level is Level.OK


def test_a_store_on_a_network_drive_is_reported(tmp_path: Path) -> None:
    mounts = {"/": "ext4", f"{tmp_path}/a share": "nfs4"}
    (tmp_path / "a share").mkdir()
    remote = check_store_files(f"sqlite:///{tmp_path}/a share/x.db", mounts)
    (tmp_path / "link").symlink_to(tmp_path / "a share")
    by_link = check_store_files(f"sqlite:///{tmp_path}/link/x.db", mounts)
    local = check_store_files(f"sqlite:///{tmp_path}/x.db", mounts)

    assert [each.level for each in (*remote, *by_link)] == [Level.WARN, Level.WARN]
    assert "nfs4" in remote[0].what
    assert [each.level for each in local] == [Level.OK]


def test_where_the_system_tells_of_no_mounts_nothing_is_complained_about(tmp_path: Path) -> None:
    found = check_store_files(f"sqlite:///{tmp_path}/x.db", {})

    assert [each.level for each in found] == [Level.OK]


def test_store_files_that_others_can_read_are_named_with_the_fix(tmp_path: Path) -> None:
    for name in ("my x.db", "my x.db-wal"):
        (tmp_path / name).write_text("")
        (tmp_path / name).chmod(0o600)
    (tmp_path / "my x.db-wal").chmod(0o644)
    _, modes = check_store_files(f"sqlite:///{tmp_path}/my x.db", {})

    assert modes.level is Level.WARN
    assert modes.advice == f"chmod 600 '{tmp_path}/my x.db-wal'"


def test_files_that_are_no_stores_keep_their_modes(tmp_path: Path) -> None:
    (tmp_path / "passwd").write_text("root:x:0:0")
    (tmp_path / "data").write_text("")
    (tmp_path / "data").chmod(0o600)
    (tmp_path / "database").write_text("")

    assert [
        check.name for name in ("passwd", "data") for check in check_store_files(f"sqlite:///{tmp_path}/{name}", {})
    ] == [
        "store drive",
        "store drive",
    ]


def test_other_stores_have_no_files() -> None:
    assert check_store_files("redis://localhost/", {}) == []
