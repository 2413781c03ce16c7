"""Formatting of times, counts and credentials for users. Pure; secrets are masked."""

import re
from collections.abc import Mapping, Sequence
from unicodedata import east_asian_width

import click

from shared.models import PLUGIN_NAMES, Bot, Credentials, Outcome

NONCE_SURE_SECONDS = 12 * 3600.0  # a nonce is good for 12 to 24 h after the site handed it out (PROTOCOL 3)
_SESSION_SHOWN = 4
# Terminal control sequences, and changes of the writing direction.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def duration(seconds: float) -> str:
    """*seconds* in its two largest units: `0.4 s`, `12 s`, `3 min 20 s`, `5 h 7 min`, `2 d 3 h`."""
    if seconds < 10:
        return f"{max(seconds, 0.0):.1f} s"
    whole = round(seconds)
    for size, unit, smaller, smaller_unit in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            rest = whole % size // smaller
            return f"{whole // size} {unit}" + (f" {rest} {smaller_unit}" if rest else "")
    return f"{whole} s"


def ago(moment: float, now: float) -> str:
    """How long before *now* the *moment* was (both Unix seconds)."""
    return f"{duration(now - moment)} ago"


def session(session_id: str) -> str:
    """A prefix of a session id, to tell two apart."""
    return f"{session_id[:_SESSION_SHOWN]}…" if session_id else "none"


def cookie(header: str) -> str:
    """The number of cookies in a Cookie header."""
    count = len([part for part in header.split(";") if part.strip()])
    return f"{count} cookies" if count > 1 else "1 cookie" if count else "cookie none"


def bots(found: Sequence[Bot]) -> str:
    """The number of bots."""
    return "1 bot" if len(found) == 1 else f"{len(found)} bots"


def plugin(kind: str) -> str:
    """The display name of a kind of chat plugin."""
    return PLUGIN_NAMES.get(kind, kind)


def credentials_line(credentials: Credentials, found: Sequence[Bot]) -> str:
    """A summary of what was captured."""
    chat = f"{bots(found)} of {plugin(credentials.plugin)}"
    return f"{chat}, {cookie(credentials.cookie)}, session {session(credentials.session_id)}"


def outcome(name: str) -> str:
    """The outcome of a visit in its colour."""
    return click.style(name, fg="green" if name == Outcome.CAPTURED else "red")


def sanitized(text: str) -> str:
    """*text* without terminal control characters."""
    return _CONTROL.sub("", text)


def named(bot: Mapping[str, str]) -> tuple[str, str]:
    """Name and provider of a bot, without control characters."""
    return sanitized(bot["name"]), sanitized(bot["provider"])


def table(rows: Sequence[Sequence[str]], *, indent: str = "  ") -> list[str]:
    """*rows* as lines with aligned columns; colour codes have no width, wide characters have two columns."""
    if not rows:
        return []
    widths = [max(map(_width, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)]
        lines.append((indent + "  ".join(cells)).rstrip())
    return lines


def columns_of(character: str) -> int:
    """The width of *character* in terminal columns."""
    return 2 if east_asian_width(character) in "WF" else 1


def _width(cell: str) -> int:
    return sum(map(columns_of, click.unstyle(cell)))
