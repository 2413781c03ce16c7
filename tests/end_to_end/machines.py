"""Services that run as if each were on a machine of its own."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import Any

import aiohttp
import psutil

from tests.cli.processes import clean_environment, ended, family, kill_all
from tests.ports import a_free_port

MODEL = "gpt-4o-mini-helper"
READY_SECONDS = 90.0
STOP_SECONDS = 10.0


class Machine:
    """A machine on which one service runs: with its own data, temporary files and port."""

    entering: tuple[str, ...] = ()  # the command through which programs run there

    def __init__(self, directory: Path, site_url: str, store_url: str, **settings: str) -> None:
        self.port = a_free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        temporary = directory / "tmp"
        temporary.mkdir(parents=True)
        more = {"FREEAICHAT_STORE": store_url, "TMPDIR": str(temporary), **settings}
        self.environment = clean_environment(directory / "data", site_url, self.port, **more)
        self.log = directory / "log"

    @asynccontextmanager
    async def running(self, service: str) -> AsyncIterator[asyncio.subprocess.Process]:
        """`python -m SERVICE`, stopped at the end."""
        with self.log.open("a") as log:
            process = await asyncio.create_subprocess_exec(
                *self.entering, *(sys.executable, "-P", "-m", service), env=self.environment, stdout=log, stderr=log
            )
        try:
            yield process
        finally:
            if process.returncode is None:
                left = [psutil.Process(process.pid), *family(process.pid)]
                process.terminate()
                try:
                    await ended(process, STOP_SECONDS)
                finally:
                    kill_all(left)


async def status(http: aiohttp.ClientSession, url: str) -> int:
    """The HTTP status of *url*; 0 where nobody answers."""
    with suppress(aiohttp.ClientError):
        async with http.get(url) as response:
            return response.status
    return 0


async def ready(http: aiohttp.ClientSession, machine: Machine) -> None:
    """Wait until the proxy there can answer requests."""
    deadline = monotonic() + READY_SECONDS
    while await status(http, f"{machine.url}/readyz") != 200:
        assert monotonic() < deadline, machine.log.read_text()
        await asyncio.sleep(0.05)


async def readiness(http: aiohttp.ClientSession, machine: Machine) -> str:
    """What the proxy there says of itself: `ready`, `degraded` or `unavailable`."""
    async with http.get(f"{machine.url}/readyz") as response:
        return str((await response.json())["status"])


async def chat(http: aiohttp.ClientSession, machine: Machine, text: str, **fields: str) -> tuple[int, Any]:
    """The status and the answer's text, or the error's code."""
    body = {"model": MODEL, "messages": [{"role": "user", "content": text}], **fields}
    async with http.post(f"{machine.url}/v1/chat/completions", json=body) as response:
        found = await response.json()
        if response.status == 200:
            return 200, found["choices"][0]["message"]["content"]
        return response.status, found["error"]["code"]
