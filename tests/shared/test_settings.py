"""Settings: names, defaults, precedence, `.env` taken literally, and errors that name the setting alone."""

import os
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from shared import parsing
from shared.parsing import Site
from shared.secrets import Secret
from shared.settings import NAMES, Settings, SettingsError, load
from shared.settings.field_types import undouble_dollars

ALIASES = ("API_MASTER_KEY", "PORT", "NGINX_PORT", "COOKIE", "AJAX_NONCE", "SESSION_ID", "POST_ID")


@pytest.fixture(autouse=True)
def _clean_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty working directory and none of our names in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.upper().startswith("FREEAICHAT_") or name.upper() in ALIASES:
            monkeypatch.delenv(name)


def _from_file(text: str, **overrides: Any) -> Settings:
    Path(".env").write_text(text, encoding="utf-8")
    return load(**overrides)


def _refusal(monkeypatch: pytest.MonkeyPatch, **environment: str) -> str:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as refused:
        load()
    return str(refused.value)


def test_every_setting_has_a_default() -> None:
    found = load()

    assert found.sites == (Site("https://chatgptfree.ai", "https://chatgptfree.ai/"),)
    assert found.api_key == Secret()
    assert (found.host, found.port, found.is_loopback_bind) == ("127.0.0.1", 8080, True)
    assert found.store_url == f"sqlite:///{found.data_dir}/freeaichat.db"
    assert found.data_dir.is_absolute()
    assert found.harvest_interval == 6 * 3600
    assert (found.models, found.default_model, found.browser) == ({}, "", "")
    assert (found.keepalive, found.max_upstream, found.max_body) == ("comment", 8, 32 * 1024**2)
    assert (found.log_level, found.log_format) == ("info", "console")
    assert (found.cookie, found.ajax_nonce, found.session_id, found.post_id) == (*[Secret("")] * 3, 0)
    assert (found.retention, found.max_stored, found.cors_origins) == (30 * 86400, 512 * 1024**2, ())
    assert all(each.metadata["meaning"] for each in fields(Settings) if each.name in NAMES)


@pytest.mark.parametrize("source", ["environment", "file"])
def test_every_setting_is_read_from_the_environment_and_from_the_file(
    monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    values = {
        "FREEAICHAT_SITES": "chat.example/a/?x=1, http://127.0.0.1:80/b https://[::1]:8443",
        "FREEAICHAT_API_KEY": "a key with blanks",
        "FREEAICHAT_HOST": "0.0.0.0",
        "FREEAICHAT_PORT": "9000",
        "FREEAICHAT_DATA_DIR": "~/gateway",
        "FREEAICHAT_STORE": "sqlite:///x.db",
        "FREEAICHAT_HARVEST_INTERVAL": "1h30m",
        "FREEAICHAT_BROWSER": "/usr/bin/chromium",
        "FREEAICHAT_MODELS": "mine=7, other=9",
        "FREEAICHAT_DEFAULT_MODEL": "mine",
        "FREEAICHAT_KEEPALIVE": "off",
        "FREEAICHAT_MAX_UPSTREAM": "2",
        "FREEAICHAT_LOG_LEVEL": "debug",
        "FREEAICHAT_LOG_FORMAT": "json",
        "FREEAICHAT_MAX_BODY": "1MiB",
        "FREEAICHAT_CORS_ORIGINS": "https://a.example https://b.example",
        "FREEAICHAT_RETENTION": "7d",
        "FREEAICHAT_MAX_STORED": "10MB",
        "COOKIE": "a=1",
        "AJAX_NONCE": "0123456789",
        "SESSION_ID": "guest",
        "POST_ID": "18",
    }
    if source == "environment":
        for name, value in values.items():
            monkeypatch.setenv(name, value)
        found = load()
    else:
        found = _from_file("".join(f'{name}="{value}"\n' for name, value in values.items()))

    assert [site.url for site in found.sites] == [
        "https://chat.example/a/?x=1",
        "http://127.0.0.1/b",
        "https://[::1]:8443/",
    ]
    assert [site.host for site in found.sites] == ["chat.example", "127.0.0.1", "[::1]:8443"]
    assert found.api_key == Secret("a key with blanks")
    assert (found.host, found.port, found.is_loopback_bind) == ("0.0.0.0", 9000, False)
    assert found.data_dir == Path.home() / "gateway"
    assert found.store_url == "sqlite:///x.db"
    assert (found.harvest_interval, found.retention) == (5400.0, 7 * 86400.0)
    assert (found.browser, found.models, found.default_model) == ("/usr/bin/chromium", {"mine": 7, "other": 9}, "mine")
    assert (found.keepalive, found.max_upstream, found.log_level, found.log_format) == ("off", 2, "debug", "json")
    assert (found.max_body, found.max_stored) == (1024**2, 10 * 1000**2)
    assert found.cors_origins == ("https://a.example", "https://b.example")
    assert (found.cookie, found.ajax_nonce) == (Secret("a=1"), Secret("0123456789"))
    assert (found.session_id, found.post_id) == (Secret("guest"), 18)


@pytest.mark.parametrize("name", ["FREEAICHAT_PORT", "PORT", "NGINX_PORT"])
def test_the_port_has_aliases(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "9001")
    assert load().port == 9001


@pytest.mark.parametrize("name", ["FREEAICHAT_API_KEY", "API_MASTER_KEY"])
def test_the_key_has_an_alias(name: str) -> None:
    assert _from_file(f"{name}='sk one'").api_key == Secret("sk one")


@pytest.mark.parametrize("name", ["API_KEY", "HOST", "STORE", "MODELS", "SITES"])
def test_names_of_other_programs_mean_nothing(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "1")
    assert load() == Settings()
    monkeypatch.delenv(name)
    assert load().api_key == Secret()


@pytest.mark.parametrize(("in_environment", "in_file"), [("FREEAICHAT_PORT", "PORT"), ("PORT", "FREEAICHAT_PORT")])
def test_the_environment_wins_over_the_file_under_whatever_alias(
    monkeypatch: pytest.MonkeyPatch, in_environment: str, in_file: str
) -> None:
    monkeypatch.setenv(in_environment, "9001")
    assert _from_file(f"{in_file}=9002\nFREEAICHAT_HOST=::1").port == 9001
    assert load().host == "::1"


def test_an_override_wins_over_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FREEAICHAT_PORT", "9001")
    found = _from_file("PORT=9002\nAPI_MASTER_KEY=x", port=9003, api_key="y", host=None)
    assert (found.port, found.api_key, found.host) == (9003, Secret("y"), "127.0.0.1")


@pytest.mark.parametrize("name", ["FREEAICHAT_API_KEY", "FREEAICHAT_PORT", "COOKIE", "POST_ID", "FREEAICHAT_SITES"])
def test_an_empty_value_is_none(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "")
    assert load() == _from_file(f"{name}=\n") == Settings()


def test_the_file_may_be_named_and_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    named = tmp_path / "other.env"
    monkeypatch.setenv("FREEAICHAT_ENV_FILE", str(named))
    assert _from_file("PORT=9002").port == 8080
    named.write_text("PORT=9003")
    assert load().port == 9003


# COOKIE ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "cookie"),
    [
        ("COOKIE='a=$x; b=${HOME}; c=#1; d=\"q\"'", 'a=$x; b=${HOME}; c=#1; d="q"'),
        ('COOKIE="a=$x; b=${HOME} # no comment; c"', "a=$x; b=${HOME} # no comment; c"),
        ("COOKIE=a=$x; b=${HOME}; c=#1", "a=$x; b=${HOME}; c=#1"),
        ("COOKIE=a=1; b=2  # a comment", "a=1; b=2"),
        ("export COOKIE='a=$$x; b=$${HOME}'", "a=$x; b=${HOME}"),
        ("COOKIE='a=$$x; b=$y'", "a=$$x; b=$y"),
        ("\ufeffCOOKIE='a=1'\r\nPOST_ID=18\r\n", "a=1"),
    ],
)
def test_the_file_is_taken_literally(line: str, cookie: str) -> None:
    assert _from_file(line).cookie.value == cookie


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("", ""),
        ("a=1", "a=1"),
        ("a=$$1", "a=$1"),
        ("a=$$1; b=$$$$", "a=$1; b=$$"),
        ("a=$1", "a=$1"),
        ("a=$$1; b=$", "a=$$1; b=$"),
        ("a=$$$1", "a=$$$1"),
    ],
)
def test_doubled_dollars_are_single_ones_only_where_all_are_doubled(
    monkeypatch: pytest.MonkeyPatch, written: str, meant: str
) -> None:
    monkeypatch.setenv("COOKIE", written)
    assert undouble_dollars(written) == load().cookie.value == meant


def test_only_the_cookies_dollars_are_ever_doubled() -> None:
    assert _from_file("API_MASTER_KEY='a$$b'").api_key == Secret("a$$b")


# Refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("FREEAICHAT_HARVEST_INTERVAL", "soon", "FREEAICHAT_HARVEST_INTERVAL: 'soon' is not a duration; write"),
        ("FREEAICHAT_HARVEST_INTERVAL", "0", "FREEAICHAT_HARVEST_INTERVAL: has to be greater than 0"),
        ("FREEAICHAT_RETENTION", f"{'9' * 400}d", "FREEAICHAT_RETENTION: has to be a finite number"),
        ("FREEAICHAT_SITES", "ftp://x", "FREEAICHAT_SITES: 'ftp://x' is not a page address; write"),
        ("FREEAICHAT_SITES", " , ", "FREEAICHAT_SITES: names no page; write for example https://"),
        ("FREEAICHAT_MODELS", "a=b", "FREEAICHAT_MODELS: 'a=b' is not alias=bot_id; write"),
        ("FREEAICHAT_PORT", "http", "FREEAICHAT_PORT: has to be a whole number"),
        ("PORT", "70000", "FREEAICHAT_PORT: has to be less than or equal to 65535"),
        ("FREEAICHAT_MAX_UPSTREAM", "0", "FREEAICHAT_MAX_UPSTREAM: has to be greater than or equal to 1"),
        ("FREEAICHAT_MAX_BODY", "tons", "FREEAICHAT_MAX_BODY: is no size; write for example"),
        ("FREEAICHAT_MAX_BODY", "5 tons", "FREEAICHAT_MAX_BODY: is no size; write for example"),
        ("FREEAICHAT_MAX_BODY", "0", "FREEAICHAT_MAX_BODY: has to be greater than 0"),
        ("FREEAICHAT_MAX_BODIES", "0MiB", "FREEAICHAT_MAX_BODIES: has to be greater than 0"),
        ("FREEAICHAT_API_KEY", "a\nb", "FREEAICHAT_API_KEY: holds a line break or another control character"),
        ("FREEAICHAT_KEEPALIVE", "no", "FREEAICHAT_KEEPALIVE: has to be 'comment', 'chunk' or 'off'"),
        ("FREEAICHAT_LOG_LEVEL", "LOUD", "FREEAICHAT_LOG_LEVEL: has to be 'debug', 'info',"),
        ("FREEAICHAT_LOG_FORMAT", "xml", "FREEAICHAT_LOG_FORMAT: has to be 'console' or 'json'"),
        ("POST_ID", "x", "POST_ID: has to be a whole number"),
        ("SESSION_ID", "s" * 65, "SESSION_ID: is longer than the 64 characters"),
    ],
)
def test_a_bad_value_is_refused_by_the_name_it_has(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str
) -> None:
    assert _refusal(monkeypatch, **{name: value}).startswith(message)


@pytest.mark.parametrize("name", ["COOKIE", "AJAX_NONCE", "SESSION_ID"])
def test_a_line_break_in_a_captured_value_is_refused_since_no_header_can_carry_it(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    assert _refusal(monkeypatch, **{name: "hush\r\nX-Evil: 1"}) == (
        f"{name}: holds a line break or another control character"
    )


def test_secrets_are_in_no_repr_and_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = {
        "FREEAICHAT_API_KEY": "hush-key",
        "COOKIE": "a=hush-cookie",
        "AJAX_NONCE": "hush-nonce",
        "SESSION_ID": "hush-session",
        "FREEAICHAT_STORE": "redis://:hush-password@host/0",
    }
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    found = load()
    assert "hush" not in f"{found!r} {found!s}"

    monkeypatch.setenv("SESSION_ID", "hush" * 20)
    monkeypatch.setenv("COOKIE", "hush\nhush")
    monkeypatch.setenv("POST_ID", "hush")
    with pytest.raises(SettingsError) as refused:
        load()
    assert "hush" not in f"{refused.value!s} {refused.value!r}"
    assert str(refused.value).count("\n") == 2


def test_all_that_is_wrong_is_reported_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = _refusal(monkeypatch, PORT="x", POST_ID="-1", FREEAICHAT_RETENTION="x").splitlines()
    assert sorted(line.partition(":")[0] for line in lines) == ["FREEAICHAT_PORT", "FREEAICHAT_RETENTION", "POST_ID"]


def test_a_file_that_is_not_text_is_refused_by_name_without_its_content() -> None:
    Path(".env").write_bytes("COOKIE=hush\n# 注释".encode("gbk"))
    with pytest.raises(SettingsError) as refused:
        load()
    assert str(refused.value) == "FREEAICHAT_ENV_FILE: .env is not UTF-8 text; save it as UTF-8"
    assert "hush" not in f"{refused.value!s} {refused.value!r}"


def test_two_pages_of_one_origin_are_one_site() -> None:
    found = parsing.sites("https://a.example/chat/ https://b.example, https://A.example:443/other/ a.example/chat/")

    assert [(site.origin, site.url) for site in found] == [
        ("https://a.example", "https://a.example/chat/"),
        ("https://b.example", "https://b.example/"),
    ]
    assert [site.unused_urls for site in found] == [("https://a.example/other/",), ()]
