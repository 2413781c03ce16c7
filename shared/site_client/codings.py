"""Decompression of bodies as they arrive, for servers that compress although the request does not accept it.

Requests accept no coding, since a compressed stream may arrive in lumps; some servers and caches ignore that.
"""

import zlib
from dataclasses import replace

import brotli

from shared.site_client.http1 import BadResponse, Head

MAX_PIECE_BYTES = 16 * 1024 * 1024  # output of one read: a few bytes may unpack to gigabytes


def select_coding(head: Head) -> "tuple[Head, Coding | None]":
    """*head* without the coding, and the decompressor of the body; None for an unknown coding, or none."""
    coding = _CODINGS.get(head.headers.get("content-encoding", "").strip().lower())
    if coding is None:
        return head, None
    headers = {name: value for name, value in head.headers.items() if name != "content-encoding"}
    return replace(head, headers=headers), coding()


class Gzip:
    """Gzip (RFC 1952), of one member or several."""

    __slots__ = ("_stream",)

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(zlib.MAX_WBITS | 16)

    def feed(self, data: bytes) -> bytes:
        """Decompress *data*, as far as possible yet. Raises `BadResponse`."""
        unpacked = b""
        while data:
            if self._stream.eof:
                self._stream = zlib.decompressobj(zlib.MAX_WBITS | 16)
            try:
                unpacked += self._stream.decompress(data, MAX_PIECE_BYTES)
            except zlib.error as error:
                raise BadResponse("the body is no valid gzip") from error
            if self._stream.unconsumed_tail or len(unpacked) > MAX_PIECE_BYTES:
                raise BadResponse("the body unpacks to too much")
            data = self._stream.unused_data
        return unpacked


class Brotli:
    """Brotli (RFC 7932)."""

    __slots__ = ("_stream",)

    def __init__(self) -> None:
        self._stream = brotli.Decompressor()

    def feed(self, data: bytes) -> bytes:
        """Decompress *data*, as far as possible yet. Raises `BadResponse`."""
        try:
            unpacked: bytes = self._stream.process(data, output_buffer_limit=MAX_PIECE_BYTES)
        except brotli.error as error:
            raise BadResponse("the body is no valid brotli") from error
        if not self._stream.can_accept_more_data():
            raise BadResponse("the body unpacks to too much")
        return unpacked


Coding = Gzip | Brotli
_CODINGS: dict[str, type[Coding]] = {"gzip": Gzip, "x-gzip": Gzip, "br": Brotli}
