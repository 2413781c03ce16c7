"""Settings of OpenAI-compatible servers."""

import pytest

from shared.cli.doctor.server import check_keys
from shared.parsing import keys, servers
from shared.settings import SettingsError, load


@pytest.mark.parametrize(
    ("text", "urls"),
    [
        ("ollama=http://127.0.0.1:11434/v1", {"ollama": "http://127.0.0.1:11434/v1"}),
        ("a=http://h/v1/, b=https://h:8443/x/y", {"a": "http://h/v1", "b": "https://h:8443/x/y"}),
        ("a=http://h", {"a": "http://h/v1"}),
        ("a=http://h/", {"a": "http://h/v1"}),
    ],
)
def test_servers_are_read(text: str, urls: dict[str, str]) -> None:
    assert {server.name: server.base_url for server in servers(text)} == urls


@pytest.mark.parametrize(
    "text",
    [
        "http://127.0.0.1:11434/v1",
        "a=127.0.0.1:11434",
        "a=ftp://h/v1",
        "a=http://",
        "a=http://h:99999/v1",
        "a=http://user:hush@h/v1",
        "a=http://h/v1?key=1",
        "a/b=http://h/v1",
        "a@b=http://h/v1",
        "=http://h/v1",
        "a=http://h/v1 A=http://i/v1",
    ],
)
def test_what_is_no_server_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"server|base URL") as refused:
        servers(text)
    assert "hush" not in str(refused.value)


def test_keys_are_read_and_never_repeated() -> None:
    assert keys("a=sk-1=, b=2") == {"a": "sk-1=", "b": "2"}
    for wrong in ("sk-secret", "a=", "a=sk-secret b", "a/b=sk-secret"):
        with pytest.raises(ValueError, match="name=key") as refused:
            keys(wrong)
        assert "secret" not in str(refused.value)


@pytest.mark.parametrize("model", ["llama3.2", "ollama", "ollama/", "other/llama3.2"])
def test_the_fallback_is_a_model_of_a_server(monkeypatch: pytest.MonkeyPatch, model: str) -> None:
    monkeypatch.setenv("FREEAICHAT_SERVERS", "ollama=http://127.0.0.1:11434/v1")
    assert load(fallback_model="ollama/llama3.2").servers[0].name == "ollama"

    with pytest.raises(SettingsError) as refused:
        load(fallback_model=model)

    assert str(refused.value).startswith("FREEAICHAT_FALLBACK_MODEL: is no model of a server")


def test_keys_belong_to_servers_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FREEAICHAT_SERVERS", "a=http://h/v1, b=http://i")
    monkeypatch.setenv("FREEAICHAT_SERVER_KEYS", "b=sk-b")

    found = load()

    assert [found.server_key(server) for server in found.servers] == ["", "sk-b"]
    assert "sk-b" not in f"{found!r} {found!s}"


def test_names_of_servers_are_the_same_in_any_case(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FREEAICHAT_SERVERS", "Ollama=http://h/v1")
    monkeypatch.setenv("FREEAICHAT_SERVER_KEYS", "ollama=sk-b")

    found = load(fallback_model="OLLAMA/llama3.2")

    assert found.server_key(found.servers[0]) == "sk-b"
    assert check_keys(found) == []


def test_a_mistyped_key_is_not_printed_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FREEAICHAT_SERVER_KEYS", "hush-server")

    with pytest.raises(SettingsError) as refused:
        load()

    assert "hush" not in f"{refused.value!s} {refused.value!r}"
