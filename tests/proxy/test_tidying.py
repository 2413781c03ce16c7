"""Conversations that nobody uses are dropped while the proxy runs, not only when it starts."""

import asyncio
from pathlib import Path

from tests.proxy.running import running_proxy
from tests.site import SimulatedSite


async def test_a_short_retention_is_kept_to(site: SimulatedSite, tmp_path: Path) -> None:
    async with running_proxy(site, tmp_path, retention=0.5) as proxy:
        async with proxy.http.post(f"{proxy.url}/v1/conversations") as response:
            conversation = (await response.json())["id"]
        assert await proxy.store.conversation(conversation) is not None

        async with asyncio.timeout(5):
            while await proxy.store.conversation(conversation) is not None:
                await asyncio.sleep(0.05)
