"""The simulated site in a process of its own, with its control address, for tests of whole programs."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

ROOT = Path(__file__).parents[2]
START_SECONDS = 15.0
STOP_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class RunningSite:
    """A site that runs as process *pid*."""

    url: str
    pid: int
    http: aiohttp.ClientSession

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return "/".join(self.url.split("/")[:3])

    async def state(self) -> dict[str, Any]:
        """What the site saw so far: requests by action, model_calls, open_streams and so on."""
        async with self.http.get(f"{self.origin}/_control") as response:
            return await _read(response)

    async def control(self, **switches: Any) -> dict[str, Any]:
        """Set switches or give commands, such as `rotate_nonce=True`; returns the state afterwards."""
        async with self.http.post(f"{self.origin}/_control", json=switches) as response:
            return await _read(response)


@asynccontextmanager
async def running_site(*arguments: str, module: str = "tests.site") -> AsyncIterator[RunningSite]:
    """Start `python -m tests.site`, or the site of another *module*, with *arguments*; it is ended on leaving."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        "--with-stdin",
        *arguments,
        stdin=asyncio.subprocess.PIPE,  # ends with this process, however that ends, and the site with it
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    assert process.stdout is not None
    try:
        line = await asyncio.wait_for(process.stdout.readline(), START_SECONDS)
        assert line, "the simulated site did not start; its error output says why"
        async with aiohttp.ClientSession() as http:
            yield RunningSite(json.loads(line)["url"], process.pid, http)
    finally:
        if process.returncode is None:
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()


async def _read(response: aiohttp.ClientResponse) -> dict[str, Any]:
    state: dict[str, Any] = await response.json()
    assert response.status == 200, state
    return state
