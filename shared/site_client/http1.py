"""HTTP/1.1 messages as plain values: a request's bytes, a response's head, and the framing of its body (RFC 9112).

Pure, and strict where leniency would let bytes of one message pass for another: whatever breaks the grammar raises
`BadResponse`. Bytes after the end of a body do not spoil it, but their connection must not be reused.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

MAX_HEAD_BYTES = 64 * 1024
MAX_LINE_BYTES = 8 * 1024  # of a chunk's size line, or of all trailers together

_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: [^\x00-\x08\x0a-\x1f\x7f]*)?")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]++):([^\x00-\x08\x0a-\x1f\x7f]*+)")
_FOLD = re.compile(rb"\r?\n[ \t]+")  # of a value written in several lines, as nginx passes on one of its configuration
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?")
_DIGITS = re.compile(r"[0-9]{1,18}")
# Of chunks that hold one event (PROTOCOL 5), as all servers write them: sizes, and the size line by the length of all.
_SIZES = {b"%x" % size: size for size in range(1, 512)}
_LAST = b"0\r\n\r\n"
_SIZE_LINES = {size + len(line) + 4: line + b"\r\n" for line, size in _SIZES.items()}


class BadResponse(ValueError):
    """The data is no HTTP/1.1 response, or breaks its framing."""


@dataclass(frozen=True, slots=True)
class Head:
    """Status and headers; names in lower case, repeated ones joined with commas."""

    status: int
    headers: Mapping[str, str]
    keeps_alive: bool

    def framing(self) -> "Framing":
        """How the body that follows is framed. Raises `BadResponse`."""
        if self.status in {204, 304}:
            return ContentLength(0)
        coding = self.headers.get("transfer-encoding")
        if coding is not None:
            if coding.lower() != "chunked":
                raise BadResponse(f"transfer coding {coding[:40]!r}")
            return Chunked()
        length = self.headers.get("content-length")
        if length is None:
            return UntilClose()
        if not _DIGITS.fullmatch(length):
            raise BadResponse("the length of the body is no number")
        return ContentLength(int(length))


def request_bytes(method: str, path: str, host: str, headers: Mapping[str, str], body: bytes | None = None) -> bytes:
    """A whole request. Raises ValueError for a value that would break out of its line."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", *(f"{name}: {value}" for name, value in headers.items())]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    head = "\r\n".join(lines)
    if head.count("\n") != len(lines) - 1 or head.count("\r") != len(lines) - 1 or "\0" in head:
        raise ValueError("a header holds a line break")
    return head.encode("utf-8") + b"\r\n\r\n" + (body or b"")


def parse_head(data: bytes) -> Head:
    """The head in *data*, which holds all of it without the empty line at its end. Raises `BadResponse`."""
    first, has_fields, fields = data.partition(b"\r\n")
    status = _STATUS_LINE.fullmatch(first)
    if status is None:
        raise BadResponse("no status line")
    headers: dict[str, str] = {}
    for line in _FOLD.sub(b" ", fields).split(b"\r\n") if has_fields else ():
        field = _FIELD.fullmatch(line)
        if field is None:
            raise BadResponse("a header line is malformed")
        name, value = field[1].decode("ascii").lower(), field[2].strip(b" \t").decode("utf-8", "replace")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    options = {option.strip() for option in headers.get("connection", "").lower().split(",")}
    keeps_alive = "close" not in options and (status[1] == b"1" or "keep-alive" in options)
    return Head(int(status[2]), headers, keeps_alive)


# Each kind of framing is fed the data received and returns the body's bytes in it; `end` is called when the connection
# has closed. Both raise `BadResponse`. *has_surplus*: bytes came after the end of the body.


class ContentLength:
    """A body with a Content-Length."""

    __slots__ = ("_left", "finished", "has_surplus")

    def __init__(self, length: int) -> None:
        self._left = length
        self.finished = length == 0
        self.has_surplus = False

    def feed(self, data: bytes) -> bytes:
        """The body's bytes in *data*."""
        if len(data) > self._left:
            self.has_surplus = True
            data = data[: self._left]
        self._left -= len(data)
        self.finished = self._left == 0
        return data

    def end(self) -> None:
        """The connection has ended."""
        if not self.finished:
            raise BadResponse("the body ended early")


class UntilClose:
    """A body that ends when the connection closes."""

    __slots__ = ()

    finished = False
    has_surplus = False

    def feed(self, data: bytes) -> bytes:
        """All of *data*."""
        return data

    def end(self) -> None:
        """The connection has ended, and with it the body."""


class Chunked:
    """A body in chunks; trailers are passed over."""

    __slots__ = (
        "_in_chunk",
        "_in_trailers",
        "_is_between",
        "_left",
        "_pending",
        "_trailers",
        "finished",
        "has_surplus",
    )

    def __init__(self) -> None:
        self._pending = b""  # an unfinished size line, the end of a chunk, or trailers
        self._left = 0  # bytes of the current chunk that are still to come
        self._in_chunk = False  # its line end is still to come too
        self._in_trailers = False
        self._trailers = 0  # bytes
        self._is_between = True  # nothing of a chunk has come
        self.finished = False
        self.has_surplus = False

    def feed(self, data: bytes) -> bytes:
        """The body's bytes in *data*. Raises `BadResponse`."""
        if self._is_between:
            line = _SIZE_LINES.get(len(data))
            if line is not None and data.startswith(line) and data.endswith(b"\r\n"):  # one short chunk, as of an event
                return data[len(line) : -2]
            payload = self._whole_chunks(data)
            if payload is not None:
                return payload
        payload = self._feed(data)
        self._is_between = not (self._pending or self._in_chunk or self._in_trailers or self.finished)
        return payload

    def _whole_chunks(self, data: bytes) -> bytes | None:
        """The payload of *data* where that is short chunks without a line break, the end of the body behind them or
        not; None for anything else. Only the first may be long: it has the padding that comes before all events."""
        is_last = data.endswith(_LAST)
        *lines, rest = (data[: -len(_LAST)] if is_last else data).split(b"\r\n")
        payloads = lines[1::2]
        sizes = list(map(_SIZES.get, lines[::2]))
        if sizes and sizes[0] is None and (first := _CHUNK_SIZE.fullmatch(lines[0])):
            sizes[0] = int(first[1], 16) or None  # a size of 0 ends the body: here it fits no payload
        if rest or sizes != list(map(len, payloads)):
            return None
        self.finished, self._is_between = is_last, not is_last
        return b"".join(payloads)

    def end(self) -> None:
        """The connection has ended."""
        if not self.finished:
            raise BadResponse("the body ended early")

    def _feed(self, data: bytes) -> bytes:
        data, self._pending = self._pending + data, b""
        parts: list[bytes] = []
        position = 0
        while position < len(data):
            if self.finished:
                self.has_surplus = True
                break
            if self._left:
                part = data[position : position + self._left]
                parts.append(part)
                self._left -= len(part)
                position += len(part)
                continue
            end = data.find(b"\r\n", position)
            if end < 0:
                self._keep_pending(data[position:])
                break
            self._take_line(data, position, end)
            position = end + 2
        return b"".join(parts)

    def _take_line(self, data: bytes, start: int, end: int) -> None:
        """Process a line between chunks: the end of one, the size of the next, or a trailer."""
        if self._in_chunk:
            if end != start:
                raise BadResponse("a chunk is longer than its size")
            self._in_chunk = False
        elif self._in_trailers:
            self.finished = end == start
            self._trailers += end - start
            if self._trailers > MAX_LINE_BYTES:
                raise BadResponse("the trailers do not end")
        else:
            size = _CHUNK_SIZE.fullmatch(data, start, end)
            if size is None:
                raise BadResponse("a chunk's size is no number")
            self._left = int(size[1], 16)
            self._in_chunk, self._in_trailers = self._left > 0, self._left == 0

    def _keep_pending(self, rest: bytes) -> None:
        if len(rest) > MAX_LINE_BYTES or (self._in_chunk and rest != b"\r"):
            raise BadResponse("a chunk is malformed")
        self._pending = rest


Framing = ContentLength | UntilClose | Chunked
