"""Event-stream decoding: bytes cut anywhere become events (WHATWG HTML, section 9.2 "Server-sent events").

The site sends a new connection's padding comment and then one small event per delta (PROTOCOL 5), so the usual
shape (line feeds only, one `data:` line, a blank line) takes the shortest path through here.
"""

import re
from typing import NamedTuple

MAX_EVENT_BYTES = 8 * 1024 * 1024  # of one event, comments not counted

_SLACK_BYTES = 1024 * 1024  # comments held beyond that before they are dropped: a rescan is paid for by this many bytes
_BOM = b"\xef\xbb\xbf"
_LF = 0x0A
_COMMENT_LINES = re.compile(rb"(?:^:[^\n]*+\n)++", re.MULTILINE)


class EventTooLarge(Exception):
    """The stream holds an event of more than `MAX_EVENT_BYTES`; nothing after it can be read."""

    def __init__(self) -> None:
        super().__init__(f"an event of the stream is larger than {MAX_EVENT_BYTES} bytes")


class ServerEvent(NamedTuple):
    """One event: its type, and its data lines joined with line feeds."""

    name: str
    data: str


class EventDecoder:
    """Collects the bytes of one stream and gives out each event once its blank line has come.

    An event that the stream's end leaves unfinished is never given out.
    Fields other than `data` and `event` are ignored: nothing here reconnects.
    """

    def __init__(self) -> None:
        self.pending = bytearray()  # what is held: the unfinished block: line feeds only, no blank line in it
        self._at_start = True
        self._after_cr = False

    @property
    def is_between(self) -> bool:
        """Whether the stream has begun and the next byte begins a line of a new event: nothing is held of one."""
        return not (self.pending or self._at_start or self._after_cr)

    def feed(self, data: bytes) -> list[ServerEvent]:
        """The events that *data* completes. Raises `EventTooLarge`."""
        return [event for block in self.blocks(data) if (event := read_block(block))]

    def blocks(self, data: bytes) -> list[bytes]:
        """The lines of each event that *data* completes, for `read_block`. Raises `EventTooLarge`."""
        if self._after_cr or b"\r" in data:
            data = self._with_line_feeds(data)
        if self._at_start:
            if data[:1] == b"\xef" or self.pending:
                data = self._without_bom(data)
            elif data:
                self._at_start = False
        if self.pending:
            meets_border = self.pending[-1] == _LF and data.startswith(b"\n")
            if not meets_border and b"\n\n" not in data:
                self._hold(data)
                return []
            data = bytes(self.pending + data)
            self.pending.clear()
        blocks = data.split(b"\n\n")
        if rest := blocks.pop():
            self._hold(rest)
        if len(data) > MAX_EVENT_BYTES:
            for block in blocks:
                _check_size(block)
        return blocks

    def _with_line_feeds(self, data: bytes) -> bytes:
        """All line ends as line feeds. A CR counts at once; an LF right after it, even in the next piece, adds none."""
        if not data:
            return data
        if self._after_cr:
            data = data.removeprefix(b"\n")
        self._after_cr = data.endswith(b"\r")
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _without_bom(self, data: bytes) -> bytes:
        """The stream without a byte order mark at its start; nothing while that may still be one."""
        data = bytes(self.pending + data)
        self.pending.clear()
        if _BOM.startswith(data):
            self.pending += data
            return b""
        self._at_start = False
        return data.removeprefix(_BOM)

    def _hold(self, data: bytes) -> None:
        self.pending += data
        if len(self.pending) > MAX_EVENT_BYTES + _SLACK_BYTES:
            self.pending = _without_comments(bytes(self.pending))
            line = self.pending.rfind(b"\n") + 1
            if self.pending.startswith(b":", line):
                del self.pending[line + 1 :]
            _check_size(self.pending)


def _check_size(block: bytes | bytearray) -> None:
    if len(block) > MAX_EVENT_BYTES and len(_without_comments(block + b"\n").strip(b"\n")) > MAX_EVENT_BYTES:
        raise EventTooLarge


def _without_comments(block: bytes | bytearray) -> bytearray:
    """What *block* holds besides whole comment lines."""
    kept = bytearray()
    done = 0
    for comments in _COMMENT_LINES.finditer(block):
        kept += block[done : comments.start()]
        done = comments.end()
    return kept + block[done:]


def read_block(block: bytes) -> ServerEvent | None:
    """The event in the lines of *block*; None when it has no data line."""
    if block.startswith(b"data: ") and b"\n" not in block:
        return ServerEvent("message", block[6:].decode("utf-8", "replace"))
    name = b""
    values: list[bytes] = []
    for line in block.split(b"\n"):
        field, _, value = line.partition(b":")
        if field == b"data":
            values.append(value.removeprefix(b" "))
        elif field == b"event":
            name = value.removeprefix(b" ")
    if not values:
        return None
    return ServerEvent(name.decode("utf-8", "replace") or "message", b"\n".join(values).decode("utf-8", "replace"))
