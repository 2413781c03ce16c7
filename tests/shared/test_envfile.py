"""Reading `.env`: missing and unreadable files, and blanks around values."""

from pathlib import Path

import pytest

from shared.secrets import Secret
from shared.settings import SettingsError, load


@pytest.mark.parametrize("name", ["missing", "a directory", "a directory/.env", "a file/.env"])
def test_where_there_is_no_file_there_are_no_settings(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a directory").mkdir()
    (tmp_path / "a file").touch()
    monkeypatch.setenv("FREEAICHAT_ENV_FILE", str(tmp_path / name))

    assert load().store == ""


BLANK = {
    "FREEAICHAT_API_KEY": " key one ",
    "FREEAICHAT_LOG_LEVEL": " INFO\t",
    "PORT": " 9001 ",
    "FREEAICHAT_STORE": " ",
}


def test_blanks_around_a_value_mean_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("".join(f"{name}='{value}'\n" for name, value in BLANK.items()))
    in_file = load()
    (tmp_path / ".env").unlink()
    for name, value in BLANK.items():
        monkeypatch.setenv(name, value)

    for found in (in_file, load()):
        assert (found.api_key, found.log_level) == (Secret("key one"), "info")
        assert (found.port, found.store) == (9001, "")


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ('FREEAICHAT_API_KEY="hush', "FREEAICHAT_API_KEY"),
        ("export api_master_key='hush", "API_MASTER_KEY"),
        ("FREEAICHAT_API_KEY: hush", "FREEAICHAT_API_KEY"),
        ("export freeaichat_api_key hush", "FREEAICHAT_API_KEY"),
        ('COOKIE="a="hush"; c=d"', "COOKIE"),
        ("PORT='\nFREEAICHAT_API_KEY='hush'", "PORT"),
    ],
)
def test_a_line_of_ours_that_cannot_be_read_is_never_skipped(
    line: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text(f"OTHER=x\n\nNGINX_PORT=9001\n{line}\n")

    with pytest.raises(SettingsError) as refused:
        load()
    assert str(refused.value) == (
        f"FREEAICHAT_ENV_FILE: .env cannot be read in line 4 ({name}): write NAME=value, where a quote that opens also "
        "closes"
    )
    assert "hush" not in f"{refused.value!s} {refused.value!r}"


def test_what_others_keep_in_the_file_may_be_written_in_any_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("OTHER='x\n[section]\nkey: value\nPort of the proxy\nPORT=9001\n")

    assert load().port == 9001


def test_a_file_that_cannot_be_read_is_never_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").symlink_to(tmp_path / ".env")
    monkeypatch.setenv("FREEAICHAT_ENV_FILE", str(tmp_path / ".env"))

    with pytest.raises(SettingsError) as refused:
        load()
    assert str(refused.value) == f"FREEAICHAT_ENV_FILE: {tmp_path / '.env'} cannot be read: " + (
        "Too many levels of symbolic links"
    )
