"""Bounds of settings, and the tilde in paths."""

from datetime import UTC, datetime
from pathlib import Path
from time import time
from typing import NoReturn

import pytest

from shared.settings import SettingsError, load


@pytest.fixture(autouse=True)
def _clean_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty working directory, so that no file of the developer's is read."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("FREEAICHAT_HARVEST_INTERVAL", "9999999d", "FREEAICHAT_HARVEST_INTERVAL: is longer than 365d, the most"),
        ("FREEAICHAT_RETENTION", "9999999d", "FREEAICHAT_RETENTION: is longer than 36500d, the most there may be"),
        ("FREEAICHAT_MAX_UPSTREAM", "9" * 30, "FREEAICHAT_MAX_UPSTREAM: has to be less than or equal to 65536"),
        ("FREEAICHAT_DATA_DIR", "~nobody-here/x", "FREEAICHAT_DATA_DIR: nobody knows where ~nobody-here is; write"),
        ("FREEAICHAT_HOST", "a..b", "FREEAICHAT_HOST: is no host; write an address of this machine"),
        ("FREEAICHAT_HOST", "a b", "FREEAICHAT_HOST: is no host; write an address of this machine"),
        ("FREEAICHAT_HOST", "0.0.0.0:8080", "FREEAICHAT_HOST: is no host; write an address of this machine"),
        ("FREEAICHAT_HOST", "http://0.0.0.0", "FREEAICHAT_HOST: is no host; write an address of this machine"),
        ("FREEAICHAT_STORE", "sqlite:///~nobody-here/x", "FREEAICHAT_STORE: nobody knows where ~nobody-here is"),
        ("FREEAICHAT_ENV_FILE", "~nobody-here/.env", "FREEAICHAT_ENV_FILE: ~nobody-here/.env is in nobody's home"),
    ],
)
def test_values_out_of_bounds_are_refused_with_the_bound(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as refused:
        load()
    assert str(refused.value).startswith(message)


def test_a_tilde_is_the_home_of_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "house"))
    (tmp_path / "house").mkdir()
    (tmp_path / "house" / "our.env").write_text(
        "FREEAICHAT_STORE=sqlite:///~/chat/store.db\nFREEAICHAT_DATA_DIR=~/data\nFREEAICHAT_BROWSER=~/chrome\n"
    )
    monkeypatch.setenv("FREEAICHAT_ENV_FILE", "~/our.env")

    found = load()

    assert found.store_url == f"sqlite:///{tmp_path}/house/chat/store.db"
    assert found.data_dir == tmp_path / "house" / "data"
    assert found.browser == str(tmp_path / "house" / "chrome")
    assert load(store="sqlite:///a~b.db").store_url == "sqlite:///a~b.db"


def test_a_user_without_a_home_is_told_to_name_a_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(_: int) -> NoReturn:
        raise KeyError

    for name in ("HOME", "XDG_DATA_HOME", "FREEAICHAT_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", unknown)

    with pytest.raises(SettingsError, match=r"\AFREEAICHAT_DATA_DIR: must name a directory, since"):
        load()
    assert load(data_dir="/srv/chat").data_dir == Path("/srv/chat")


def test_the_longest_durations_are_dates_that_the_system_can_name() -> None:
    found = load(harvest_interval="365d", retention="36500d")
    for seconds in (found.harvest_interval, found.retention):
        assert datetime.fromtimestamp(time() + seconds, UTC).year < 9999
