r"""The simulated model behind the site: it echoes the prompt, and follows directives in it.

Directives of the newest user text: `[[mode:X]]` (see `MODES`), `[[delay:S]]` seconds between pieces, `[[say:TEXT]]`
exactly TEXT, `[[tokens:N]]` N numbered pieces, `[[recall]]` all it was told, `[[mojibake]]` the whole reply
double-encoded, `[[blank]]` no text at all, `[[one_event:BYTES]]` one piece of that size. Where the text is itself a
transcript with header lines of dashes, only what follows the last such line directs. Where none of them says what to
say, and a user's text anywhere names a script, `[[script:NAME]]`, the model plays that (see `agent/playing.py`).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tests.site.agent.compliant import comply
from tests.site.agent.scripts import play
from tests.site.records import Message

TAIL = ("\n", "你好", ",世界", "! ", "😀", "👨‍👩‍👧", " café ", '"quoted" \\ back/slash', "\n")
MARKDOWN = (
    "# Heading\n\n", "- item 1\n", "- item 2\n\n", "```python\n", 'print("hi")\n', "data: not an event\n\n", "```\n",
    "\nEnd.",
)  # fmt: skip
# Modes that break off: how many pieces still come.
BREAKS = {
    "cut": 3, "cut_clean": 3, "stall": 3, "late_error": 3, "failed": 3, "incomplete": 4, "refusal": 2,
    "error_event": 0, "empty": 0, "refused": 0, "reset": 0, "errhtml": 0,
    "err400": 0, "err401": 0, "err403": 0, "err404": 0, "err429": 0, "err429quota": 0, "err500": 0, "err503": 0,
}  # fmt: skip
MODES = frozenset(BREAKS) | {"burst", "bytewise", "keepalive", "markdown", "long"}

_DIRECTIVE = re.compile(
    r"\[\[(?:(delay):([0-9.]{1,9})|(tokens|n|one_event):([0-9]{1,9})|(mode):(\w+)|(say):(.*?)|(recall|mojibake|blank)())\]\]",
    re.DOTALL,
)
_HEADER_LINE = re.compile(r"^-----.*$", re.MULTILINE)
_PIECE_CHARS = 12
_LONG_DELAY = 0.1
_NO_SCRIPTS: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Script:
    """What the model does in one turn: the pieces of text it sends, and how it ends (`ok`,
    `unknown_mode` or a key of `BREAKS`)."""

    pieces: tuple[str, ...]
    ending: str = "ok"
    delay: float | None = None


def respond(
    messages: Sequence[Message],
    *,
    model: str,
    images: int,
    web_search: bool,
    scripts: Mapping[str, Any] = _NO_SCRIPTS,
    willing: bool = False,
) -> Script:
    """The model's turn. *messages* is all it knows, system texts included."""
    history = [message for message in messages if message["role"] != "system"]
    prompt = next((message["content"] for message in reversed(history) if message["role"] == "user"), "")
    directives = _directives(prompt)
    mode = directives.get("mode", "")
    pieces = _pieces(directives, history, prompt)
    if pieces is None:
        played = play(history, scripts)
        played = comply(history) if played is None and willing else played
        pieces = None if played is None else _cut(played)
    if pieces is None:
        counts = [f"prior={len(history) - 1}", f" images={images}", *([" websearch=1"] if web_search else []), " END"]
        pieces = (f"[{model}] ", "You said: ", *_cut(prompt), *TAIL, *counts)
    delay = float(directives["delay"]) if "delay" in directives else _LONG_DELAY if mode == "long" else None
    script = _with_mode(Script(pieces, delay=delay), mode)
    if "mojibake" in directives:
        return replace(script, pieces=tuple(map(double_encoded, script.pieces)))
    return script


def double_encoded(text: str) -> str:
    """UTF-8 bytes taken for Windows-1252 (and for Latin-1 where that has no character)."""
    return "".join(
        bytes([byte]).decode("latin-1" if byte in b"\x81\x8d\x8f\x90\x9d" else "cp1252") for byte in text.encode()
    )


def count_tokens(text: str) -> int:
    """Tokens of a text as the recorded model counted them."""
    return max(1, len(text) // 4)


def _directives(text: str) -> dict[str, str]:
    headers = list(_HEADER_LINE.finditer(text))
    newest = text[headers[-1].end() :] if headers else text
    found = ([part for part in match.groups() if part is not None] for match in _DIRECTIVE.finditer(newest))
    return dict(found)


def _pieces(directives: dict[str, str], history: list[Message], prompt: str) -> tuple[str, ...] | None:
    pieces: tuple[str, ...] | None = None
    if "blank" in directives:
        pieces = ()
    elif "one_event" in directives:
        size = int(directives["one_event"])
        pieces = (("0123456789abcdef" * (size // 16 + 1))[:size],)
    elif "say" in directives:
        pieces = _cut(directives["say"])
    elif "tokens" in directives or directives.get("mode") == "long":
        count = int(directives.get("tokens") or directives.get("n") or 30)
        pieces = tuple(f"word{number} " for number in range(1, count + 1))
    elif directives.get("mode") == "markdown":
        pieces = MARKDOWN
    elif "recall" in directives:
        pieces = _cut("\n".join(f"{message['role']}: {message['content']}" for message in history), 200)
    return pieces


def _with_mode(script: Script, mode: str) -> Script:
    if mode and mode not in MODES:
        return replace(script, pieces=(), ending="unknown_mode")
    if mode == "burst":
        return replace(script, pieces=("".join(script.pieces),))
    if mode in BREAKS:
        return replace(script, pieces=script.pieces[: BREAKS[mode]], ending=mode)
    return script


def _cut(text: str, size: int = _PIECE_CHARS) -> tuple[str, ...]:
    return tuple(text[start : start + size] for start in range(0, len(text), size))
