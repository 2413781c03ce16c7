"""Opening the store in Redis: a missing server, another kind of server, a wrong password."""

import asyncio
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from shared.store import StoreUnavailable, open_store
from shared.store.redis.client import CALL_SECONDS
from tests.redis_server import running_redis


async def test_a_server_that_is_not_there_is_reported_at_once_with_its_address_alone(free_port: int) -> None:
    started = monotonic()
    with pytest.raises(StoreUnavailable, match=rf"127\.0\.0\.1:{free_port}.*FREEAICHAT_STORE") as refused:
        async with open_store(f"redis://someone:hush@127.0.0.1:{free_port}/0?client_name=hush"):
            pass
    assert monotonic() - started < 1.0
    assert "hush" not in str(refused.value)
    assert "someone" not in str(refused.value)


async def test_a_server_that_starts_later_is_waited_for(
    tmp_path: Path, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = 0
    connect = asyncio.open_connection

    async def counted(*arguments: Any, **more: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        nonlocal refused
        try:
            return await connect(*arguments, **more)
        except OSError:
            refused += 1
            raise

    monkeypatch.setattr(asyncio, "open_connection", counted)

    async def open_it() -> str | None:
        async with open_store(f"redis://127.0.0.1:{free_port}", startup_timeout=20.0) as store:
            await store.set_note("a", "1")
            return await store.get_note("a")

    opening = asyncio.create_task(open_it())
    async with asyncio.timeout(10):
        while refused < 3:
            assert not opening.done()
            await asyncio.sleep(0.02)
    with running_redis(tmp_path / "redis", free_port):
        assert await opening == "1"


async def test_waiting_for_a_server_ends_with_the_reason(free_port: int) -> None:
    started = monotonic()
    with pytest.raises(StoreUnavailable, match=str(free_port)):
        async with open_store(f"redis://127.0.0.1:{free_port}", startup_timeout=1.0):
            pass
    assert 1.0 <= monotonic() - started < 3.0


@pytest.mark.parametrize("banner", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b""])
async def test_another_server_or_a_silent_one_is_reported_in_bounded_time(banner: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(banner)
        while await reader.read(1000):
            pass
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listener:
        port = listener.sockets[0].getsockname()[1]
        started = monotonic()
        with pytest.raises(StoreUnavailable, match="not Redis" if banner else "in time"):
            async with open_store(f"redis://127.0.0.1:{port}"):
                pass
        assert monotonic() - started < CALL_SECONDS + 1.0


async def test_a_wrong_password_is_reported_without_it_and_the_right_one_opens(tmp_path: Path, free_port: int) -> None:
    with running_redis(tmp_path / "redis", free_port, "--requirepass", "sesame"):
        for secret in (":hush@", ""):
            with pytest.raises(StoreUnavailable, match="password in FREEAICHAT_STORE") as refused:
                async with open_store(f"redis://{secret}127.0.0.1:{free_port}"):
                    pass
            assert "hush" not in str(refused.value)
        async with open_store(f"redis://:sesame@127.0.0.1:{free_port}") as store:
            await store.set_note("a", "1")
