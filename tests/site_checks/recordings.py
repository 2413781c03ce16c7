"""The recordings in tests/samples, and what makes two transcripts comparable."""

import re
from pathlib import Path

SAMPLES = Path(__file__).parents[1] / "samples"
_IDS = {
    "message": r"aipkit-msg-[0-9a-f]{13}[0-9]\.?[0-9]{8}",
    "client": r"aipkit-client-msg-[0-9]+-[0-9]+-[0-9a-z]+",
    "resp": r"resp_[0-9a-f]{32}",
    "item": r"(?:msg|ws)_[0-9a-f]{32}",
    "interaction": r"v1_[\w-]{22}",
    "key": r"aipkit_sse_[0-9A-Za-z]{32}",
    "nonce": r'(?<=nonce":")[0-9a-f]{10}(?=")',
    "page_nonce": r"(?<=&quot;nonce&quot;:&quot;)[0-9a-f]{10}(?=&)",
    "error": r"err-[0-9]{10}",
    "time": r'(?<="timestamp":)[0-9]{10}',
    "millis": r"(?<=timed out after )[0-9]+",
    "host": r"127\.0\.0\.1:[0-9]+",
}
_SINGLE = {"error", "time", "millis", "host"}  # their values carry no identity
_ID = re.compile("|".join(f"(?P<{name}>{pattern})" for name, pattern in _IDS.items()))


def names() -> set[str]:
    """The recorded HTTP answers."""
    return {path.name for path in SAMPLES.glob("*.http")}


def recorded(name: str) -> tuple[bytes, bytes, bytes]:
    """An answer's interim response, head and body; heads with their ending blank line."""
    rest = (SAMPLES / name).read_bytes()
    head, rest = _head(rest)
    interim = b""
    if head.startswith(b"HTTP/1.1 100"):
        interim = head
        head, rest = _head(rest)
    return interim, head, rest


def comparable_head(head: bytes) -> str:
    """The status line and the headers in their order, without the date's value."""
    return re.sub(r"(?m)^Date: .*$", "Date:", head.decode().replace("\r\n", "\n"))


def comparable(text: str) -> str:
    """*text* with each id replaced by its kind and its number in the order of appearance."""
    seen: dict[str, str] = {}

    def numbered(match: re.Match[str]) -> str:
        kind = str(match.lastgroup)
        if kind in _SINGLE:
            return f"<{kind}>"
        count = sum(name.startswith(f"<{kind} ") for name in seen.values())
        return seen.setdefault(match[0], f"<{kind} {count + 1}>")

    return _ID.sub(numbered, text)


def _head(raw: bytes) -> tuple[bytes, bytes]:
    head, separator, rest = raw.partition(b"\r\n\r\n")
    return head + separator, rest
