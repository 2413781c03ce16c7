"""No secret leaves through the logs."""

import json
import logging
import time
from collections.abc import Iterator
from typing import Any

import pytest

from shared.logs import configure, redact


@pytest.fixture(autouse=True)
def _logging_is_put_back() -> Iterator[None]:
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    root.handlers[:] = []
    yield
    root.setLevel(level)
    root.handlers[:] = handlers


SECRETIVE = [
    "Cookie: a=hush1; b=hush2; c=hush3",
    "sent cookie=a=hush1; b=hush2",
    "Set-Cookie: wp_sess=hush; Path=/",
    "{'Cookie': 'a=hush1; b=\"hush2\"', 'X-API-Key': 'hush 3'}",
    '{"cookie": "a=hush1; b=\\"hush2\\"; c=hush3"}',
    '{"body": "{\\"_ajax_nonce\\": \\"hush\\", \\"session_id\\": \\"hush\\"}"}',
    "[(b'Cookie', b'a=hush1; b=hush2'), ('authorization', 'Bearer hush')]",
    "<CIMultiDict('Authorization': 'Basic hush hush')>",
    "authorization: bearer hush",
    "Proxy-Authorization: Basic hush==",
    "x-api-key: hush with blanks hush",
    "FREEAICHAT_API_KEY=hush",
    "API_MASTER_KEY='hush hush'",
    "AJAX_NONCE=hush SESSION_ID=hush",
    "GET /wp-admin/admin-ajax.php?action=x&cache_key=hush&session_id=hush&_ajax_nonce=hush HTTP/1.1",
    "nonce=hush, session_id=hush",
    "aipkit_guest_uuid: hush",
    "redis password = hush",
    "got Bearer hushhushhushhushhush from a client",
    "the key sk-hushhushhushhushhush was used",
]


@pytest.mark.parametrize("text", SECRETIVE)
def test_secrets_are_redacted_in_any_notation(text: str) -> None:
    assert "hush" not in redact(text)
    assert "***" in redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "visited https://chat.example/ in 0.7 s: 3 cookies, 2 bots",
        "the nonce was refused; asking for a new one",
        "Bearer authentication is needed",
        "session_id",
        "model=gpt-4o-mini status=200 token_count=15",
        "",
    ],
)
def test_ordinary_lines_stay_as_they_are(text: str) -> None:
    assert redact(text) == text


def test_text_around_a_secret_stays_readable() -> None:
    assert redact("GET /ajax?action=stream&cache_key=k&bot_id=7 took 3 s") == (
        "GET /ajax?action=stream&cache_key=***&bot_id=7 took 3 s"
    )
    assert redact("{'Cookie': 'a=1; b=2', 'Accept': '*/*'}") == "{'Cookie': '***', 'Accept': '*/*'}"
    assert redact("Cookie: a=1; b=2\nAccept: */*") == "Cookie: ***\nAccept: */*"


def test_a_long_line_is_redacted_quickly() -> None:
    text = "cookie" * 20_000 + " nonce=hush " + "-_" * 50_000 + "\\" * 20_000
    assert "hush" not in redact(text)


def _log(style: Any, level: str = "info") -> logging.Logger:
    configure("proxy", level=level, style=style)
    return logging.getLogger("proxy.chat.service")


def test_console_lines_tell_time_level_service_and_message(capsys: pytest.CaptureFixture[str]) -> None:
    _log("console").info("answered in %d ms", 12)
    stamp, rest = capsys.readouterr().err.split(" ", 1)
    assert len(stamp) == len("12:34:56")
    assert rest == "INFO    proxy     answered in 12 ms\n"


def test_json_lines_hold_the_fields_and_stay_json_when_redacted(capsys: pytest.CaptureFixture[str]) -> None:
    fields = {
        "site": "https://chat.example",
        "status": 200,
        "ok": True,
        "headers": {"Cookie": "a=hush; b=hush", "Accept": "*/*"},
        "nonce": ["hush", "hush"],
        "sent": ["Cookie: hush", ("x", {"session_id": "hush"})],
        "path": object,
        "none": None,
    }
    _log("json").warning("Cookie: %s", "hush 视觉", extra={"fields": fields})

    output = capsys.readouterr().err
    line = json.loads(output)
    assert "hush" not in output
    assert (line["level"], line["service"], line["logger"]) == ("warning", "proxy", "proxy.chat.service")
    assert line["message"] == "Cookie: ***"
    assert (line["site"], line["status"], line["ok"], line["none"]) == ("https://chat.example", 200, True, None)
    assert line["headers"] == {"Cookie": "***", "Accept": "*/*"}
    assert line["nonce"] == ["***", "***"]
    assert line["time"][10] == "T"


@pytest.mark.parametrize("style", ["console", "json"])
def test_a_traceback_is_redacted_too(capsys: pytest.CaptureFixture[str], style: str) -> None:
    log = _log(style)
    try:
        raise ValueError("bad header Cookie: a=hush; b=hush")
    except ValueError:
        log.exception("failed")
    output = capsys.readouterr().err
    assert "Traceback" in output
    assert "ValueError: bad header Cookie: ***" in output
    # The source line of the raise stands in the traceback as well.
    assert "hush" not in output


def test_lines_below_the_level_and_chatty_libraries_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    _log("console", "info").debug("detail")
    logging.getLogger("apscheduler.scheduler").info("job added")
    assert capsys.readouterr().err == ""
    _log("console", "debug").debug("detail")
    logging.getLogger("apscheduler.scheduler").warning("job missed")
    assert capsys.readouterr().err.count("\n") == 2


@pytest.mark.parametrize("style", ["console", "json"])
def test_untrusted_text_stays_on_one_log_line(style: Any, capsys: pytest.CaptureFixture[str]) -> None:
    untrusted = "a\r\nb\x1b[2Kc\u2028d\x85e\u202ef\0"
    configure("proxy", level="info", style=style)
    logging.getLogger("x").warning("said %s", untrusted)
    try:
        raise ValueError(f"{untrusted}\n12:00:00 INFO    proxy     forged")
    except ValueError:
        logging.getLogger("x").exception("failed")

    written = capsys.readouterr().err
    assert not any(character in written for character in "\r\x1b\u2028\x85\u202e\0")
    assert "\\u001b[2K" in written
    lines = written.splitlines()
    assert sum(not line.startswith("    ") for line in lines) == 2
    assert not any(line.startswith("12:00:00") and "forged" in line for line in lines)


def test_a_warning_that_comes_again_and_again_is_reported_once_a_minute(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.logs.MAX_REMEMBERED", 2)
    configure("proxy", level="info", style="console")
    log = logging.getLogger("test")

    def count_logged(name: str) -> int:
        log.warning("%s is away", name)
        log.info("going on")
        lines = capsys.readouterr().err.splitlines()
        assert "going on" in lines.pop()
        return len(lines)

    assert [count_logged(name) for name in ("store", "site", "store", "site")] == [1, 1, 0, 0]
    assert [count_logged(name) for name in ("another", "another", "store")] == [
        1,
        0,
        1,
    ]  # not all of them are remembered

    now = time.monotonic()
    monkeypatch.setattr("shared.logs.monotonic", lambda: now + 61)
    assert [count_logged("another"), count_logged("another")] == [1, 0]
    for number in range(2):
        log.error("failed", exc_info=ValueError(str(number)))
    assert capsys.readouterr().err.count("ValueError") == 2


@pytest.mark.parametrize("style", ["console", "json"])
def test_a_warning_that_cannot_be_formatted_does_not_fail_its_caller(
    style: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    configure("test", level="info", style=style)

    logging.getLogger("a.library").warning("%d turns", "some")

    assert "--- Logging error ---" in capsys.readouterr().err
