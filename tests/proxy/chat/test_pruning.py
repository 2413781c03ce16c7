"""Conversations that nobody uses are dropped while the proxy runs, not only when it starts."""

import asyncio
from pathlib import Path
from time import monotonic, time

import pytest

from proxy.chat.pruning import keep_pruning
from shared.admin.usage import UsageBatch, UsageGroup, hour_of
from shared.settings import Settings
from shared.store import open_store
from shared.store.sqlite import schema
from tests.proxy.running import RunningProxy, running_proxy
from tests.redis_server import RedisServer
from tests.shared.samples import conversation
from tests.shared.store.sqlite_files import change
from tests.site import SimulatedSite

NEWER = "PRAGMA user_version = 99"
OURS = f"PRAGMA user_version = {len(schema.MIGRATIONS)}"


async def is_dropped(proxy: RunningProxy, conversation: str) -> None:
    async with asyncio.timeout(10):
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


async def test_an_unset_clock_drops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(retention=0.02)
    async with open_store(f"sqlite:///{tmp_path}/freeaichat.db") as store:
        await store.create_conversation(conversation("kept", at=time()))
        await store.add_usage(UsageBatch("1", {UsageGroup(hour_of(time()), "", "m", "s"): {"requests": 1}}))

        monkeypatch.setattr("proxy.chat.pruning.time", monotonic)  # as after a boot without a clock that ran on
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(keep_pruning(store, settings), 0.1)
        assert (await store.conversation("kept")) is not None
        assert len(await store.usage(since=0.0, until=time())) == 1

        monkeypatch.setattr("proxy.chat.pruning.time", time)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(keep_pruning(store, settings), 0.1)
        assert (await store.conversation("kept")) is None


async def test_a_store_that_a_newer_version_had_for_a_moment_is_tidied_and_its_places_shared_again(
    site: SimulatedSite, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running_proxy(site, tmp_path, retention=0.5) as proxy:
        conversation = await a_conversation(proxy)
        change(tmp_path / "freeaichat.db", NEWER)
        async with asyncio.timeout(5):
            while not ("tidying the store: a newer" in caplog.text and "not shared out just now" in caplog.text):
                await asyncio.sleep(0.05)
        change(tmp_path / "freeaichat.db", OURS)

        await is_dropped(proxy, conversation)
        assert (await proxy.chat("hi")).status == 200


async def ready(proxy: RunningProxy) -> tuple[int, str, str]:
    async with proxy.http.get(f"{proxy.url}/readyz") as response:
        body = await response.json()
        return response.status, body["status"], body.get("reason", "")


async def test_pruning_that_fails_is_reported_and_resumed(
    site: SimulatedSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proxy.server.background.STEADY_SECONDS", 0.5)
    async with running_proxy(site, tmp_path, retention=0.5) as proxy:
        assert await ready(proxy) == (200, "ready", "")
        change(tmp_path / "freeaichat.db", "ALTER TABLE usage RENAME TO lost")
        reason = "background work fails: tidying the store; the log says why"
        async with asyncio.timeout(5):
            while await ready(proxy) != (200, "degraded", reason):
                await asyncio.sleep(0.05)
        assert (await proxy.chat("hi")).status == 200

        change(tmp_path / "freeaichat.db", "ALTER TABLE lost RENAME TO usage")
        async with asyncio.timeout(15):
            while await ready(proxy) != (200, "ready", ""):
                await asyncio.sleep(0.05)
        await is_dropped(proxy, await a_conversation(proxy))


async def test_conversations_that_were_lost_in_redis_do_not_end_tidying(
    site: SimulatedSite, tmp_path: Path, redis_server: RedisServer
) -> None:
    async with running_proxy(site, tmp_path, retention=0.5, store=redis_server.url) as proxy:
        for _ in range(3):
            lost = await a_conversation(proxy)
            redis_server.command("DEL", "{freeaichat}:conversation:" + lost)
            await is_dropped(proxy, await a_conversation(proxy))
        assert await ready(proxy) == (200, "ready", "")
        assert redis_server.command("ZCARD", "{freeaichat}:conversations") == 0
