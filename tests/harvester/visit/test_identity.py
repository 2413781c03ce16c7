"""How much of a visitor's storage is kept."""

import json
from typing import Any

import pytest

from harvester.visit.identity import MAX_CHARS, dump_identity

COOKIES = [{"name": "a", "value": "b" * 4000}]
FIRST = ("aipkit_",)
GUEST = {"name": "aipkit_guest_uuid", "value": "92acdaec"}


def state(*items: dict[str, str], origin: str = "https://chat.example") -> dict[str, Any]:
    return {"cookies": COOKIES, "origins": [{"origin": origin, "localStorage": list(items)}]}


def names(text: str) -> list[str]:
    return [item["name"] for origin in json.loads(text)["origins"] for item in origin["localStorage"]]


def test_small_storage_is_kept_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    usual = state({"name": "theme", "value": "dark"}, GUEST)

    assert json.loads(dump_identity(usual, first=FIRST)) == usual
    assert dump_identity({"cookies": [], "origins": []}, first=FIRST) == '{"cookies": [], "origins": []}'
    assert caplog.text == ""


def test_of_too_much_storage_the_chats_values_and_small_ones_are_kept(caplog: pytest.LogCaptureFixture) -> None:
    cache = {"name": "cache", "value": "\u89c6" * (1 << 20)}
    filling = [{"name": f"n{number}", "value": "x" * 1000} for number in range(1000)]

    text = dump_identity(state(cache, *filling, {"name": "theme", "value": "dark"}, GUEST), first=FIRST)

    assert len(text) < MAX_CHARS * 1.1
    assert {"theme", "aipkit_guest_uuid"} <= set(names(text))
    assert "cache" not in names(text)
    assert 300 < len(names(text)) < 600
    assert json.loads(text)["cookies"] == COOKIES
    assert f"{1003 - len(names(text))} values of the page's local storage are not kept" in caplog.text
