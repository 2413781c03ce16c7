"""Decompression of request bodies (`Content-Encoding`) within bounds, since a few bytes may unpack to gigabytes.
Pure."""

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
_CHUNK = 1024 * 1024


class BodyTooLarge(Exception):
    """A body unpacks to more than its limit."""


class _InvalidEncoding(Exception):
    """The body is not valid for its encoding."""


def read_codings(header: str) -> tuple[str, ...]:
    """Parse a Content-Encoding header into codings, in the order of their use. Raises `ServiceError` (415)."""
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
    """Remove the *codings* from *content*. Slow for large bodies.

    Raises `BodyTooLarge` for more than *limit* bytes, at any stage, and `ServiceError` (400) for invalid content.
    """
    for name in reversed(codings):
        try:
            content = _DECODERS[name](content, limit)
        except (zlib.error, brotli.error, zstd.ZstdError, _InvalidEncoding) as error:
            raise bad_request(f"The body is no valid {name}.", code="invalid_content_encoding") from error
    return content


def _inflate(content: bytes, limit: int) -> bytes:
    """Decode the zlib format, or the raw one that some clients send as `deflate`."""
    is_wrapped = len(content) > 1 and content[0] & 0x0F == 8 and int.from_bytes(content[:2], "big") % 31 == 0
    decoded, rest = _inflate_member(content, limit, zlib.MAX_WBITS if is_wrapped else -zlib.MAX_WBITS)
    if rest:
        raise _InvalidEncoding
    return decoded


def _gunzip(content: bytes, limit: int) -> bytes:
    return _all_members(content, limit, lambda rest, left: _inflate_member(rest, left, zlib.MAX_WBITS | 16))


def _inflate_member(content: bytes, limit: int, window: int) -> tuple[bytes, bytes]:
    stream = zlib.decompressobj(window)
    decoded = stream.decompress(content, limit + 1)
    return _checked(decoded, limit, stream.eof), stream.unused_data


def _unzstd(content: bytes, limit: int) -> bytes:
    return _all_members(content, limit, _unzstd_frame)


def _unzstd_frame(content: bytes, limit: int) -> tuple[bytes, bytes]:
    stream = zstd.ZstdDecompressor(options=_WINDOW)
    decoded = stream.decompress(content, max_length=limit + 1)
    return _checked(decoded, limit, stream.eof), stream.unused_data


def _unbrotli(content: bytes, limit: int) -> bytes:
    stream = brotli.Decompressor()
    chunks, size, data = [], 0, content
    while not stream.is_finished():
        chunk = stream.process(data, output_buffer_limit=_CHUNK)
        size += len(chunk)
        if size > limit:
            raise BodyTooLarge
        if not chunk and stream.can_accept_more_data() and not stream.is_finished():
            raise _InvalidEncoding  # it is cut off
        chunks.append(chunk)
        data = b""
    return b"".join(chunks)


def _all_members(content: bytes, limit: int, decode: Callable[[bytes, int], tuple[bytes, bytes]]) -> bytes:
    members: list[bytes] = []
    while content:
        if len(members) == MAX_MEMBERS:
            raise _InvalidEncoding
        member, content = decode(content, limit - sum(map(len, members)))
        members.append(member)
    return b"".join(members)


def _checked(decoded: bytes, limit: int, is_whole: bool) -> bytes:
    if len(decoded) > limit:
        raise BodyTooLarge
    if not is_whole:
        raise _InvalidEncoding
    return decoded


_DECODERS: dict[str, Callable[[bytes, int], bytes]] = {
    "gzip": _gunzip,
    "x-gzip": _gunzip,
    "deflate": _inflate,
    "br": _unbrotli,
    "zstd": _unzstd,
}
ACCEPTED = ("gzip", "deflate", "br", "zstd")
