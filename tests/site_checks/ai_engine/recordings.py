"""The recordings of the AI Engine site, how they are sent again, and what makes two answers comparable."""

import asyncio
import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from tests.recorded import SAMPLES
from tests.site_ai_engine import SimulatedAiEngine

RECORDINGS = SAMPLES / "ai_engine"
GOOD_NONCES = (b"5c95006f2d", b"0a8d1a3d3c", b"2fc496de58", b"2f6d5e2bca", b"3185bb545e")  # good when recorded
_MODEL = b"\n=== the model got "
_AFTER = {  # what stands right after these words
    "php": re.compile(r"(PHPSESSID=)[0-9a-z]{26}"),
    "session": re.compile(r"(mwai_session_id=|\"sessionId\":\")[0-9a-f]{13}"),
    "nonce": re.compile(r"(X-WP-Nonce: |\"restNonce\":\"|new_token\\?\":\\?\")[0-9a-f]{10}"),
    "millis": re.compile(r"(timed out after )[0-9]+"),
    "time": re.compile(r"(\"timestamp\":)[0-9.]+"),
    "date": re.compile(r"(\nDate: )[^\n]*"),
    "month": re.compile(r"(uploads\\/)[0-9]{4}\\/[0-9]{2}"),
    # The plugin's own guess at tokens, of which only that it is one counts.
    "guess": re.compile(
        r"(\"usage\\?\":\{)[^{}]*(?=,\\?\"price\\?\":null,\\?\"queries\\?\":1,\\?\"accuracy\\?\":\\?\"estimated)"
    ),
    "host": re.compile(r"()127\.0\.0\.1:[0-9]+(?:/o241)?"),
}
_ID = re.compile(r"(?P<resp>resp_[0-9a-f]{32})|(?P<chatcmpl>chatcmpl-[0-9a-f]{24})|(?P<file>\b[0-9a-f]{32}\b)")


@dataclass(frozen=True, slots=True)
class Recording:
    """One request, its answer, and what reached the model (None where that was not recorded)."""

    request_head: bytes
    request_body: bytes
    head: bytes
    body: bytes
    model: tuple[str, Any] | None


def names() -> list[str]:
    """All of them."""
    return sorted(path.name for path in RECORDINGS.glob("*.http"))


def recording(name: str) -> Recording:
    """The one of this name."""
    request, _, answer = (RECORDINGS / name).read_bytes().partition(b"<<< response")
    answer, _, model = answer.partition(_MODEL)
    head, _, body = answer.partition(b"\n")[2].partition(b"\r\n\r\n")
    request_head, _, request_body = request.partition(b"\n")[2].partition(b"\r\n\r\n")
    path, _, sent = model.partition(b"\n")
    length = int(re.findall(rb"Content-Length: (\d+)", request_head)[0])
    return Recording(
        request_head,
        request_body[:length],
        head,
        body,
        (path.decode().removeprefix("POST "), json.loads(sent)) if model else None,
    )


async def replay(site: SimulatedAiEngine, made: Recording, *, nonce: str, events: int = 0) -> tuple[bytes, bytes]:
    """Send the request again: the head and the body of the answer, or so much of it as has so many *events*.

    *nonce*: in place of one that was good.
    """
    head = re.sub(rb"(?m)^Connection: .*\r$", b"Connection: close\r", made.request_head)
    for good in GOOD_NONCES:
        head = head.replace(b"X-WP-Nonce: " + good, b"X-WP-Nonce: " + nonce.encode())
    parts = urlsplit(site.url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        writer.write(head + b"\r\n\r\n" + made.request_body)
        raw_head = await reader.readuntil(b"\r\n\r\n")
        framed = b""
        while (piece := await reader.read(65536)) and (not events or framed.count(b"data:") < events):
            framed += piece
    finally:
        writer.close()
        await writer.wait_closed()
    is_chunked = b"Transfer-Encoding: chunked" in raw_head
    return raw_head.removesuffix(b"\r\n\r\n"), _unframed(framed) if is_chunked else framed


def comparable(text: bytes) -> str:
    """*text* with each id replaced by its kind, and by its number in the order of appearance."""
    seen: dict[str, str] = {}

    def numbered(match: re.Match[str]) -> str:
        count = sum(name.startswith(f"<{match.lastgroup} ") for name in seen.values())
        return seen.setdefault(match[0], f"<{match.lastgroup} {count + 1}>")

    plain = text.decode().replace("\r\n", "\n")
    for kind, pattern in _AFTER.items():
        plain = pattern.sub(rf"\1<{kind}>", plain)
    return _ID.sub(numbered, plain)


def _unframed(framed: bytes) -> bytes:
    """The body in as many chunks as have come."""
    body = b""
    while framed:
        size, _, rest = framed.partition(b"\r\n")
        count = int(size, 16)
        body += rest[:count]
        framed = rest[count + 2 :]
    return body
