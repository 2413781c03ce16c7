"""What is no HTTP is answered in the usual shape by a real proxy process, and repeats nothing."""

import json
from pathlib import Path

from tests.proxy.serving import log_of, serving
from tests.security.raw import send
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
