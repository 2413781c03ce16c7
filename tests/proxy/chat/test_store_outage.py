"""The store is unavailable: requests without stored state go on, others get an error, and all recovers by itself."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import pytest

import proxy.chat.conversations
from proxy.chat.conversations import call_store
from proxy.chat.errors import ServiceError
from tests.proxy.running import RunningProxy, running_proxy, short_store_timeout
from tests.site import SimulatedSite

STATEFUL = "gpt-5-nano"


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Lock the file, as another program would."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")
        connection.close()


@pytest.fixture(name="impatient")
def short_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    short_store_timeout(monkeypatch)


async def ready(running: RunningProxy) -> tuple[int, str]:
    async with running.http.get(f"{running.url}/readyz") as response:
        return response.status, (await response.json())["status"]


async def test_turns_that_name_no_conversation_continue_at_once(
    site: SimulatedSite, tmp_path: Path, impatient: None
) -> None:
    async with running_proxy(site, tmp_path) as running:
        first = await running.chat("my name is Ada", model=STATEFUL)
        with locked(tmp_path / "freeaichat.db"):
            start = monotonic()
            answer = await running.chat(
                "my name is Ada", {"role": "assistant", "content": first.text}, "[[recall]]", model=STATEFUL
            )
            seconds = monotonic() - start

    assert "my name is Ada" in answer.text
    assert seconds < 2


async def test_a_nonce_is_renewed_all_the_same(site: SimulatedSite, tmp_path: Path, impatient: None) -> None:
    async with running_proxy(site, tmp_path) as running:
        await running.chat("hi")
        with locked(tmp_path / "freeaichat.db"):
            site.rotate_nonce()
            assert (await running.chat("and?")).status == 200
            assert (await running.chat("and now?")).status == 200

    assert [request.action for request in site.requests].count("aipkit_get_frontend_chat_nonce") == 1


async def test_turns_that_need_stored_state_get_retry_after(
    site: SimulatedSite, tmp_path: Path, impatient: None
) -> None:
    async with running_proxy(site, tmp_path) as running:
        conversation = (await running.openai.conversations.create()).id
        with locked(tmp_path / "freeaichat.db"):
            refused = await running.chat("hi", conversation_id=conversation)
            async with asyncio.timeout(10):
                while (await ready(running)) != (200, "degraded"):
                    await asyncio.sleep(0.1)
            async with running.http.get(f"{running.url}/admin/status") as status:
                assert (await status.json())["store"]["trouble"]
            async with running.http.get(f"{running.url}/metrics") as metrics:
                assert "freeaichat_store_up 0.0" in await metrics.text()
        async with asyncio.timeout(10):
            while (await running.chat("hi", conversation_id=conversation)).status != 200:
                await asyncio.sleep(0.1)

    assert (refused.status, refused.code) == (503, "store_unavailable")
    assert float(refused.headers["retry-after"]) > 0


async def test_a_store_that_hangs_is_not_waited_for_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxy.chat.conversations, "PATIENCE_SECONDS", 0.05)
    async with asyncio.timeout(5):
        with pytest.raises(ServiceError, match="does not answer in time") as exc_info:
            await call_store(asyncio.Event().wait)

    assert (exc_info.value.status, exc_info.value.code) == (503, "store_unavailable")


async def test_a_lock_that_ends_in_time_is_waited_for(site: SimulatedSite, tmp_path: Path) -> None:
    async with running_proxy(site, tmp_path) as running:
        conversation = (await running.openai.conversations.create()).id
        with locked(tmp_path / "freeaichat.db"):
            turn = asyncio.create_task(running.chat("hi", conversation_id=conversation))
            await asyncio.sleep(1)

        assert (await turn).status == 200


async def test_a_deleted_file_costs_nothing_but_what_it_held(site: SimulatedSite, tmp_path: Path) -> None:
    async with running_proxy(site, tmp_path) as running:
        (tmp_path / "freeaichat.db").unlink()

        assert (await running.chat("hi")).status == 200
        site.rotate_nonce()
        assert (await running.chat("hi")).status == 200
        conversation = (await running.openai.conversations.create()).id
        assert (await running.chat("hi", conversation_id=conversation)).status == 200


async def test_readiness_is_degraded_while_turns_can_be_answered(
    site: SimulatedSite, tmp_path: Path, impatient: None
) -> None:
    path = tmp_path / "freeaichat.db"
    async with running_proxy(site, tmp_path) as running:
        assert await ready(running) == (200, "ready")
        path.rename(tmp_path / "away.db")
        path.mkdir()
        async with asyncio.timeout(10):
            while (await ready(running)) != (200, "degraded"):
                await asyncio.sleep(0.1)
        answer = await running.chat("hi")
        path.rmdir()
        (tmp_path / "away.db").rename(path)
        async with asyncio.timeout(10):
            while (await ready(running)) != (200, "ready"):
                await asyncio.sleep(0.1)

    assert answer.status == 200
