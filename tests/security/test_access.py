"""Who is served, over bare sockets: Host names, browser origins and keys, in every spelling."""

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.proxy.running import RunningProxy, running_proxy
from tests.security.raw import request, send
from tests.site import SimulatedSite

KEY = "schlüssel-4711"
MODELS = "/v1/models"
GUARDED = [MODELS, "/models", "//v1//models/", "/v1/chat/completions", "/v1/responses/x", "/v1/conversations/x", "/x"]
OPEN = ["/", "/healthz", "/readyz"]


@pytest.fixture
async def site() -> AsyncIterator[SimulatedSite]:
    async with SimulatedSite() as running:
        yield running


@pytest.fixture
async def keyless(site: SimulatedSite, tmp_path: Path) -> AsyncIterator[RunningProxy]:
    async with running_proxy(site, tmp_path) as running:
        yield running


@pytest.fixture
async def keyed(site: SimulatedSite, tmp_path: Path) -> AsyncIterator[RunningProxy]:
    async with running_proxy(site, tmp_path, key=KEY) as running:
        yield running


async def status(
    proxy: RunningProxy, path: str, *headers: bytes, method: str = "GET", host: bytes = b"localhost"
) -> int:
    return (await send(urlsplit(proxy.url).port or 0, request(method, path, *headers, host=host))).status


HERE = [b"localhost", b"LOCALHOST:1", b"localhost.", b"127.0.0.1", b"127.1.2.3:80", b"[::1]:8080", b"app.localhost"]
ELSEWHERE = [
    *(b"evil.example", b"evil.example:80", b"localhost.evil.example", b"127.0.0.1.evil.example", b"10.0.0.1", b"[::2]"),
    *(
        b"",
        b":",
        b"[",
        b"]",
        b"[::1",
        b"0.0.0.0",
        b"127.1",
        b"2130706433",
        b"0x7f.1",
        b"\xff",
        b"localhost\xff",
        b"[::]",
    ),
    *(b"localhost@evil.example", b"evil.example#localhost", b"localhost/evil.example", b"127.0.0.1%00.evil.example"),
]


async def test_without_a_key_only_loopback_names_are_served(keyless: RunningProxy) -> None:
    for host in HERE:
        assert await status(keyless, MODELS, host=host) == 200, host
    for host in ELSEWHERE:
        for path in (*OPEN, *GUARDED):
            assert await status(keyless, path, host=host) in {400, 403}, (host, path)


async def test_the_name_in_the_request_line_counts_where_there_is_one(keyless: RunningProxy) -> None:
    assert await status(keyless, f"http://localhost{MODELS}") == 200
    assert await status(keyless, f"http://evil.example{MODELS}") == 403
    assert await status(keyless, f"http://localhost{MODELS}", host=b"evil.example") == 200


async def test_without_a_key_who_names_no_host_is_refused_whatever_this_machine_is_called(
    keyless: RunningProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getfqdn", lambda: "localhost")
    answer = await send(urlsplit(keyless.url).port or 0, b"GET /v1/models HTTP/1.0\r\n\r\n")
    assert answer.status == 403


ORIGINS = {
    b"http://localhost": 200,
    b"https://localhost:3000": 200,
    b"http://127.0.0.1:5173": 200,
    b"http://[::1]:1": 200,
    b"app://localhost": 200,
    b"file://": 200,  # a program on this machine
    b"null": 403,
    b"": 403,
    b"https://evil.example": 403,
    b"http://localhost.evil.example": 403,
    b"http://evil.example/http://localhost": 403,
    b"http://localhost@evil.example": 403,
    b"http://[": 403,
    b"http://[::1": 403,
    b"\xff": 403,
}


async def test_without_a_key_only_pages_of_loopback_origins_are_served(keyless: RunningProxy) -> None:
    for origin, expected in ORIGINS.items():
        for method in ("GET", "POST", "DELETE", "OPTIONS"):
            code = await status(keyless, "/v1/conversations/x", b"Origin: " + origin, method=method)
            assert (code == 403) == (expected == 403), (origin, method)


async def test_a_refused_page_can_read_nothing(keyless: RunningProxy) -> None:
    port = urlsplit(keyless.url).port or 0
    for method in ("GET", "OPTIONS"):
        answer = await send(port, request(method, MODELS, b"Origin: https://evil.example"))
        assert not any(name.startswith("access-control") for name in answer.names)
        assert b"gpt" not in answer.body
    allowed = await send(port, request("GET", MODELS, b"Origin: http://localhost:3000"))
    assert allowed.header("access-control-allow-origin") == "http://localhost:3000"
    assert allowed.header("access-control-allow-credentials") is None
    assert allowed.header("vary") == "Origin"


async def test_with_a_key_it_is_asked_for_on_every_path_that_is_not_open(keyed: RunningProxy) -> None:
    for path in GUARDED:
        for method in ("GET", "POST", "DELETE", "HEAD", "PUT", "TRACE"):
            assert await status(keyed, path, method=method) == 401, (path, method)
    for path in OPEN:
        assert await status(keyed, path, host=b"any.example") == 200
    for path in (*GUARDED, *OPEN):
        assert await status(keyed, path, method="OPTIONS") == 204


RIGHT = [
    b"Authorization: Bearer %s",
    b"authorization:  bEARER   %s  ",
    b"Authorization: %s",
    b"X-API-Key: %s",
    b"api-key: %s",
]
WRONG = [
    *(
        b"Authorization: Bearer",
        b"Authorization: Bearer \xff\xfe",
        b"X-Api-Key: \x80",
        b"Authorization: Basic c2s6c2s=",
    ),
    *(b"Authorization: Bearer schl\xfcssel-4711", b"Authorization: Bearer schl", b"Cookie: api-key=schl"),
]


async def test_keys_may_be_sent_in_every_usual_way_and_in_any_bytes(keyed: RunningProxy) -> None:
    for header in RIGHT:
        assert await status(keyed, MODELS, header % KEY.encode(), host=b"any.example") == 200, header
    for header in WRONG:
        assert await status(keyed, MODELS, header) == 401, header
    assert await status(keyed, f"{MODELS}?key={KEY.replace('ü', '%C3%BC')}") == 401


async def test_a_wrong_key_is_reported_before_the_body_comes(keyed: RunningProxy) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(keyed.url).port)
    writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 30000000\r\n\r\n")

    assert (await asyncio.wait_for(reader.readline(), 5)).startswith(b"HTTP/1.1 401")
    writer.close()
