"""A client with many requests does not delay others."""

import asyncio
from pathlib import Path

import aiohttp

from proxy.api.app_keys import UPSTREAMS
from tests.proxy.running import running_proxy
from tests.site import SimulatedSite

BODY = {"model": "gpt-4o-mini-helper", "messages": [{"role": "user", "content": "[[tokens:5]] [[delay:0.05]]"}]}


async def test_slots_are_shared_round_robin_by_client_address(site: SimulatedSite, tmp_path: Path) -> None:
    order: list[str] = []
    async with running_proxy(site, tmp_path, max_upstream=1) as proxy:

        async def ask(http: aiohttp.ClientSession, who: str) -> None:
            async with http.post(f"{proxy.url}/v1/chat/completions", json=BODY) as response:
                assert response.status == 200
                await response.read()
            order.append(who)

        elsewhere = aiohttp.TCPConnector(local_addr=("127.0.0.2", 0))
        async with aiohttp.ClientSession(connector=elsewhere) as other:
            tasks = [asyncio.create_task(ask(proxy.http, "many")) for _ in range(8)]
            async with asyncio.timeout(5):
                while proxy.app[UPSTREAMS][0].health().queued < len(tasks) - 1:
                    await asyncio.sleep(0.005)
            tasks.append(asyncio.create_task(ask(other, "one")))
            await asyncio.gather(*tasks)

    assert order.index("one") <= 3
