"""Request bodies of every kind and coding, as clients and what stands before us send them."""

import asyncio
import gzip
import json
import zlib
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import brotli
import pytest

from tests.proxy.api.test_compatibility_requests import CHAT, MODEL, user
from tests.proxy.running import RunningProxy, running_proxy
from tests.proxy.wire import exchange
from tests.site import SimulatedSite


@pytest.mark.parametrize("path", [CHAT, "/v1/completions", "/v1/responses"])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"hello",
        b"[]",
        b'"text"',
        b"null",
        b"1",
        b'{"model"',
        b"\xff\xfe{\x00}\x00",
        b'{"model": "\xff"}',
        b'{"messages": "\xed\xa0\x80"}',
        b"model=x&messages=hi",
        b"{}",
    ],
)
async def test_a_body_that_is_no_request_is_400(proxy: RunningProxy, path: str, body: bytes) -> None:
    """Clients show the message of an error object; a 500, or a page of HTML, they report as a broken server."""
    answer = await exchange(proxy.url, "POST", path, body, {"Content-Type": "application/json"})

    assert answer.status == 400
    assert set(json.loads(answer.body)["error"]) == {"message", "type", "param", "code"}


SAID = {"model": MODEL, "messages": [user()]}


@pytest.mark.parametrize("kind", [None, "application/json", "application/json; charset=utf-8", "text/json", "a/b+json"])
async def test_json_may_be_called_so_or_not_at_all(proxy: RunningProxy, kind: str | None) -> None:
    """Scripts with a bare HTTP library often leave the type out."""
    answer = await exchange(proxy.url, "POST", CHAT, SAID, {"Content-Type": kind} if kind else {})

    assert answer.status == 200


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
async def test_a_body_of_another_type_is_400_and_says_which_is_wanted(proxy: RunningProxy, kind: str) -> None:
    """Forms of web pages can send these types, and no others, without asking first."""
    answer = await exchange(proxy.url, "POST", CHAT, SAID, {"Content-Type": kind})

    error = json.loads(answer.body)["error"]
    assert (answer.status, error["code"]) == (400, "invalid_content_type")
    assert "application/json" in error["message"]


@pytest.mark.parametrize(
    ("coding", "pack"),
    [("gzip", gzip.compress), ("GZIP", gzip.compress), ("deflate", zlib.compress), ("br", brotli.compress)],
)
async def test_a_compressed_body_is_read(proxy: RunningProxy, coding: str, pack: Callable[[bytes], bytes]) -> None:
    headers = {"Content-Encoding": coding, "Content-Type": "application/json"}

    for path, body in ((CHAT, SAID), ("/v1/responses", {"model": MODEL, "input": "hi"}), ("/v1/conversations", {})):
        answer = await exchange(proxy.url, "POST", path, pack(json.dumps(body).encode()), headers)
        assert answer.status == 200, path


@pytest.mark.parametrize("pauses", [[], [100], [100, 9_000]])
async def test_a_body_of_any_framing_is_bounded(site: SimulatedSite, tmp_path: Path, pauses: list[int]) -> None:
    """Announced or in chunks, which come with the head or later: *pauses* tells behind how many bytes of the body."""
    async with running_proxy(site, tmp_path, max_body=10_000) as proxy:
        for length, status in ((10_000, 200), (10_001, 413)):
            body = json.dumps(SAID).encode().ljust(length)
            chunks = [body[start:end] for start, end in pairwise((0, *pauses, length))]
            announced = [body[:100], body[100:]] if pauses else [body]
            for headers, sent in (
                (f"Content-Length: {length}", announced),
                ("Transfer-Encoding: chunked", [b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks]),
            ):
                assert await status_of(proxy.url, headers, sent) == status, headers


async def status_of(url: str, headers: str, parts: list[bytes]) -> int:
    """The status of a request whose body comes in *parts*, the first of them with the head."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
    head = f"POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{headers}\r\n\r\n".encode()
    if "chunked" in headers:
        parts = [*parts[:-1], parts[-1] + b"0\r\n\r\n"]
    try:
        for part in (head + parts[0], *parts[1:]):
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0.05)
        return int((await reader.readline()).split()[1])
    finally:
        writer.close()


async def test_a_compressed_body_counts_as_what_it_unpacks_to(site: SimulatedSite, tmp_path: Path) -> None:
    async with running_proxy(site, tmp_path, max_body=100_000) as proxy:
        bodies = [gzip.compress(json.dumps({**SAID, "user": "x" * size}).encode()) for size in (90_000, 200_000)]
        headers = {"Content-Encoding": "gzip"}
        fitting, large = [await exchange(proxy.url, "POST", CHAT, body, headers) for body in bodies]
    assert fitting.status == 200
    assert (large.status, json.loads(large.body)["error"]["code"]) == (413, "request_too_large")


@pytest.mark.parametrize(
    ("coding", "status", "code"),
    [("gzip", 400, "invalid_content_encoding"), ("lzma", 415, "unsupported_content_encoding")],
)
async def test_a_body_that_cannot_be_unpacked_is_refused_in_openais_shape(
    proxy: RunningProxy, coding: str, status: int, code: str
) -> None:
    answer = await exchange(proxy.url, "POST", CHAT, b"no archive at all", {"Content-Encoding": coding})

    assert (answer.status, json.loads(answer.body)["error"]["code"]) == (status, code)
    assert answer.headers.get("accept-encoding") == (None if status == 400 else "gzip, deflate, br, zstd")
