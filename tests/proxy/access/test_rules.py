"""Who may use the proxy."""

from hashlib import sha256
from pathlib import Path

import pytest

from proxy.access.keyring import Keyring
from proxy.access.rules import MASTER, OPEN, AccessRules, Caller, check_admin, is_loopback_name, sent_keys
from proxy.access.sessions import issue
from proxy.chat.errors import ServiceError
from shared.admin.keys import new_key, parse_new_key
from shared.store import open_store
from tests.proxy.access.rules import access


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer my key"},
        {"Authorization": "bearer\tmy key"},
        {"Authorization": "bearer   my key  "},
        {"Authorization": "BEARER my key"},
        {"Authorization": "my key"},
        {"x-api-key": "my key"},
        {"api-key": "my key"},
        {"Authorization": "Bearer wrong", "x-api-key": "my key"},
    ],
)
def test_the_key_is_found_however_it_is_sent(headers: dict[str, str]) -> None:
    assert access("my key").identify(headers, now=0.0) is MASTER


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer"}, {"Authorization": "Bearer my  key"}, {"x-api-key": "my ke"}]
)
def test_a_missing_or_wrong_key_is_401(headers: dict[str, str]) -> None:
    with pytest.raises(ServiceError) as exc_info:
        access("my key").identify(headers, now=0.0)

    assert (exc_info.value.status, exc_info.value.code) == (401, "invalid_api_key")
    assert "my ke" not in exc_info.value.message


def test_without_a_key_placeholder_keys_do_no_harm() -> None:
    assert access().identify({"Authorization": "Bearer EMPTY"}, now=0.0) is OPEN


def test_a_key_may_hold_any_character() -> None:
    assert access("clé 钥匙").identify({"x-api-key": "clé 钥匙"}, now=0.0) is MASTER


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "localhost:8080", "127.0.0.1:1", "127.9.9.9", "[::1]:8080", "a.localhost"),
        *("host.docker.internal", "Host.Docker.Internal:8080", "host.docker.internal.", "localhost."),
    ],
)
def test_without_a_key_loopback_names_are_served(host: str) -> None:
    access().check_local(host, {})


@pytest.mark.parametrize(
    "host",
    ["", "evil.example", "127.0.0.1.evil.example", "10.0.0.1", "[fe80::1]:8080", "localhost.evil", "a.docker.internal"],
)
def test_without_a_key_other_names_are_refused(host: str) -> None:
    with pytest.raises(ServiceError) as exc_info:
        access().check_local(host, {})

    error = exc_info.value
    assert (error.status, error.type, error.code) == (403, "permission_error", "host_not_allowed")
    access("k").check_local(host, {})


def test_browser_pages_of_other_origins_need_a_key_or_a_setting() -> None:
    closed, opened, keyed = access(), access(cors_origins=["https://App.example/"]), access("k")

    assert closed.allows_origin("http://localhost:3000")
    assert not closed.allows_origin("https://app.example")
    assert not closed.allows_origin("null")
    assert opened.allows_origin("https://app.example")
    assert access(cors_origins=["*"]).allows_origin("https://any.example")
    assert keyed.allows_origin("https://any.example")


@pytest.mark.parametrize(
    "origin",
    [
        "app://obsidian.md",
        "file://",
        "tauri://localhost",
        "vscode-webview://1abc",
        "vscode-file://vscode-app",
        "APP://x",
    ],
)
def test_programs_with_a_browser_inside_are_served_without_a_setting(origin: str) -> None:
    assert access().allows_origin(origin)
    with pytest.raises(ServiceError):
        check_admin(OPEN, origin.replace("localhost", "x"))
    check_admin(MASTER, origin.replace("localhost", "x"))


@pytest.mark.parametrize(
    ("pattern", "served", "refused"),
    [
        ("chrome-extension://*", "chrome-extension://abcdefgh", "moz-extension://abcdefgh"),
        ("chrome-extension://abc", "chrome-extension://ABC", "chrome-extension://abcd"),
        ("https://*.example.com", "https://a.example.com", "https://example.com.evil"),
        ("https://*.example.com", "https://a.b.example.com", "https://aXexample.com"),
        ("http://app.example:*/", "http://app.example:3000", "http://evil.example:3000"),
        ("https://a.example", "https://a.example", "https://aXexample"),
    ],
)
def test_origins_are_named_by_patterns_too(pattern: str, served: str, refused: str) -> None:
    rules = access(cors_origins=["https://other.example", pattern])

    assert rules.allows_origin(served)
    assert not rules.allows_origin(refused)
    assert not rules.allows_origin(f"https://evil.example/{served}")


@pytest.mark.parametrize(
    "origin", ["null", "", "app", "app:", "chrome-extension://abc", "https://app", "http://file.example"]
)
def test_other_origins_are_not(origin: str) -> None:
    assert not access().allows_origin(origin)


@pytest.mark.parametrize(
    "name",
    [
        *("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Server"),
        *("X-Real-IP", "CF-Connecting-IP", "True-Client-IP"),
    ],
)
def test_what_a_reverse_proxy_passes_on_needs_a_key(name: str) -> None:
    with pytest.raises(ServiceError) as exc_info:
        access().check_local("localhost", {name: "127.0.0.1"})

    assert (exc_info.value.status, exc_info.value.code) == (403, "forwarded_not_allowed")
    assert name in exc_info.value.message
    assert "FREEAICHAT_API_KEY" in exc_info.value.message
    access("k").check_local("localhost", {name: "192.0.2.1"})
    access().check_local("localhost", {"User-Agent": "curl"})


def test_who_speaks_http_1_0_administrates_with_a_key_alone() -> None:
    """nginx as it comes tells of nobody behind it, and speaks that."""
    with pytest.raises(ServiceError) as exc_info:
        check_admin(OPEN, is_old_http=True)

    assert exc_info.value.code == "forwarded_not_allowed"
    with pytest.raises(ServiceError) as exc_info:
        check_admin(OPEN, "https://app.example")
    assert (exc_info.value.status, exc_info.value.code) == (403, "origin_not_allowed")
    check_admin(OPEN, "http://localhost:3000")
    check_admin(MASTER, "https://app.example")
    check_admin(OPEN)
    check_admin(MASTER, is_old_http=True)


async def test_a_session_is_not_called_ended_before_anybody_could_look(tmp_path: Path) -> None:
    async with open_store(f"sqlite:///{tmp_path}/store.db") as store:
        keyring = Keyring(store, lambda: None)
        token = issue(await keyring.sealing_key(), "key_1", b"proof", now=1000.0)
        statuses = []
        for _ in range(2):
            with pytest.raises(ServiceError) as exc_info:
                await AccessRules(keyring, key="my key").holder(token, now=1000.0)
            statuses.append(exc_info.value.status)
            await keyring.load()
        of_master = issue(await keyring.sealing_key(), MASTER.id, sha256(b"my key").digest(), now=1000.0)
        assert await AccessRules(keyring, key="my key").holder(of_master, now=1000.0) is MASTER

    assert statuses == [503, 401]
    kept = tmp_path / "store.db.secret"
    kept.unlink()
    kept.mkdir()  # it cannot be read any more
    with pytest.raises(ServiceError) as exc_info:
        await AccessRules(Keyring(store, lambda: None), key="my key").holder(of_master, now=1000.0)
    assert exc_info.value.status == 503


def test_callers_queue_by_their_key_else_by_their_address_and_only_limited_keys_are_counted() -> None:
    keys = [
        new_key(b"pepper", parse_new_key("app", **limits), now=0.0)[1]
        for limits in ({}, {"models": ["a"]}, {"rpm": 1}, {"tpd": 1})
    ]
    callers = [Caller(key.id, key.name, key=key) for key in keys]

    assert [caller.queue_key("192.0.2.1") for caller in callers] == [key.id for key in keys]
    assert {caller.queue_key("192.0.2.1") for caller in (OPEN, MASTER)} == {"192.0.2.1"}
    assert OPEN.queue_key(None) == ""
    assert [caller.limited_key for caller in (OPEN, MASTER, *callers)] == [None, None, None, None, *keys[2:]]


def test_names_of_this_machine() -> None:
    assert is_loopback_name("LOCALHOST.")
    assert not is_loopback_name("")


def test_all_sent_keys_are_listed_once_each() -> None:
    assert sent_keys({"Authorization": "Bearer a", "x-api-key": "b"}) == ["a", "b"]
    assert sent_keys({"Authorization": "Basic YTpi", "x-api-key": "b"}) == ["b"]
    assert sent_keys({"Authorization": "Basic"}) == ["Basic"]


async def test_a_proxy_that_could_never_read_the_keys_lets_nobody_in_without_the_master_key(tmp_path: Path) -> None:
    async with open_store(f"sqlite:///{tmp_path}/s.db") as store:
        rules = AccessRules(Keyring(store, lambda: None), key=None)

        assert rules.needs_key
        for headers in ({}, {"x-api-key": "any"}):
            with pytest.raises(ServiceError) as exc_info:
                rules.identify(headers, now=0.0)
            assert (exc_info.value.status, exc_info.value.code) == (503, "store_unavailable")
