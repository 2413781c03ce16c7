"""The compared servers, each a process on the first core; load and stub share the second."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from tests.proxy.serving import environment, log_of
from tests.speed.load import Outcome, Work

HARNESS_CORE = 1
SERVER_CORE = 0
START_SECONDS = 30.0
END_SECONDS = 20.0
NGINX = """worker_processes 1; daemon off; pid {dir}/nginx.pid; error_log {dir}/nginx.log; worker_rlimit_nofile 16384;
events {{ worker_connections 8192; }}
http {{
  access_log off; client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy; fastcgi_temp_path {dir}/fastcgi;
  uwsgi_temp_path {dir}/uwsgi; scgi_temp_path {dir}/scgi;
  upstream stub {{ server 127.0.0.1:{stub}; keepalive 256; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      proxy_pass http://stub; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off;
      proxy_read_timeout 300s;
    }}
  }}
}}
"""


@dataclass(frozen=True, slots=True)
class Target:
    """One server under test."""

    name: str
    port: int
    process: psutil.Process

    @property
    def cpu(self) -> float:
        """Seconds of processor time that it has used, with its children, to the nanosecond where Linux counts them."""
        return sum(_cpu(process) for process in (self.process, *self.process.children(recursive=True)))

    @property
    def memory(self) -> int:
        """Resident bytes, with its children."""
        return sum(process.memory_info().rss for process in (self.process, *self.process.children(recursive=True)))


@dataclass(frozen=True, slots=True)
class Run:
    """One piece of work done by one target. *cpu*: seconds; *memory*: the most that was resident, bytes."""

    outcome: Outcome
    cpu: float
    memory: int


def _cpu(process: psutil.Process) -> float:
    threads = Path(f"/proc/{process.pid}/task").glob("*/schedstat")
    return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9


async def measure(target: Target, work: Work) -> Run:
    """Let *target* do *work*, and see what it cost."""
    before, most = target.cpu, target.memory
    command = (sys.executable, "-m", "tests.speed.load", json.dumps(asdict(work)))
    load = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    pin(load.pid, HARNESS_CORE)
    reading = asyncio.create_task(load.communicate())
    while not reading.done():
        most = max(most, target.memory)
        await asyncio.wait({reading}, timeout=0.1)
    assert load.returncode == 0
    return Run(Outcome(**json.loads(reading.result()[0])), target.cpu - before, most)


@asynccontextmanager
async def targets(
    directory: Path, ports: Sequence[int], **settings: str
) -> AsyncIterator[tuple[Target, Target, Target, Target]]:
    """The proxy with *settings*, nginx and `tests.speed.bare` before one stub, and that stub. *ports*: four free."""
    proxy_port, nginx_port, bare_port, stub_port = ports
    async with AsyncExitStack() as stack:
        command = (sys.executable, "-m", "tests.speed.stub", str(stub_port))
        upstream = await stack.enter_async_context(
            _process(command, stub_port, dict(os.environ), directory / "stub.log", HARNESS_CORE)
        )
        variables = environment(
            directory / "data",
            FREEAICHAT_SITES=f"http://127.0.0.1:{stub_port}/",
            FREEAICHAT_PORT=str(proxy_port),
            FREEAICHAT_API_KEY="sk-speed",
            FREEAICHAT_MAX_UPSTREAM="4000",
            FREEAICHAT_SERVERS=f"stub=http://127.0.0.1:{stub_port}/v1",
            FREEAICHAT_MAX_SERVER="4000",
            COOKIE="a=b",
            AJAX_NONCE="abc123",
            SESSION_ID="session",
            POST_ID="7",
            **settings,
        )
        log = log_of(directory)
        proxy = await stack.enter_async_context(
            _process((sys.executable, "-m", "proxy"), proxy_port, variables, log, SERVER_CORE)
        )
        configuration = directory / "nginx.conf"
        configuration.write_text(NGINX.format(dir=directory, port=nginx_port, stub=stub_port))
        relay = await stack.enter_async_context(
            _process(
                ("nginx", "-c", str(configuration)), nginx_port, dict(os.environ), directory / "relay.log", SERVER_CORE
            )
        )
        least = (sys.executable, "-m", "tests.speed.bare", str(bare_port), str(stub_port))
        bare = await stack.enter_async_context(
            _process(least, bare_port, dict(os.environ), directory / "bare.log", SERVER_CORE)
        )
        yield (
            Target("proxy", proxy_port, proxy),
            Target("nginx", nginx_port, relay),
            Target("bare", bare_port, bare),
            Target("stub", stub_port, upstream),
        )


@asynccontextmanager
async def _process(
    command: Sequence[str], port: int, variables: dict[str, str], log: Path, core: int
) -> AsyncIterator[psutil.Process]:
    """A server that listens on *port*; killed at the end."""
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(*command, env=variables, stderr=output)
    try:
        async with asyncio.timeout(START_SECONDS):
            while not await _listens(port):
                assert process.returncode is None, f"it ended; see {log}"
                await asyncio.sleep(0.05)
        running = psutil.Process(process.pid)
        for each in (running, *running.children(recursive=True)):
            pin(each.pid, core)
        yield running
    finally:
        if process.returncode is None:
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), END_SECONDS)
        finally:
            with suppress(ProcessLookupError):
                process.kill()


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


def pin(pid: int, core: int) -> None:
    if core in os.sched_getaffinity(0):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            os.sched_setaffinity(int(thread.name), {core})
