"""What HTTP itself refuses, in the usual shape: broken requests, which are not repeated, and expectations."""

import asyncio
import json
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from proxy.api.app_keys import SETTINGS
from tests.proxy.running import RunningProxy
from tests.proxy.serving import log_of, serving
from tests.security.raw import request, send
from tests.site import SimulatedSite

KEY = b"sk-a-key-in-a-broken-request"
BROKEN = {
    "a zero byte": b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + KEY + b"\x00\r\n\r\n",
    "no colon": b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nAuthorization Bearer " + KEY + b"\r\n\r\n",
    "a space before the colon": b"GET / HTTP/1.1\r\nHost: localhost\r\nAuthorization : Bearer " + KEY + b"\r\n\r\n",
    "no such method": b"GE(T /v1/models?key=" + KEY + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "no such version": b"GET /v1/models HTTP/9.x\r\nAuthorization: Bearer " + KEY + b"\r\n\r\n",
    "a line too long": b"GET /" + KEY + b"x" * 20_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
}
BODY = json.dumps({"model": "gpt-4o-mini-helper", "messages": [{"role": "user", "content": "hi"}]}).encode()
PATH = "/v1/chat/completions"
JSON = b"Content-Type: application/json"


async def test_malformed_requests_are_400_in_the_usual_shape_and_repeat_no_key(
    site: SimulatedSite, tmp_path: Path, free_port: int
) -> None:
    ids = set()
    async with serving(site, tmp_path, free_port) as process:
        for what, data in BROKEN.items():
            answer = await send(free_port, data)
            assert answer.status == 400, what
            assert KEY not in b"".join((*answer.lines, answer.body)), what
            assert answer.header("content-type") == "application/json", what
            assert json.loads(answer.body)["error"]["code"] == "malformed_request", what
            ids.add(answer.header("x-request-id"))
        process.terminate()
        assert await process.wait() == 0
    text = log_of(tmp_path).read_text()

    assert len(ids) == len(BROKEN)
    assert all(each is not None and each.startswith("req_") for each in ids)
    assert "malformed request" in text
    assert KEY.decode() not in text
    assert "Traceback" not in text


def port_of(proxy: RunningProxy) -> int:
    return urlsplit(proxy.url).port or 0


async def test_expect_100_continue_is_answered(proxy: RunningProxy) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(proxy))
    whole = request("POST", PATH, JSON, b"Expect: 100-Continue", body=BODY)
    head, _, body = whole.partition(b"\r\n\r\n")
    writer.write(head + b"\r\n\r\n")
    interim = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    writer.write(body)
    answer = await asyncio.wait_for(reader.read(), 20)
    writer.close()

    assert interim == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b'"role":"assistant"' in answer


@pytest.mark.parametrize("asks", [(b"Expect: 100-continue",), ()])
async def test_a_body_that_is_announced_as_too_large_is_refused_before_it_comes(
    proxy: RunningProxy, asks: tuple[bytes, ...]
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(proxy))
    announced = b"Content-Length: %d" % (proxy.app[SETTINGS].max_body + 1)
    writer.write(request("POST", PATH, JSON, announced, *asks))
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)
    writer.close()

    assert head.startswith(b"HTTP/1.1 413 ")


async def test_other_expectations_are_417_in_the_usual_shape(proxy: RunningProxy) -> None:
    for path in (PATH, "/admin/keys"):
        answer = await send(port_of(proxy), request("POST", path, JSON, b"Expect: a miracle", body=BODY))

        assert answer.status == 417
        assert json.loads(answer.body)["error"]["code"] == "expectation_failed"
        assert (answer.header("x-request-id") or "").startswith("req_")


async def test_http_1_0_clients_get_no_100_continue(proxy: RunningProxy) -> None:
    old = request("POST", PATH, JSON, b"Expect: 100-continue", body=BODY).replace(b"HTTP/1.1", b"HTTP/1.0", 1)
    answer = await send(port_of(proxy), old)

    assert answer.status == 200
    assert b"100 Continue" not in answer.lines[0]
