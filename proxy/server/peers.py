"""Workers that share a port exchange their counters, so that each can report for all.

Each listens on an abstract Unix socket (Linux, bound to the network namespace), named after the shared address. Peers
that another user runs get nothing, and are not trusted.
"""

import asyncio
import logging
import os
import secrets
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from proxy.usage.worker_stats import WorkerStats
from shared.serialization import from_json, to_json

PATIENCE_SECONDS = 2.0  # for one that does not answer

_SOCKETS = Path("/proc/self/net/unix")
_LISTENS = "00010000"  # in its column of flags
_CREDENTIALS = struct.Struct("3i")  # process, user and group

log = logging.getLogger(__name__)


class PeerWorkers:
    """The counters of this process, and those of its peers while `listening`."""

    def __init__(self, collect_own: Callable[[], WorkerStats]) -> None:
        self._collect_own = collect_own
        self._group, self._name = "", ""

    @asynccontextmanager
    async def listening(self, host: str, port: int) -> AsyncIterator[None]:
        """Join the workers that share *host* and *port*. Where that fails, each reports for itself alone."""
        group = f"freeaichat/{host}:{port}/"
        name = group + secrets.token_hex(8)
        with socket.socket(socket.AF_UNIX) as listener:
            try:
                listener.bind(f"\0{name}")
            except OSError as error:
                log.warning("the workers cannot tell each other their numbers: %s", error)
                yield
                return
            async with await asyncio.start_unix_server(self._send, sock=listener):
                self._group, self._name = group, name
                try:
                    yield
                finally:
                    self._group = ""

    async def all(self) -> list[WorkerStats]:
        """Counters of all workers that reply, this one's first."""
        if not self._group:
            return [self._collect_own()]
        names = await asyncio.to_thread(_names, self._group)
        received = await asyncio.gather(*(_fetch(name) for name in names if name != self._name))
        return [self._collect_own(), *(numbers for numbers in received if numbers is not None)]

    async def _send(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if _is_ours(writer.get_extra_info("socket")):
                writer.write(to_json(self._collect_own()).encode())
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await writer.drain()
            writer.close()
        except (OSError, TimeoutError):
            writer.transport.abort()


async def _fetch(name: str) -> WorkerStats | None:
    """Fetch the counters of the worker *name*; None for one that is gone, or runs as another user."""
    connection = socket.socket(socket.AF_UNIX)
    connection.setblocking(False)
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await asyncio.get_running_loop().sock_connect(connection, f"\0{name}")
            if not _is_ours(connection):
                return None
            reader, writer = await asyncio.open_unix_connection(sock=connection)
            try:
                return from_json(WorkerStats, await reader.read())
            finally:
                writer.close()
    except (OSError, TimeoutError, ValueError) as error:
        log.warning("a worker does not tell its numbers (%s)", type(error).__name__)
        return None
    finally:
        connection.close()


def _is_ours(connection: socket.socket) -> bool:
    """Whether the same user runs the other side."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return bool(_CREDENTIALS.unpack(credentials)[1] == os.geteuid())


def _names(group: str) -> list[str]:
    """The socket names in *group*; the last column of the system's list is the name, with @ for its first byte."""
    try:
        lines = _SOCKETS.read_text("utf-8", errors="replace").splitlines()
    except OSError as error:
        log.warning("the other workers cannot be found: %s", error)
        return []
    listening = (line.split() for line in lines if f" @{group}" in line)
    return sorted(columns[-1][1:] for columns in listening if columns[3] == _LISTENS)
