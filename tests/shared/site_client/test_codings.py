"""Compressed bodies."""

import asyncio
import gzip
import os
import zlib

import brotli
import pytest

from shared.site_client.client import SiteClient
from shared.site_client.codings import MAX_PIECE_BYTES, select_coding
from shared.site_client.errors import SiteUnreachable
from shared.site_client.http1 import BadResponse, Head
from tests.shared.site_client.test_pool import answering

TEXT = 'data: {"delta":"你好 😀"}\n\n'.encode() * 300
PACKED = {"gzip": gzip.compress(TEXT, mtime=0), "x-gzip": gzip.compress(TEXT, mtime=0), " BR ": brotli.compress(TEXT)}


def unpacked(name: str, *pieces: bytes) -> bytes:
    _, coding = select_coding(Head(200, {"content-encoding": name}, True))
    assert coding is not None
    return b"".join(map(coding.feed, pieces))


@pytest.mark.parametrize("name", PACKED)
@pytest.mark.parametrize("size", [1, 7, 10**6])
def test_a_body_is_decoded_the_same_however_it_is_split(name: str, size: int) -> None:
    packed = PACKED[name]

    assert unpacked(name, *(packed[start : start + size] for start in range(0, len(packed), size))) == TEXT


def test_flushed_data_is_decoded_at_once_and_several_members_are_one_body() -> None:
    packer = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
    first = packer.compress(b"one") + packer.flush(zlib.Z_SYNC_FLUSH)

    assert unpacked("gzip", first) == b"one"
    assert unpacked("gzip", gzip.compress(b"a") + gzip.compress(b"b"), gzip.compress(b"c")) == b"abc"


@pytest.mark.parametrize("name", ["gzip", "br"])
def test_broken_data_and_decompression_bombs_are_refused(name: str) -> None:
    pack = {"gzip": gzip.compress, "br": brotli.compress}[name]

    with pytest.raises(BadResponse, match="no valid"):
        unpacked(name, b"\xff" * 100)
    with pytest.raises(BadResponse, match="too much"):
        unpacked(name, pack(bytes(MAX_PIECE_BYTES * 3)))
    if name == "gzip":  # in members that are small enough alone
        with pytest.raises(BadResponse, match="too much"):
            unpacked(name, pack(bytes(MAX_PIECE_BYTES // 2)) * 3)
    assert len(unpacked(name, pack(os.urandom(1000) * 1000))) == 10**6


@pytest.mark.parametrize("headers", [{}, {"content-encoding": "none"}, {"content-encoding": "gzip, br"}])
def test_an_unknown_coding_is_left_as_it_is(headers: dict[str, str]) -> None:
    head = Head(200, headers, True)

    assert select_coding(head) == (head, None)


@pytest.mark.parametrize(("name", "packed"), PACKED.items())
async def test_answers_are_unpacked_on_one_kept_connection(name: str, packed: bytes) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for head in (f"Content-Encoding: {name}\r\nContent-Length: {len(packed)}", "Content-Length: 5"):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(f"HTTP/1.1 200 OK\r\n{head}\r\n\r\n".encode())
            writer.write(packed if "Encoding" in head else b"plain")

    async with answering(answer) as port, SiteClient() as client:
        url = f"http://127.0.0.1:{port}/"
        async with client.stream(url, {}, idle_timeout=5.0) as reply:
            assert "Content-Encoding" not in reply.headers
            assert b"".join([piece async for piece in reply.body]) == TEXT
        assert (await client.get(url, {}, timeout=5.0)).body == b"plain"


async def test_a_body_that_is_not_compressed_is_an_error() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nplain")

    async with answering(answer) as port, SiteClient() as client:
        with pytest.raises(SiteUnreachable, match="no valid gzip"):
            await client.get(f"http://127.0.0.1:{port}/", {}, timeout=5.0)
