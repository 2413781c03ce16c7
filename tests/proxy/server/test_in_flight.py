"""The memory of all requests in progress is limited; a single one always passes."""

import asyncio
import base64
import gzip
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from proxy.chat.errors import ServiceError
from proxy.server.in_flight import InFlight
from tests.pictures import PNG, picture_server, public_or_here
from tests.proxy.running import RunningProxy, running_proxy
from tests.site import SimulatedSite

HELD = "[[delay:0.05]] [[tokens:40]]"  # two seconds
LIMIT = 50_000


@pytest.fixture
async def proxy(site: SimulatedSite, tmp_path: Path) -> AsyncIterator[RunningProxy]:
    """A proxy with a low limit."""
    async with running_proxy(site, tmp_path, max_bodies=LIMIT, is_fetchable=public_or_here) as running:
        yield running


@asynccontextmanager
async def holding(proxy: RunningProxy, site: SimulatedSite, size: int) -> AsyncIterator[None]:
    """A turn in progress whose request has about so many bytes; it is cancelled at the end."""
    turn = asyncio.create_task(proxy.chat(HELD, metadata=None, user="x" * size))
    while not site.open_streams:
        await asyncio.sleep(0.005)
    yield
    turn.cancel()
    await asyncio.wait({turn})
    while site.open_streams:
        await asyncio.sleep(0.005)


async def test_bodies_above_the_limit_together_are_told_to_come_back(proxy: RunningProxy, site: SimulatedSite) -> None:
    async with holding(proxy, site, 40_000):
        answer = await proxy.chat("hi", user="x" * 20_000)
        small = await proxy.chat("hi")
    again = await proxy.chat("hi", user="x" * 20_000)

    assert (answer.status, answer.code, answer.headers["retry-after"]) == (503, "overloaded", "1")
    assert "FREEAICHAT_MAX_BODIES" in answer.body["error"]["message"]
    assert (small.status, again.status) == (200, 200)


async def test_bodies_count_however_they_are_sent(proxy: RunningProxy, site: SimulatedSite) -> None:
    body = json.dumps({"model": "m", "messages": [], "user": "x" * 20_000}).encode()

    async def in_chunks() -> AsyncIterator[bytes]:
        yield body[:10]
        await asyncio.sleep(0.05)
        yield body[10:]

    async def status_of(data: Any, **headers: str) -> int:
        async with proxy.http.post(f"{proxy.url}/v1/chat/completions", data=data, headers=headers) as response:
            return response.status

    async with holding(proxy, site, 40_000):
        chunked = await status_of(in_chunks())
        packed = await status_of(gzip.compress(body), **{"Content-Encoding": "gzip"})

    assert (chunked, packed) == (503, 503)


async def test_a_request_alone_may_be_larger(proxy: RunningProxy) -> None:
    assert (await proxy.chat("hi", user="x" * 2 * LIMIT)).status == 200
    assert (await proxy.chat("hi", user="x" * 2 * LIMIT)).status == 200


async def test_fetched_pictures_count_too(proxy: RunningProxy, site: SimulatedSite) -> None:
    async with picture_server() as pictures:
        pictures.bodies["/large.png"] = PNG + bytes(20_000)
        url = {"type": "image_url", "image_url": {"url": f"{pictures.url}/large.png"}}
        message = {"role": "user", "content": [{"type": "text", "text": "look"}, url]}
        async with holding(proxy, site, 30_000):
            answer = await proxy.chat(message)
        again = await proxy.chat(message)

    assert len(base64.b64encode(pictures.bodies["/large.png"])) > 20_000
    assert (answer.status, answer.code, again.status) == (503, "overloaded", 200)


async def test_memory_of_a_request_is_released_however_it_ended() -> None:
    under_way = InFlight(2, 10)

    async def use(*sizes: int) -> None:
        with under_way.request():
            for size in sizes:
                under_way.hold(size)
            await asyncio.sleep(0)

    with pytest.raises(ServiceError):
        await asyncio.gather(use(6), use(6))
    left = asyncio.create_task(use(6))
    await asyncio.sleep(0)
    left.cancel()
    await asyncio.wait({left})
    await asyncio.gather(use(3, 2), use(5))


async def test_requests_in_progress_are_limited_except_for_probes() -> None:
    under_way, leave = InFlight(2, LIMIT), asyncio.Event()

    async def served(*, is_probe: bool) -> str | None:
        try:
            with under_way.request(is_probe=is_probe):
                await leave.wait()
        except ServiceError as refusal:
            return refusal.code
        return "served"

    requests = [asyncio.create_task(served(is_probe=is_probe)) for is_probe in (False, False, False, True)]
    await asyncio.sleep(0)  # all have begun
    leave.set()

    assert await asyncio.gather(*requests) == ["served", "served", "overloaded", "served"]
    assert await served(is_probe=False) == "served"


async def test_where_no_request_is_in_progress_the_end_waits_for_none() -> None:
    async with asyncio.timeout(5):
        assert await InFlight(2, LIMIT).finish(60, asyncio.Event()) == 0
