"""`Expect`: what curl sends before a large body, and what nobody can meet."""

import asyncio
import json
from urllib.parse import urlsplit

from tests.proxy.running import RunningProxy
from tests.security.raw import request, send

BODY = json.dumps({"model": "gpt-4o-mini-helper", "messages": [{"role": "user", "content": "hi"}]}).encode()
PATH = "/v1/chat/completions"
JSON = b"Content-Type: application/json"


def port_of(proxy: RunningProxy) -> int:
    return urlsplit(proxy.url).port or 0


async def test_a_client_that_asks_whether_to_go_on_is_told_to(proxy: RunningProxy) -> None:
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


async def test_other_expectations_are_417_in_the_usual_shape(proxy: RunningProxy) -> None:
    for path in (PATH, "/admin/keys"):
        answer = await send(port_of(proxy), request("POST", path, JSON, b"Expect: a miracle", body=BODY))

        assert answer.status == 417
        assert json.loads(answer.body)["error"]["code"] == "expectation_failed"
        assert (answer.header("x-request-id") or "").startswith("req_")


async def test_clients_of_http_1_0_are_not_told_to_go_on(proxy: RunningProxy) -> None:
    old = request("POST", PATH, JSON, b"Expect: 100-continue", body=BODY).replace(b"HTTP/1.1", b"HTTP/1.0", 1)
    answer = await send(port_of(proxy), old)

    assert answer.status == 200
    assert b"100 Continue" not in answer.lines[0]
