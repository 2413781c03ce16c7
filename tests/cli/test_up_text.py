"""The lines of `freeaichat up`."""

import json
import shlex
from dataclasses import replace
from pathlib import Path

import click
import pytest

from shared.cli import up_text
from shared.cli.master_key import MasterKey
from shared.models import Bot, Cause, Credentials, Outcome, SiteState, Visit
from shared.serialization import from_plain

SESSION = "12345678-1234-4123-8123-123456789abc"
URL = "http://127.0.0.1:8080/v1"


def a_state(*, source: str = "visit", user_agent: str = "") -> SiteState:
    credentials = from_plain(
        Credentials,
        {
            "site": "https://chat.example",
            "ajax_url": "https://chat.example/wp-admin/admin-ajax.php",
            "page_url": "https://chat.example/chat/",
            "cookie": "",
            "nonce": "0123456789",
            "session_id": SESSION,
            "user_agent": user_agent,
            "source": source,
            "captured_at": 1000.0,
            "nonce_checked_at": 1000.0,
        },
    )
    return SiteState(current=credentials, bots=tuple(Bot(id=number, name=f"Bot {number}") for number in range(12)))


def a_visit(outcome: Outcome, *, reason: str = "") -> Visit:
    steps = {"browser": 0.5, "page": 0.7, "read": 0.06, "confirm": 0.04}
    return Visit(
        id="v", site="https://chat.example", started_at=1.0, seconds=1.3, outcome=outcome, reason=reason, steps=steps
    )


def test_a_captured_visit_is_reported_with_seconds_and_without_secrets() -> None:
    lines = up_text.visit_lines(a_visit(Outcome.CAPTURED), a_state())

    assert lines == [
        "page visited: https://chat.example/chat/ (1.2 s)",
        "credentials captured: 12 bots of AIPKit, cookie none, session 1234… (0.1 s)",
    ]


def test_what_is_odd_about_a_captured_visit_is_reported_last() -> None:
    lines = up_text.visit_lines(a_visit(Outcome.CAPTURED, reason="this is another page's chat"), a_state())

    assert lines[-1] == "this is another page's chat"


def test_that_the_chat_in_use_is_another_pages_is_reported() -> None:
    assert up_text.page_lines(a_state(), "https://chat.example/chat/") == []
    assert len(up_text.page_lines(a_state(), "https://chat.example/")) == 1


def test_a_failed_visit_is_reported_with_its_reason_and_what_happens_next() -> None:
    visit = a_visit(Outcome.NO_CHAT, reason="no chat there")
    first, kept = up_text.visit_lines(visit, None), up_text.visit_lines(visit, a_state())

    assert "no_chat" in first[0]
    assert "no chat there" in first[0]
    assert "FREEAICHAT_SITES" in first[1]
    assert "trying again" in first[2]
    assert "503" in first[2]
    assert "kept from before" in kept[2]
    assert "503" not in up_text.visit_lines(visit, None, has_others=True)[2]


@pytest.mark.parametrize("outcome", [outcome for outcome in Outcome if outcome is not Outcome.CAPTURED])
def test_every_failure_says_in_one_sentence_what_to_do(outcome: Outcome) -> None:
    line = click.unstyle(up_text.visit_lines(a_visit(outcome), None)[1])

    assert line.startswith("what to do: ")
    assert "freeaichat" in line.lower()


@pytest.mark.parametrize(("cause", "act"), [(Cause.CLICK, "click"), (Cause.AGE, "answer")])
def test_steps_that_need_a_person_are_reported_as_such(cause: Cause, act: str) -> None:
    line = click.unstyle(up_text.visit_lines(replace(a_visit(Outcome.NO_CHAT), cause=cause), None)[1])

    assert f"freeaichat harvest --headed` and {act} yourself" in line
    visit = replace(a_visit(Outcome.CHALLENGE), site="https://second.example")
    line = up_text.visit_lines(visit, None, is_first=False)[1]
    assert "`freeaichat harvest --headed --site https://second.example`" in line


def test_where_the_reason_says_what_to_do_no_other_browser_is_asked_for() -> None:
    visit = replace(a_visit(Outcome.BROWSER_ERROR, reason="set TMPDIR"), cause=Cause.NO_PLACE)

    assert click.unstyle(up_text.visit_lines(visit, None)[1]) == "what to do: mend that"


def test_credentials_that_were_there_already_are_reported_with_their_source() -> None:
    assert up_text.kept_line(a_state(), now=4600.0).endswith("session 1234…, captured 1 h ago")
    assert "from the settings" in up_text.kept_line(a_state(source="manual"), now=4600.0)
    assert "from the settings" in up_text.kept_line(a_state(source="renewal", user_agent=""), now=4600.0)
    assert "kept: " in up_text.kept_line(a_state(source="renewal", user_agent="Mozilla/5.0"), now=4600.0)


def test_for_a_stored_key_only_its_file_is_shown() -> None:
    assert up_text.key_line(MasterKey("sk-secret", Path("/data/master.key"))) == "key: kept in /data/master.key"
    assert "sk-secret" not in up_text.key_line(MasterKey("sk-secret"))
    assert "no key" in up_text.key_line(None)


@pytest.mark.parametrize("value", ["plain", "with blanks and 'quotes' and $HOME"])
def test_the_curl_line_survives_the_shell_with_any_key_and_model(value: str) -> None:
    args = shlex.split(up_text.curl_line(URL, "it's", MasterKey(value)))

    assert args[:3] == ["curl", "-N", f"{URL}/chat/completions"]
    assert f"Authorization: Bearer {value}" in args
    assert json.loads(args[-1])["model"] == "it's"


def test_the_curl_line_reads_a_kept_key_from_its_file_when_pasted() -> None:
    line = up_text.curl_line(URL, "m", MasterKey("sk-secret", Path("/a dir/master.key")))

    assert "sk-secret" not in line
    assert "$(cat '/a dir/master.key')" in line
