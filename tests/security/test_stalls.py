"""No single request keeps the event loop from all others for long, whatever is in it."""

import base64
import re
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tests.figures import figure
from tests.proxy.serving import ask
from tests.security.raw import request, send
from tests.security.watched import WatchedProxy, watched_proxy
from tests.site import SimulatedSite

MB = 1024 * 1024
MOST_MS = 50.0
TRIES = 3
CHAT = "/v1/chat/completions"
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(5 * MB))
PICTURE = b',{"type":"image_url","image_url":{"url":"data:image/png;base64,%s"}}' % PNG


def chat(messages: bytes, more: bytes = b"") -> bytes:
    return b'{"model":"gpt-4o-mini-helper","messages":%s%s}' % (messages, more)


def chat_with(content: bytes) -> bytes:
    return chat(b'[{"role":"user","content":"%s"}]' % content)


BODIES = {
    "one long text": chat_with(b"a" * 30 * MB),
    "a long text of another script": chat_with("汉".encode() * 10 * MB),
    "a long text of escapes": chat_with(b"\\n" * 15 * MB),
    "half a surrogate pair after much": chat_with(b"a" * 30 * MB + b"\\ud83d"),
    "a body that breaks off": chat_with(b"a" * 30 * MB)[:-3],
    "millions of lists": chat(b"[" + b"[]," * 10 * MB + b"1]"),
    "millions of numbers": chat(b"[" + b"1," * 15 * MB + b"1]"),
    "brackets without end": b"[" * 30 * MB,
    "blanks without end": b" " * 30 * MB,
    "ten thousand messages": chat(b"[%s]" % b",".join([b'{"role":"user","content":"%s"}' % (b"a" * 3000)] * 10_000)),
    "two large pictures": chat(
        b'[{"role":"user","content":[{"type":"text","text":"look"}%s]}]' % (2 * PICTURE),
    ),
    "just below what is large": chat(b"[" + b"[]," * 87_000 + b"1]"),
    "a long stop": chat(b'[{"role":"user","content":"hi"}]', b',"stop":"%s"' % (b"a" * MB)),
    "a long model": b'{"model":"%s","messages":[{"role":"user","content":"hi"}]}' % (b"a/" * 10 * MB),
}
PATHS = {
    "slashes in a model's name": "/v1/models/a" + "/" * 8000 + "x",
    "slashes alone": "/" * 8000 + "x",
    "slashes before a name": "/v1" + "/" * 8000 + "models",
    "slashes after an id": "/v1/conversations/a" + "/" * 8000 + "x",
    "slashes after items": "/v1/conversations/a/items" + "/" * 8000 + "x" + "/" * 10,
    "versions without end": "/v1" * 2600 + "/x",
    "versions and slashes": "//v1" * 2000 + "//",
}


@pytest.fixture
async def proxy(tmp_path: Path, free_port: int, as_users_run_it: None) -> AsyncIterator[WatchedProxy]:
    """One that tells of its stalls, and has answered once."""
    async with (
        SimulatedSite() as site,
        watched_proxy(site, tmp_path / "data", free_port, module="tests.security.stall_reporter") as running,
    ):
        async with aiohttp.ClientSession() as http:
            await ask(http, free_port, "hi")
        yield running


def stalls(log: str) -> list[float]:
    return [float(found) for found in re.findall(r"^stalled ([\d.]+)$", log, re.MULTILINE)]


async def longest_stall(proxy: WatchedProxy, data: bytes) -> tuple[float, int]:
    """The longest stall, in milliseconds, while a request is answered, and the answer's status.

    A stall is the request's own where it comes each time; on a busy machine everything takes longer now and then.
    """
    longest, status = MOST_MS + 1, 0
    for _ in range(TRIES):
        before = len(proxy.log)
        status = (await send(proxy.port, data)).status
        await send(proxy.port, request("GET", "/healthz"))
        longest = min(longest, max(stalls(proxy.log[before:]), default=0.0))
        if longest <= MOST_MS:
            break
    return longest, status


async def test_no_body_stalls_the_others(proxy: WatchedProxy) -> None:
    found = {name: await longest_stall(proxy, request("POST", CHAT, body=body)) for name, body in BODIES.items()}

    print(found)
    longest = max(found, key=lambda name: found[name][0])
    figure("the longest stall by one request's body", f"{found[longest][0]:.0f} ms ({longest})")
    assert {name: stall for name, stall in found.items() if stall[0] > MOST_MS} == {}
    assert {name for name, (_, status) in found.items() if status == 200} == {
        "ten thousand messages",
        "two large pictures",
    }
    assert all(status in {200, 400, 404} for _, status in found.values()), found


async def test_no_path_stalls_the_others(proxy: WatchedProxy) -> None:
    found = {name: await longest_stall(proxy, request("GET", path)) for name, path in PATHS.items()}

    assert {name: stall for name, stall in found.items() if stall[0] > MOST_MS} == {}
    assert all(status in {200, 404} for _, status in found.values()), found
