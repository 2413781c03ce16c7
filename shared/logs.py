"""Logging for both services: one format, readable or JSON, with no secret in it.

Secrets are kept out where lines are written (models hide them from `repr`); `redact` is the second net. Text from a
client or a site stays within its own line: control characters are written as escapes.
"""

import json
import logging
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from time import monotonic
from typing import Any, Literal

from shared.log_file import rotating_stderr

REDACTED = "***"
REPEAT_SECONDS = 60.0
MAX_REMEMBERED = 100

_WHOLE_LINE = "cookie|authorization|api[_-]?key|master[_-]?key"  # values with blanks and semicolons in them
_ONE_WORD = "nonce|session_?id|cache_key|guest_uuid|password"
_ASSIGNED = re.compile(
    rf"""(?ix) (?<![\w-]) (?P<name> [\w-]* (?: (?P<line> {_WHOLE_LINE} ) | {_ONE_WORD} ) )
    (?P<sign> \\*["']? \s* [=:] \s* | \\*["'] , \s* )
    (?: b? (?P<quote> \\*["'] ) (?: (?! (?P=quote) ) (?: \\. | . ) )*
      | (?(line) [^\r\n]+ | [^\s"'&,;)}}\]]+ ) )"""
)
# Line ends of every kind, terminal commands, and what turns the direction of writing round.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
# A line in ASCII without any of these holds nothing that the others match.
_HINTS = (
    "cookie",
    "authorization",
    "api_key",
    "api-key",
    "apikey",
    "master_key",
    "master-key",
    "masterkey",
    "nonce",
    "session",
    "cache_key",
    "guest_uuid",
    "password",
    "sk-",
    "bearer",
    "basic",
)
_LOOSE = re.compile(r"(?i)\b(sk-|bearer\s+|basic\s+)[\w.~+/=-]{16,}")


def redact(text: str) -> str:
    """*text* with the values of cookies, keys and nonces replaced by `REDACTED`."""
    if text.isascii():  # letters beyond may be cases of these
        lowered = text.lower()
        if not any(hint in lowered for hint in _HINTS):
            return text
    return _LOOSE.sub(rf"\1{REDACTED}", _ASSIGNED.sub(_redact_match, text))


def _redact_match(match: re.Match[str]) -> str:
    return f"{match['name']}{match['sign']}{match['quote'] or ''}{REDACTED}"


def _escaped(text: str) -> str:
    """*text* with its control characters as `\\uXXXX`, the way JSON writes them too."""
    if text.isascii() and text.isprintable():
        return text
    return _CONTROL.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def _redact_all(name: str, value: object) -> object:
    """*value* for JSON, with redacted strings; values under the name of a secret are replaced by `REDACTED`."""
    if isinstance(value, Mapping):
        return {str(key): _redact_all(str(key), item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_redact_all(name, item) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return REDACTED if redact(f"{name}=x") != f"{name}=x" else redact(str(value))


class _RepeatFilter(logging.Filter):
    """Drops a warning that was logged within the last `REPEAT_SECONDS`: what is retried all the time would fill a log.

    Records with a traceback, or with `fields`, always pass.
    """

    def __init__(self) -> None:
        super().__init__()
        self._logged_at: dict[str, float] = {}  # message → monotonic time

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < logging.WARNING or record.exc_info or hasattr(record, "fields"):
            return True
        try:
            text, now = record.getMessage(), monotonic()
        except Exception:  # noqa: BLE001  (a library's text and values do not match: the handler reports it, and does not raise)
            return True
        is_new = text not in self._logged_at or now - self._logged_at[text] >= REPEAT_SECONDS
        if is_new:
            if len(self._logged_at) >= MAX_REMEMBERED:
                self._logged_at.clear()
            self._logged_at[text] = now
        return is_new


class _ConsoleFormatter(logging.Formatter):
    def __init__(self, service: str, time_format: str) -> None:
        super().__init__(f"%(asctime)s %(levelname)-7s {service:<9} %(message)s", time_format)
        self._second, self._time = -1, ""  # the latest second, and how it is written

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802
        second = int(record.created)
        if second != self._second:
            self._second, self._time = second, super().formatTime(record, datefmt)
        return self._time

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  (logging's own name)
        return _escaped(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:  # noqa: N802
        # Set in, so that no line of an error's text looks like one of ours.
        return "\n".join(f"    {_escaped(line)}".rstrip() for line in super().formatException(ei).split("\n"))


class _JsonFormatter(logging.Formatter):
    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "service": self._service,
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return _escaped(json.dumps(_redact_all("", line), ensure_ascii=False))


def configure(service: str, *, level: str, style: Literal["console", "json"], file: Path | None = None) -> None:
    """Send all log lines of this process to standard error; where that is the log file *file*, keep it bounded."""
    bounded = None if file is None else rotating_stderr(file)
    handler = logging.StreamHandler(sys.stderr if bounded is None else bounded)
    console = _ConsoleFormatter(service, "%H:%M:%S" if bounded is None else "%Y-%m-%d %H:%M:%S")
    handler.addFilter(_RepeatFilter())
    handler.setFormatter(_JsonFormatter(service) if style == "json" else console)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # What no line shows is not looked up for it: half of what one costs ("Optimization" in Python's logging HOWTO).
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None
    for noisy in ("aiohttp.access", "apscheduler", "asyncio"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, logging.getLogger().level))
