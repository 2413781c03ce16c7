"""Conversations that nobody uses are dropped while the proxy runs, not only when it starts."""

import asyncio
from pathlib import Path

import pytest

from shared.store import schema
from tests.proxy.running import RunningProxy, running_proxy
from tests.shared.sqlite_files import change
from tests.site import SimulatedSite

NEWER = "PRAGMA user_version = 99"
OURS = f"PRAGMA user_version = {len(schema.MIGRATIONS)}"


async def is_dropped(proxy: RunningProxy, conversation: str) -> None:
    async with asyncio.timeout(5):
        while await proxy.store.conversation(conversation) is not None:
            await asyncio.sleep(0.05)


async def a_conversation(proxy: RunningProxy) -> str:
    async with proxy.http.post(f"{proxy.url}/v1/conversations") as response:
        conversation = str((await response.json())["id"])
    assert await proxy.store.conversation(conversation) is not None
    return conversation


async def test_a_short_retention_is_kept_to(site: SimulatedSite, tmp_path: Path) -> None:
    async with running_proxy(site, tmp_path, retention=0.5) as proxy:
        await is_dropped(proxy, await a_conversation(proxy))


async def test_a_store_that_a_newer_version_had_for_a_moment_is_tidied_and_its_places_shared_again(
    site: SimulatedSite, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running_proxy(site, tmp_path, retention=0.5) as proxy:
        conversation = await a_conversation(proxy)
        change(tmp_path / "freeaichat.db", NEWER)
        async with asyncio.timeout(5):
            while not ("nothing pruned" in caplog.text and "not shared out just now" in caplog.text):
                await asyncio.sleep(0.05)
        change(tmp_path / "freeaichat.db", OURS)

        await is_dropped(proxy, conversation)
        assert (await proxy.chat("hi")).status == 200
