"""The doctor's checks of the settings, the key and the limits, each with the real thing mis-set."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from shared import parsing
from shared.cli.doctor.check import Level
from shared.cli.doctor.limits import check_inodes, check_memory
from shared.cli.doctor.machine import check_key, check_key_accepted
from shared.cli.doctor.settings import (
    check_aliases,
    check_by_hand,
    check_default_model,
    check_interval,
    check_origins,
    check_pages,
    check_settings,
)
from shared.cli.gateway import Gateway
from shared.models import Bot
from shared.secrets import Secret
from shared.settings import Settings, load


def test_unknown_names_are_reported_with_the_nearest_right_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "settings.env"
    file.write_text("FREEAICHAT_SITE=https://example.org/\nOTHER=1\n")
    monkeypatch.setenv("FREEAICHAT_ENV_FILE", str(file))
    monkeypatch.setenv("FREEAICHAT_APIKEY", "secret")

    found = [check for check in check_settings(load()) if check.level is Level.WARN]

    assert [check.advice for check in found] == ["write FREEAICHAT_API_KEY instead", "write FREEAICHAT_SITES instead"]
    assert "secret" not in str(found)


def test_right_names_are_fine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "settings.env"
    file.write_text("FREEAICHAT_API_KEY=a\nfreeaichat_port=81\nFREEAICHAT_MAX_STORED=1GiB\n")
    monkeypatch.setenv("FREEAICHAT_ENV_FILE", str(file))

    assert {check.level for check in check_settings(load())} == {Level.OK}
    file.unlink()
    assert f"there is no file {file}" in [check.what for check in check_settings(load())]


def test_values_by_hand_are_all_set_or_none() -> None:
    partly = check_by_hand(Settings(ajax_nonce=Secret("abcdef1234")))

    assert check_by_hand(Settings()).level is Level.OK
    assert partly.level is Level.FAIL
    assert "COOKIE, SESSION_ID, POST_ID" in partly.what
    assert "all four" in partly.advice


def test_origins_that_no_browser_sends_are_reported() -> None:
    right = ["*", "null", "chrome-extension://*", "https://a.example", "https://a.example:81/", "*://b.example"]
    wrong = ["a.example", "*.a.example", "https://a.example/page", "https://"]

    report = "".join(check.what for check in check_origins([*right, *wrong]))

    assert [origin for origin in (*right, *wrong) if repr(origin) in report] == wrong


def test_hours_without_their_unit_are_reported() -> None:
    [only] = check_interval(load(harvest_interval="6").harvest_interval)

    assert "every 6.0 s" in only.what
    assert "as in 6h" in only.advice
    assert check_interval(load(harvest_interval="6h").harvest_interval) == check_interval(600.0) == []


def test_a_page_that_another_of_its_origin_displaces_is_reported() -> None:
    [only] = check_pages(parsing.sites("https://a.example/ https://b.example/ https://a.example/chat/"))

    assert "https://a.example/chat/ after https://a.example/," in only.what


def test_names_that_lead_to_no_bot_and_no_model_are_reported(free_port: int) -> None:
    settings = load(sites="https://a.example/", models="right=5,wrong=6,there@a.example=5,where@b.example=5")
    bots = {"https://a.example": (Bot(id=5, name="Five"),)}

    assert [check.what.split("'")[1] for check in check_aliases(settings, bots)] == ["wrong", "where@b.example"]
    assert [check.what.split("'")[1] for check in check_aliases(settings, {})] == ["where@b.example"]
    assert check_default_model(load(default_model="nobody"), Gateway("127.0.0.1", free_port)) == []


@pytest.mark.parametrize(("key", "level"), [("'sk-0123456789abcdef'", Level.FAIL), ("hush", Level.WARN)])
def test_a_key_in_quotes_or_too_short_is_reported_without_showing_it(tmp_path: Path, key: str, level: Level) -> None:
    found = check_key(Settings(data_dir=tmp_path, api_key=Secret(key)))

    assert found.level is level
    assert "FREEAICHAT_API_KEY" in found.advice
    assert key not in found.what + found.advice


def test_without_a_proxy_no_key_is_refused(free_port: int) -> None:
    assert check_key_accepted(Gateway("127.0.0.1", free_port, "a key")).level is Level.OK


def check_files(soft: int, hard: int, max_requests: int) -> list[str]:
    """Level and mend in a process with these limits, since a hard limit that is lowered stays so."""
    script = (
        "import resource; from shared.cli.doctor.limits import check_open_files;"
        f"resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}));"
        f"found = check_open_files({max_requests}); print(found.level.name, found.advice, sep='|')"
    )
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split("|")


def test_too_few_open_files_are_reported_with_both_fixes() -> None:
    level, remedy = check_files(soft=256, hard=256, max_requests=4096)

    assert level == "WARN"
    assert remedy.strip() == "raise the hard limit (ulimit -Hn) to 8256, or FREEAICHAT_MAX_REQUESTS=96"
    assert check_files(soft=256, hard=256, max_requests=96)[0] == "OK"


def test_a_low_soft_limit_is_fine_since_the_proxy_raises_it() -> None:
    assert check_files(soft=128, hard=256, max_requests=96)[0] == "OK"


def test_little_memory_is_reported() -> None:
    found = check_memory(100 << 20)

    assert found.what == "100 MiB free"
    assert found.level is Level.WARN


@pytest.mark.parametrize(
    ("allowed", "message"),
    [("268435456\n", "256 MiB allowed to this container"), ("max\n", "2000 MiB free"), ("8589934592", "2000 MiB free")],
)
def test_what_a_container_may_use_counts_too(tmp_path: Path, allowed: str, message: str) -> None:
    (tmp_path / "memory.max").write_text(allowed)

    found = check_memory(2000 << 20, tmp_path / "memory.max")

    assert found.what == message
    assert found.level is (Level.WARN if "allowed" in message else Level.OK)


def test_inodes_are_counted_where_the_data_will_be(tmp_path: Path) -> None:
    counted = os.statvfs(tmp_path).f_files > 0

    assert check_inodes(tmp_path / "new", least=0).level is Level.OK
    assert check_inodes(tmp_path / "new", least=2**64).level is (Level.WARN if counted else Level.OK)
