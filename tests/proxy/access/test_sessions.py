"""Browser sessions as plain values."""

import pytest

from proxy.access.sessions import LIFETIME, is_foreign, is_genuine, is_proven, issue, read, sealing_key

KEY = sealing_key(b"the store's secret")
HOST = "localhost:8080"


def test_a_session_is_read_back_and_genuine() -> None:
    session = read(issue(KEY, "key_1a", b"proof", now=1000.9))

    assert session is not None
    assert (session.holder, session.expires_at) == ("key_1a", 1000 + LIFETIME)
    assert is_genuine(KEY, session, b"proof")


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("key_1a", "master"),
        lambda text: text.replace(str(1000 + LIFETIME), str(1001 + LIFETIME)),
        lambda text: text.replace("key_1a.60", "key_1a60."),
        lambda text: text[:-1] + ("0" if text[-1] != "0" else "1"),
    ],
)
def test_a_session_that_was_changed_is_not_genuine(change: object) -> None:
    assert callable(change)
    session = read(change(issue(KEY, "key_1a", b"proof", now=1000)))

    assert session is not None
    assert not is_genuine(KEY, session, b"proof")


def test_a_session_dies_with_its_key_and_with_the_secret_of_the_store() -> None:
    session = read(issue(KEY, "master", b"proof", now=1000))

    assert session is not None
    assert not is_genuine(KEY, session, b"another proof")
    assert not is_genuine(sealing_key(b"another store"), session, b"proof")


@pytest.mark.parametrize(
    "text",
    [
        *("", "1", "1.master.5", "é" * 90),
        *(f"{start}.{'0' * 64}" for start in ("2.master.5", "1.MASTER.5", f"1.{'k' * 65}.5", f"1.master.{'9' * 5000}")),
        *(f"1.master.5.{'0' * 64}{end}" for end in ("0", "\n")),
    ],
)
def test_other_texts_are_no_sessions(text: str) -> None:
    assert read(text) is None


@pytest.mark.parametrize(
    ("headers", "host"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, HOST),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "https://public.example"}, "behind:8080"),
        ({"Origin": "http://localhost:8080"}, HOST),
        ({"Origin": "http://LOCALHOST:8080"}, HOST),
        ({"Origin": "http://localhost:8080"}, HOST.upper()),
        ({"Origin": "https://public.example"}, "public.example"),
        ({"Origin": "https://public.example"}, "public.example:443"),
        ({"Origin": "http://[::1]:8080"}, "[::1]:8080"),
    ],
)
def test_our_own_page_proves_itself(headers: dict[str, str], host: str) -> None:
    assert not is_foreign(headers, host)
    assert is_proven({**headers, "x-freeaichat-csrf": "1"}, host)
    assert not is_proven(headers, host)
    assert not is_proven({**headers, "x-freeaichat-csrf": "yes"}, host)


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://localhost:8080"},
        {"Origin": "http://localhost:3000"},
        {"Origin": "https://evil.example"},
        {"Origin": "http://localhost"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "localhost:8080"},
    ],
)
def test_pages_of_other_origins_are_foreign(headers: dict[str, str]) -> None:
    assert is_foreign(headers, HOST)
    assert not is_proven({**headers, "x-freeaichat-csrf": "1"}, HOST)


@pytest.mark.parametrize("headers", [{}, {"Sec-Fetch-Site": "none"}])
def test_a_request_without_fetch_metadata_is_neither_foreign_nor_proven(headers: dict[str, str]) -> None:
    assert not is_foreign(headers, HOST)
    assert not is_proven({**headers, "x-freeaichat-csrf": "1"}, HOST)


def test_a_page_without_an_origin_is_foreign_also_to_a_request_without_a_host() -> None:
    assert is_foreign({"Origin": "null"}, "")
    assert is_foreign({"Origin": "http://"}, "")
