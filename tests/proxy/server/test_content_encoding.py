"""Compressed request bodies, whole, broken and made to burst."""

import gzip
import sys
import tracemalloc
import zlib
from collections.abc import Callable

import brotli
import pytest

from proxy.chat.errors import ServiceError
from proxy.server.content_encoding import MAX_MEMBERS, BodyTooLarge, decode, read_codings

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

TEXT = '{"text": "你好, hello"}'.encode() * 500
MANY = 64 * 1024 * 1024


def bare_deflate(content: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(content) + packer.flush()


PACKERS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "its old name": ("x-gzip", gzip.compress),
    "deflate": ("deflate", zlib.compress),
    "deflate without its frame": ("deflate", bare_deflate),
    "br": ("br", lambda content: brotli.compress(content, quality=4)),
    "zstd": ("zstd", zstd.compress),
}
ALL = pytest.mark.parametrize(("coding", "pack"), PACKERS.values(), ids=PACKERS)


@ALL
def test_compressed_bodies_are_decoded(coding: str, pack: Callable[[bytes], bytes]) -> None:
    for content in (b"", b"{}", TEXT, bytes(range(256)) * 20_000):
        assert decode(pack(content), [coding], len(content)) == content


@ALL
def test_bodies_above_the_limit_are_not_decompressed(coding: str, pack: Callable[[bytes], bytes]) -> None:
    bomb = pack(bytes(MANY))
    limit = 1024 * 1024

    tracemalloc.start()
    try:
        with pytest.raises(BodyTooLarge):
            decode(bomb, [coding], limit)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert most < 8 * limit
    with pytest.raises(BodyTooLarge):
        decode(pack(TEXT), [coding], len(TEXT) - 1)


@ALL
def test_truncated_trailing_or_invalid_data_is_400(coding: str, pack: Callable[[bytes], bytes]) -> None:
    packed = pack(TEXT)
    for broken in (packed[:-1], packed[: len(packed) // 2], packed + b"more", b'{"model": "x"}', b"\xff"):
        with pytest.raises(ServiceError) as exc_info:
            decode(broken, [coding], 1024 * 1024)
        assert (exc_info.value.status, exc_info.value.code) == (400, "invalid_content_encoding")


@pytest.mark.parametrize(("coding", "pack"), [("gzip", gzip.compress), ("zstd", zstd.compress)])
def test_several_members_are_one_body_but_not_any_number_of_them(coding: str, pack: Callable[[bytes], bytes]) -> None:
    assert decode(pack(b"one ") + pack(b"two"), [coding], 7) == b"one two"
    with pytest.raises(BodyTooLarge):
        decode(pack(b"one ") + pack(b"two"), [coding], 6)
    with pytest.raises(ServiceError):
        decode(pack(b"") * (MAX_MEMBERS + 1), [coding], 1024)


def test_a_window_that_would_take_much_memory_is_refused() -> None:
    options: dict[int, int] = {zstd.CompressionParameter.window_log: 27, zstd.CompressionParameter.content_size_flag: 0}
    packer = zstd.ZstdCompressor(options=options)
    packed = packer.compress(bytes(1024)) + packer.flush()

    with pytest.raises(ServiceError):
        decode(packed, ["zstd"], 1024 * 1024)


@pytest.mark.parametrize("coding", ["deflate", "br"])
def test_nothing_is_no_compressed_body(coding: str) -> None:
    with pytest.raises(ServiceError) as exc_info:
        decode(gzip.compress(b""), (coding, "gzip"), 10)

    assert (exc_info.value.status, exc_info.value.code) == (400, "invalid_content_encoding")


def test_codings_are_undone_from_the_last_to_the_first() -> None:
    assert decode(zlib.compress(gzip.compress(TEXT)), read_codings("gzip, deflate"), len(TEXT)) == TEXT


@pytest.mark.parametrize("header", ["", "identity", " , Identity"])
def test_no_coding_is_none(header: str) -> None:
    assert read_codings(header) == ()


@pytest.mark.parametrize("header", ["compress", "gzip, lzma", "*", "gzip;q=1", "gzip, gzip, gzip"])
def test_unknown_codings_are_415_and_list_the_supported_ones(header: str) -> None:
    with pytest.raises(ServiceError) as exc_info:
        read_codings(header)

    assert (exc_info.value.status, exc_info.value.code) == (415, "unsupported_content_encoding")
    assert exc_info.value.headers["Accept-Encoding"] == "gzip, deflate, br, zstd"
