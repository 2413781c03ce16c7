"""Runs the proxy: settings, store, listening sockets, and a clean shutdown."""

import asyncio
import ctypes
import gc
import logging
import resource
import sys
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack, nullcontext, suppress
from functools import partial
from time import time
from typing import Any, TypeVar, cast

from aiohttp import web

from proxy.api.app_keys import PEERS
from proxy.app import open_app
from proxy.server.connection import ClientConnection
from proxy.server.in_flight import IN_FLIGHT
from proxy.server.listening import BACKLOG, is_unavailable, open_sockets, serve_accepted, stop_listening
from shared.log_file import log_path
from shared.logs import configure
from shared.manual_credentials import seed_manual
from shared.processes.lifeline import on_parent_exit
from shared.processes.services import (
    EXIT_FAILED,
    EXIT_PORT_TAKEN,
    EXIT_SETTINGS,
    EXIT_STORE_UNAVAILABLE,
    stop_signals,
    unblock_signals,
)
from shared.secrets import ensure_master_key, private_dir
from shared.settings import Settings
from shared.store import STARTING_SECONDS, StoreError, StoreUnavailable, open_store

T = TypeVar("T")

KEEPALIVE_SECONDS = 75.0  # longer than a reverse proxy keeps its side
SETTLE_SECONDS = 0.2
M_MMAP_THRESHOLD = -3  # of glibc's <malloc.h>
LARGE_BLOCK = 1024 * 1024  # bytes
COLLECT_AFTER = 50_000  # objects made and not freed
MAX_FILES = 65_536  # sockets among them; more than all limits of ours together

log = logging.getLogger(__name__)


def run(settings: Settings, *, worker: int = 0) -> int:
    """Serve until stopped; returns the exit code. *worker*: its number among those that share the port."""
    name = f"proxy {worker}" if worker else "proxy"
    configure(name, level=settings.log_level, style=settings.log_format, file=log_path(settings.data_dir))
    logging.getLogger("aiohttp.server").addFilter(_log_in_one_line)
    _raise_file_limit()
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            return runner.run(_serve(settings, worker))
    except StoreUnavailable as error:  # another start may find it
        print(f"freeaichat: {error}", file=sys.stderr)  # noqa: T201
        return EXIT_STORE_UNAVAILABLE
    except (StoreError, OSError) as error:
        print(f"freeaichat: {error}", file=sys.stderr)  # noqa: T201
        return EXIT_SETTINGS


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """uvloop's event loop where available: it needs a third less time per token."""
    if sys.platform == "win32":
        return asyncio.new_event_loop
    import uvloop

    return uvloop.new_event_loop


def master_key(settings: Settings) -> str | None:
    """The master key: the configured one, else a generated one where other machines can reach the proxy."""
    if settings.api_key.value:
        return settings.api_key.value
    if settings.is_loopback_bind:
        return None
    key, is_new = ensure_master_key(settings.data_dir)
    if is_new:
        log.warning("a key was made, since others can reach %s; it is kept in %s", settings.host, settings.data_dir)
    return key


def _raise_file_limit() -> None:
    """Raise the limit of file descriptors as far as allowed: as many idle connections use up the usual 1024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    target = MAX_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_FILES)
    if soft != resource.RLIM_INFINITY and soft < target:
        with suppress(ValueError, OSError):  # some systems allow less than they say
            resource.setrlimit(resource.RLIMIT_NOFILE, (target, hard))


def _log_in_one_line(record: logging.LogRecord) -> bool:
    """Log malformed requests without a traceback and without their content, which may be a key."""
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(getattr(error, "code", None), int):  # the errors of the server's own parser have a status
        record.exc_info = None
        record.levelno, record.levelname = logging.INFO, "INFO"
        record.msg += f": malformed request ({type(error).__name__})"
    return True


class _Signals:
    """Events that stop this process: signals, and the end of its parent."""

    def __init__(self) -> None:
        self.stop, self.hurry = asyncio.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in stop_signals():
            loop.add_signal_handler(number, self._on_stop_signal)
        unblock_signals()
        on_parent_exit(self._on_parent_gone)

    def _on_stop_signal(self) -> None:
        if self.stop.is_set():
            self.hurry.set()  # the second signal: do not wait
        self.stop.set()

    def _on_parent_gone(self) -> None:
        # Whoever started us was killed and may start anew at once: open streams get no more time.
        self.hurry.set()
        self.stop.set()


async def _serve(settings: Settings, worker: int) -> int:
    signals = _Signals()
    private_dir(settings.data_dir)
    async with AsyncExitStack() as stack:
        opening = stack.enter_async_context(open_store(settings.store_url, startup_timeout=STARTING_SECONDS))
        store = await _unless_stopped(opening, signals.stop)
        if store is None:
            return 0
        await seed_manual(store, settings, now=time())
        app = await stack.enter_async_context(open_app(settings, store, key=master_key(settings)))
        _tune_garbage_collector()
        _map_large_blocks()
        return await _listen(app, settings, signals, worker)


def _tune_garbage_collector() -> None:
    """Collect garbage less often, and never among permanent objects: open streams are many objects."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, 5, 5)


def _map_large_blocks() -> None:
    """Have the C library map each large block by itself, so that freeing it returns the memory to the system.

    By default glibc takes them from its heaps once one of up to 32 MB was freed, and those rarely shrink. Other C
    libraries have no such setting.
    """
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is not None:
        set_option(M_MMAP_THRESHOLD, LARGE_BLOCK)


async def _unless_stopped(work: Coroutine[Any, Any, T], stop: asyncio.Event) -> T | None:
    """Return the result of *work*; None where *stop* was set before, which cancels it."""
    working, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        working.cancel()
        stopping.cancel()
        await asyncio.wait({working, stopping})


async def _listen(app: web.Application, settings: Settings, signals: _Signals, worker: int) -> int:
    runner = web.AppRunner(
        app,
        handler_cancellation=True,  # a client that leaves ends its upstream request at once
        shutdown_timeout=0.1,  # by then everything has ended
    )
    await runner.setup()
    loop = asyncio.get_running_loop()
    connections = partial(
        ClientConnection,
        cast(web.Server, runner.server),
        loop=loop,
        keepalive_timeout=KEEPALIVE_SECONDS,
        access_log=None,  # type: ignore[arg-type]  # as `AppRunner` takes it too
        auto_decompress=False,  # what a client compresses may unpack to anything; `read_body` sets bounds
    )
    try:
        try:
            sockets = open_sockets(settings.hosts, settings.port, shares_port=bool(worker))
        except OSError as error:
            log.error("cannot listen on %s port %d: %s", settings.host, settings.port, error.strerror or error)
            return EXIT_FAILED if is_unavailable(error) else EXIT_PORT_TAKEN
        servers = [await loop.create_server(connections, sock=listener, backlog=BACKLOG) for listener in sockets]
        port = sockets[0].getsockname()[1]
        log.info("listening on http://%s:%d", f"[{host}]" if ":" in (host := settings.hosts[0]) else host, port)
        async with app[PEERS].listening(settings.host, port) if worker else nullcontext():
            await signals.stop.wait()
        log.info("stopping; %d requests are under way", app[IN_FLIGHT].count)
        accepted = stop_listening(sockets)
        for server in servers:
            server.close()
        await serve_accepted(accepted, connections)
        await _stop(runner, settings.shutdown_timeout, signals.hurry)
        return 0
    finally:
        await runner.cleanup()


async def _stop(runner: web.AppRunner, seconds: float, hurry: asyncio.Event) -> None:
    """Let requests finish for up to *seconds*, then cancel the rest."""
    in_flight, server = runner.app[IN_FLIGHT], cast(web.Server, runner.server)
    await asyncio.sleep(SETTLE_SECONDS)  # requests on connections that are made already are on the way
    server.pre_shutdown()  # idle connections close now, the others after their answers
    if ended := await in_flight.finish(seconds, hurry):
        log.warning("stopped; %d requests were ended before their time", ended)
