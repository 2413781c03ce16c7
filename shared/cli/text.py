"""How times, counts and credentials are written for people. Pure: secrets come out masked."""

import re
from collections.abc import Mapping, Sequence
from unicodedata import east_asian_width

import click

from shared.models import PLUGIN_NAMES, Bot, Credentials, Outcome

NONCE_SURE_SECONDS = 12 * 3600.0  # a nonce is good for 12 to 24 h after the site handed it out (PROTOCOL 3)
_SESSION_SHOWN = 4
# What would command the terminal, or turn the direction of writing round.
_COMMANDING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
SOURCES = {"visit": "a visit", "renewal": "a visit, renewed since", "manual": "hand, from the settings"}


def duration(seconds: float) -> str:
    """*seconds* in the largest two units that matter: `0.4 s`, `12 s`, `3 min 20 s`, `5 h 7 min`, `2 d 3 h`."""
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
    """Enough of a session id to tell two apart."""
    return f"{session_id[:_SESSION_SHOWN]}…" if session_id else "none"


def cookie(header: str) -> str:
    """How many cookies a Cookie header holds."""
    count = len([part for part in header.split(";") if part.strip()])
    return f"{count} cookies" if count > 1 else "1 cookie" if count else "cookie none"


def bots(found: Sequence[Bot]) -> str:
    """How many bots there are."""
    return "1 bot" if len(found) == 1 else f"{len(found)} bots"


def plugin(kind: str) -> str:
    """What a chat plugin of that *kind* is called."""
    return PLUGIN_NAMES.get(kind, kind)


def credentials_line(credentials: Credentials, found: Sequence[Bot]) -> str:
    """What was captured, in a few words."""
    chat = f"{bots(found)} of {plugin(credentials.plugin)}"
    return f"{chat}, {cookie(credentials.cookie)}, session {session(credentials.session_id)}"


def outcome(name: str) -> str:
    """The outcome of a visit in its colour."""
    return click.style(name, fg="green" if name == Outcome.CAPTURED else "red")


def harmless(text: str) -> str:
    """*text*, which a stranger wrote, without what commands a terminal."""
    return _COMMANDING.sub("", text)


def named(bot: Mapping[str, str]) -> tuple[str, str]:
    """Name and provider of a bot, which are its site's words."""
    return harmless(bot["name"]), harmless(bot["provider"])


def table(rows: Sequence[Sequence[str]], *, indent: str = "  ") -> list[str]:
    """*rows* as lines with aligned columns; colour codes take no room, and wide characters take two places."""
    if not rows:
        return []
    widths = [max(map(_width, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)]
        lines.append((indent + "  ".join(cells)).rstrip())
    return lines


def places(character: str) -> int:
    """How many places of a terminal's line *character* takes."""
    return 2 if east_asian_width(character) in "WF" else 1


def _width(cell: str) -> int:
    return sum(map(places, click.unstyle(cell)))
