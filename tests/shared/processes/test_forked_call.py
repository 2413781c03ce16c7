"""Values that are computed in a forked process."""

import os
import sys
import traceback
from importlib import import_module
from pathlib import Path

import pytest

from shared.processes.forked_call import call_in_fork
from shared.settings import Settings, SettingsError, load, load_in_fork


def test_imports_of_a_forked_call_stay_out_of_this_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "heavy_reader.py").write_text("value = 7\n")
    monkeypatch.syspath_prepend(tmp_path)

    assert call_in_fork(lambda: import_module("heavy_reader").value)() == 7
    assert "heavy_reader" not in sys.modules


def test_an_error_is_raised_where_the_value_is_asked_for() -> None:
    def fail() -> None:
        raise SettingsError("FREEAICHAT_PORT: no port")

    outcome = call_in_fork(fail)

    with pytest.raises(SettingsError, match="FREEAICHAT_PORT: no port"):
        outcome()


def test_an_error_tells_where_it_was_raised() -> None:
    def fail() -> None:
        raise ValueError("nobody foresaw this")

    with pytest.raises(ValueError, match="nobody foresaw this") as raised:
        call_in_fork(fail)()

    assert "in fail" in "".join(traceback.format_exception(raised.value))


class TwoWords(Exception):
    """Cannot be unpacked: `pickle` would make it of its text alone."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(f"{first} {second}")


def test_an_error_that_cannot_be_unpacked_is_reported_all_the_same() -> None:
    def fail() -> None:
        raise TwoWords("nobody", "foresaw this")

    with pytest.raises(RuntimeError, match=r"in fail(.|\n)*nobody foresaw this"):
        call_in_fork(fail)()


def test_a_child_that_ends_without_a_result_is_an_error() -> None:
    def end() -> None:
        os._exit(0)

    with pytest.raises(RuntimeError, match="ended without a word"):
        call_in_fork(end)()


def test_settings_loaded_in_a_fork_are_the_same(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FREEAICHAT_HOST", "::1")
    monkeypatch.setenv("FREEAICHAT_SERVER_KEYS", "mine=sk-1")
    monkeypatch.setenv("COOKIE", "a=1; b=2")

    found = load_in_fork(port="9001")()

    assert found == load(port=9001) != Settings()
    assert found.hosts == ("::1",)
