"""Run a proxy as a process in front of the simulated site."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from shared.secrets import private_dir
from shared.store import open_store
from tests.proxy.running import VisitedSite, capture


async def fill_store(data_dir: Path, *sites: VisitedSite) -> None:
    """Store what a visit of each site would have captured."""
    private_dir(data_dir)
    async with open_store(f"sqlite:///{data_dir / 'freeaichat.db'}") as store:
        for site in sites:
            if await store.site_state(site.origin) is None:
                await store.save_capture(await capture(site), base=0)


def environment(data_dir: Path, **settings: str) -> dict[str, str]:
    """Environment of a proxy, without the developer's own settings."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("FREEAICHAT_")}
    return {**clean, "FREEAICHAT_DATA_DIR": str(data_dir), "FREEAICHAT_ENV_FILE": "/nowhere", **settings}


@asynccontextmanager
async def serving(
    site: VisitedSite, data_dir: Path, port: int, **settings: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a proxy process, or a supervisor of several, on *port*, and kill it at the end if it still runs."""
    await fill_store(data_dir, site)
    variables = environment(data_dir, FREEAICHAT_SITES=site.url, FREEAICHAT_PORT=str(port), **settings)
    awaited = starts(data_dir) + int(settings.get("FREEAICHAT_WORKERS", "1"))
    with log_of(data_dir).open("ab") as log:
        process = await asyncio.create_subprocess_exec(*(sys.executable, "-m", "proxy"), env=variables, stderr=log)
    try:
        await asyncio.wait_for(_listening(process, data_dir, awaited), 30)
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def log_of(data_dir: Path) -> Path:
    """Where the proxies of *data_dir* write their logs."""
    return data_dir / "proxy.log"


async def _listening(process: asyncio.subprocess.Process, data_dir: Path, awaited: int) -> None:
    while starts(data_dir) < awaited:
        assert process.returncode is None, log_of(data_dir).read_text()
        await asyncio.sleep(0.02)


def starts(data_dir: Path) -> int:
    """How many proxies of *data_dir* have started to listen."""
    return log_of(data_dir).read_text().count("listening on") if log_of(data_dir).exists() else 0


async def ask(http: aiohttp.ClientSession, port: int, text: str, *, stream: bool = True) -> tuple[int, str]:
    """Send one turn; return the status and the whole body."""
    body = {"model": "gpt-4o-mini-helper", "stream": stream, "messages": [{"role": "user", "content": text}]}
    async with http.post(f"http://127.0.0.1:{port}/v1/chat/completions", json=body) as response:
        return response.status, await response.text()
