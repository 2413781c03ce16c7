"""`freeaichat up` as a real process in front of the simulated site in another one."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

import aiohttp
import psutil

from tests.cli.processes import ended, kill_all
from tests.needs import FREEAICHAT
from tests.ports import a_free_port
from tests.site import SimulatedSite

MODEL = "gpt-4o-mini-helper"
READY_SECONDS = 90.0
STOP_SECONDS = 20.0
QUIET_SECONDS = 5.0  # after its end, until nothing that it started holds its output any more


@dataclass
class RunningUp:
    """One running `freeaichat up`."""

    process: asyncio.subprocess.Process
    url: str
    http: aiohttp.ClientSession
    started: float
    environment: dict[str, str]
    output: list[str] = field(default_factory=list)

    @property
    def store_url(self) -> str:
        """The store of both services."""
        return f"sqlite:///{Path(self.environment['FREEAICHAT_DATA_DIR']) / 'freeaichat.db'}"

    @property
    def supervisor(self) -> psutil.Process:
        """The process the user started."""
        return psutil.Process(self.process.pid)

    def service(self, name: str) -> psutil.Process | None:
        """The running child `python -m NAME`, if there is one just now."""
        with suppress(psutil.NoSuchProcess):
            for child in self.supervisor.children():
                if child.cmdline()[-2:] == ["-m", name]:
                    return child
        return None

    def all_processes(self) -> list[psutil.Process]:
        """The supervisor and all processes below it."""
        return [self.supervisor, *self.supervisor.children(recursive=True)]

    async def ready(self) -> float:
        """Wait until /readyz says so; the seconds since the start."""
        deadline = monotonic() + READY_SECONDS
        while monotonic() < deadline:
            with suppress(aiohttp.ClientError):
                async with self.http.get(f"{self.url}/readyz") as response:
                    if response.status == 200:
                        return monotonic() - self.started
            await asyncio.sleep(0.02)
        raise AssertionError("not ready in time:\n" + "".join(self.output))

    async def printed(self, text: str) -> None:
        """Wait until *text* was printed."""
        async with asyncio.timeout(READY_SECONDS):
            while text not in "".join(self.output):
                await asyncio.sleep(0.05)

    async def chat(self, text: str, **fields: Any) -> Any:
        """One whole answer's body; raises `aiohttp.ClientError` where none came."""
        body = {"model": MODEL, "messages": [{"role": "user", "content": text}], **fields}
        async with self.http.post(f"{self.url}/v1/chat/completions", json=body) as response:
            answer = await response.json()
            response.raise_for_status()
            return answer

    async def stop(self, number: int = signal.SIGINT) -> int:
        """Send a signal to the supervisor and wait for its exit code."""
        self.process.send_signal(number)
        return await ended(self.process, STOP_SECONDS)


def by_hand(site: SimulatedSite) -> dict[str, str]:
    """Settings with which *site* answers without a visit."""
    return {"SESSION_ID": "by-hand-0001", "AJAX_NONCE": site.nonce, "FREEAICHAT_MODELS": f"{MODEL}=5"}


@asynccontextmanager
async def running_up(site_url: str, data_dir: Path, **settings: str) -> AsyncIterator[RunningUp]:
    """`freeaichat up`, on a free port unless *settings* name one; stopped at the end if it still runs.

    Nothing of it may be left then.
    """
    port = settings.get("FREEAICHAT_PORT") or a_free_port()
    clean = {name: value for name, value in os.environ.items() if not name.startswith("FREEAICHAT_")}
    environment = {
        **clean,
        "FREEAICHAT_SITES": site_url,
        "FREEAICHAT_DATA_DIR": str(data_dir),
        "FREEAICHAT_PORT": str(port),
        "FREEAICHAT_ENV_FILE": str(data_dir / "no.env"),
        **settings,
    }
    started = monotonic()
    process = await asyncio.create_subprocess_exec(
        *(FREEAICHAT, "up"),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with aiohttp.ClientSession() as http:
        up = RunningUp(process, f"http://127.0.0.1:{port}", http, started, environment)
        reader = asyncio.create_task(_collect(process, up.output))
        try:
            yield up
        finally:
            left = up.all_processes() if process.returncode is None else []
            try:
                if process.returncode is None:
                    await up.stop(signal.SIGTERM)
                await asyncio.wait_for(reader, QUIET_SECONDS)
            finally:
                kill_all(left)


async def _collect(process: asyncio.subprocess.Process, lines: list[str]) -> None:
    assert process.stdout is not None
    async for line in process.stdout:
        lines.append(line.decode())


def pss_bytes(processes: list[psutil.Process]) -> int:
    """Memory of *processes* together, shared pages counted once."""
    return sum(process.memory_full_info().pss for process in processes)


async def still_running(processes: list[psutil.Process], *, seconds: float) -> list[psutil.Process]:
    """Those of *processes* that have not ended after *seconds*; ended ones that nobody has collected do not count."""
    deadline = monotonic() + seconds
    while (left := [process for process in processes if _runs(process)]) and monotonic() < deadline:
        await asyncio.sleep(0.02)
    return left


def _runs(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False
