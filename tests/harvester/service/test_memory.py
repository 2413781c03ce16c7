"""The bound on a visit's memory, with real processes that use some."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import psutil
import pytest

from harvester.service import memory
from harvester.service.memory import wait_for_excess

SHARED = """
import os, sys
held = b"x" * 60_000_000
for _ in range(4):
    if os.fork() == 0:
        sys.stdin.read()
        os._exit(0)
print("ready", flush=True)
sys.stdin.read()
"""
GROWN = """
import subprocess, sys
inner = "held = b'x' * 200_000_000; import sys; print('ready', flush=True); sys.stdin.read()"
subprocess.run([sys.executable, "-c", inner])
"""
MOST = 150_000_000


@contextmanager
def running(script: str) -> Iterator[psutil.Process]:
    """A process of this *script*, that is ready."""
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield psutil.Process(process.pid)


@asynccontextmanager
async def watched(root: psutil.Process) -> AsyncIterator[asyncio.Task[int]]:
    """The watch over *root*, after a few looks or once it has told."""
    looks = 0
    used = memory._used

    def counted(root: psutil.Process | None) -> int:
        nonlocal looks
        looks += 1
        return used(root)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memory, "LOOK_SECONDS", 0.02)
        patch.setattr(memory, "_used", counted)
        task = asyncio.create_task(wait_for_excess(root))
        async with asyncio.timeout(10):
            while looks < 4 and not task.done():
                await asyncio.sleep(0.01)
    yield task
    task.cancel()


@pytest.fixture(autouse=True)
def small_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bound that a test can break."""
    monkeypatch.setattr("harvester.service.memory.MAX_BYTES", MOST)


async def test_memory_of_child_processes_counts(as_users_run_it: None) -> None:
    with running(GROWN) as root:
        async with watched(root) as task:
            assert task.done()
            assert task.result() > 200_000_000


async def test_shared_memory_counts_once(as_users_run_it: None) -> None:
    with running(SHARED) as root:
        async with watched(root) as task:
            assert not task.done()


async def test_a_process_that_is_gone_uses_nothing() -> None:
    with running("print('ready')") as root:
        pass
    async with watched(root) as task:
        assert not task.done()
