"""Compressed request bodies (`Content-Encoding`), unpacked within bounds: a few bytes may stand for gigabytes. Pure."""

import sys
import zlib
from collections.abc import Callable, Sequence

import brotli

from proxy.chat.errors import ServiceError, bad_request

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MAX_CODINGS = 2  # one over the other
MAX_MEMBERS = 16  # of which a gzip or zstd body may consist; each costs a copy of what follows
_WINDOW: dict[int, int] = {zstd.DecompressionParameter.window_log_max: 23}  # 8 MiB: no sender may need more (RFC 9659)
_PIECE = 1024 * 1024


class BodyTooLarge(Exception):
    """A body unpacks to more than its limit."""


class _Broken(Exception):
    """A body is not what its encoding says."""


def read_codings(header: str) -> tuple[str, ...]:
    """The codings in a Content-Encoding header, in the order of their use. Raises `ServiceError` (415)."""
    names = [name for word in header.split(",") if (name := word.strip().lower()) not in ("", "identity")]
    if len(names) > MAX_CODINGS or any(name not in _DECODERS for name in names):
        known = ", ".join(ACCEPTED)
        raise ServiceError(
            415,
            f"Request bodies may be compressed with {known}, or not at all.",
            code="unsupported_content_encoding",
            headers={"Accept-Encoding": known},
        )
    return tuple(names)


def decode(content: bytes, codings: Sequence[str], limit: int) -> bytes:
    """*content* without its *codings*. Takes long for what is large.

    Raises `BodyTooLarge` for more than *limit* bytes, at any stage, and `ServiceError` (400) for what is broken.
    """
    for name in reversed(codings):
        try:
            content = _DECODERS[name](content, limit)
        except (zlib.error, brotli.error, zstd.ZstdError, _Broken) as error:
            raise bad_request(f"The body is no valid {name}.", code="invalid_content_encoding") from error
    return content


def _inflate(content: bytes, limit: int) -> bytes:
    """The zlib format, and the bare one that some clients take `deflate` for."""
    is_wrapped = len(content) > 1 and content[0] & 0x0F == 8 and int.from_bytes(content[:2], "big") % 31 == 0
    found, rest = _inflate_member(content, limit, zlib.MAX_WBITS if is_wrapped else -zlib.MAX_WBITS)
    if rest:
        raise _Broken
    return found


def _gunzip(content: bytes, limit: int) -> bytes:
    return _all_members(content, limit, lambda rest, left: _inflate_member(rest, left, zlib.MAX_WBITS | 16))


def _inflate_member(content: bytes, limit: int, window: int) -> tuple[bytes, bytes]:
    stream = zlib.decompressobj(window)
    found = stream.decompress(content, limit + 1)
    return _checked(found, limit, stream.eof), stream.unused_data


def _unzstd(content: bytes, limit: int) -> bytes:
    return _all_members(content, limit, _unzstd_frame)


def _unzstd_frame(content: bytes, limit: int) -> tuple[bytes, bytes]:
    stream = zstd.ZstdDecompressor(options=_WINDOW)
    found = stream.decompress(content, max_length=limit + 1)
    return _checked(found, limit, stream.eof), stream.unused_data


def _unbrotli(content: bytes, limit: int) -> bytes:
    stream = brotli.Decompressor()
    pieces, size, given = [], 0, content
    while not stream.is_finished():
        piece = stream.process(given, output_buffer_limit=_PIECE)
        size += len(piece)
        if size > limit:
            raise BodyTooLarge
        if not piece and stream.can_accept_more_data() and not stream.is_finished():
            raise _Broken  # it is cut off
        pieces.append(piece)
        given = b""
    return b"".join(pieces)


def _all_members(content: bytes, limit: int, decode: Callable[[bytes, int], tuple[bytes, bytes]]) -> bytes:
    pieces: list[bytes] = []
    while content:
        if len(pieces) == MAX_MEMBERS:
            raise _Broken
        piece, content = decode(content, limit - sum(map(len, pieces)))
        pieces.append(piece)
    return b"".join(pieces)


def _checked(found: bytes, limit: int, is_whole: bool) -> bytes:
    if len(found) > limit:
        raise BodyTooLarge
    if not is_whole:
        raise _Broken
    return found


_DECODERS: dict[str, Callable[[bytes, int], bytes]] = {
    "gzip": _gunzip,
    "x-gzip": _gunzip,
    "deflate": _inflate,
    "br": _unbrotli,
    "zstd": _unzstd,
}
ACCEPTED = ("gzip", "deflate", "br", "zstd")
