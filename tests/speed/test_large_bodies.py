"""Many large requests at once: what they take goes back to the system with their end."""

import asyncio
import json
from io import BytesIO
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest

from tests.figures import figure
from tests.ports import a_free_port
from tests.proxy.serving import ask, serving
from tests.site import SimulatedSite

AT_ONCE, SIZE = 24, 28 * 1024 * 1024
LEFT_LIMIT = 150.0  # MB
AWHILE = 10.0  # seconds

pytestmark = [pytest.mark.alone, pytest.mark.usefixtures("as_users_run_it")]


def messages_of(kind: str) -> list[dict[str, Any]]:
    """So many bytes of messages."""
    if kind == "one picture":
        picture = "data:image/png;base64,iVBORw0KGgo" + "A" * (SIZE - 35)
        return [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": picture}}]}]
    if kind == "one text":
        return [{"role": "user", "content": "x" * SIZE}]
    return [{"role": "user", "content": "y" * 1000}] * (SIZE // 1036)


@pytest.mark.parametrize("kind", ["one picture", "one text", "many messages"])
async def test_large_bodies_leave_little_memory_behind(tmp_path: Path, kind: str) -> None:
    body = json.dumps({"model": "gpt-4o-mini-helper", "messages": messages_of(kind)}).encode()
    port = a_free_port()
    url, headers = f"http://127.0.0.1:{port}/v1/chat/completions", {"Content-Type": "application/json"}

    async def post(http: aiohttp.ClientSession) -> int:
        try:
            async with http.post(url, data=BytesIO(body), headers=headers) as response:
                await response.read()
                return response.status
        except aiohttp.ClientError:  # it was refused before all of it was sent
            return 0

    async with SimulatedSite() as site, serving(site, tmp_path, port) as process, aiohttp.ClientSession() as http:
        proxy = psutil.Process(process.pid)
        assert (await ask(http, port, "hello"))[0] == 200
        before = proxy.memory_info().rss
        statuses = await asyncio.gather(*(post(http) for _ in range(AT_ONCE)))
        async with asyncio.timeout(AWHILE):
            while (left := (proxy.memory_info().rss - before) / 1e6) > LEFT_LIMIT:
                await asyncio.sleep(0.05)
        assert (await ask(http, port, "hello"))[0] == 200

    figure(f"{AT_ONCE} bodies of 28 MiB at once, {kind}: memory left behind", f"{left:.0f} MB")
    assert set(statuses) <= {0, 400, 413, 503}
    assert 400 in statuses  # some of them were read whole
