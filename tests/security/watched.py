"""A proxy as a process of its own whose memory and output are watched."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import psutil

from tests.proxy.running import VisitedSite
from tests.proxy.serving import environment, fill_store

START_SECONDS = 30.0
PAUSE = 0.02


@dataclass
class WatchedProxy:
    """A running proxy process."""

    process: asyncio.subprocess.Process
    port: int
    log_file: Path

    @property
    def url(self) -> str:
        """Where it is reached."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        """All that it printed so far."""
        return self.log_file.read_text("utf-8", "replace")

    @property
    def memory(self) -> int:
        """Resident memory now, bytes."""
        return int(psutil.Process(self.process.pid).memory_info().rss)

    @asynccontextmanager
    async def growth(self) -> AsyncIterator[list[int]]:
        """How much its memory grew at most inside the context: the list's one item, in bytes."""
        before = self.memory
        most = [0]

        async def watch() -> None:
            while True:
                most[0] = max(most[0], self.memory - before)
                await asyncio.sleep(PAUSE)

        task = asyncio.create_task(watch())
        try:
            yield most
        finally:
            task.cancel()


@asynccontextmanager
async def watched_proxy(
    site: VisitedSite, data_dir: Path, port: int, *, module: str = "proxy", **settings: str
) -> AsyncIterator[WatchedProxy]:
    """`python -m MODULE` that answers on *port*; killed at the end if it still runs."""
    await fill_store(data_dir, site)
    variables = environment(data_dir, FREEAICHAT_SITES=site.url, FREEAICHAT_PORT=str(port), **settings)
    log_file = data_dir.with_name(f"{data_dir.name}.{port}.log")
    with log_file.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", module), env=variables, stdout=output, stderr=output
        )
    try:
        watched = WatchedProxy(process, port, log_file)
        deadline = monotonic() + START_SECONDS
        while "listening on" not in watched.log:
            assert process.returncode is None, watched.log
            assert monotonic() < deadline, watched.log
            await asyncio.sleep(PAUSE)
        yield watched
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
