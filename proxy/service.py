"""Running the proxy: settings, store, listening, and a clean end."""

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

from proxy.api.app_keys import SIBLINGS
from proxy.app import open_app
from proxy.server.errors import Connection
from proxy.server.listening import BACKLOG, is_away, open_sockets, serve_rest, stop_listening
from proxy.server.under_way import UNDER_WAY
from shared.log_file import path_in
from shared.logs import configure
from shared.manual import seed_manual
from shared.processes.lifeline import on_parent_gone
from shared.processes.services import (
    EXIT_FAILED,
    EXIT_PORT_TAKEN,
    EXIT_SETTINGS,
    EXIT_STORE_AWAY,
    hear_signals,
    stopping_signals,
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
    """Serve until told to stop; returns the exit code. *worker*: its number among those that share the port."""
    name = f"proxy {worker}" if worker else "proxy"
    configure(name, level=settings.log_level, style=settings.log_format, file=path_in(settings.data_dir))
    logging.getLogger("aiohttp.server").addFilter(_in_one_line)
    _allow_files()
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            return runner.run(_serve(settings, worker))
    except StoreUnavailable as error:  # another start may find it
        print(f"freeaichat: {error}", file=sys.stderr)  # noqa: T201
        return EXIT_STORE_AWAY
    except (StoreError, OSError) as error:
        print(f"freeaichat: {error}", file=sys.stderr)  # noqa: T201
        return EXIT_SETTINGS


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """uvloop's loop, which needs a third less time for a token, where there is one."""
    if sys.platform == "win32":
        return asyncio.new_event_loop
    import uvloop

    return uvloop.new_event_loop


def master_key(settings: Settings) -> str | None:
    """The key that is asked for: the configured one, else one of our own for any bind that others can reach."""
    if settings.api_key is not None and settings.api_key.value:
        return settings.api_key.value
    if settings.is_loopback_bind:
        return None
    key, is_new = ensure_master_key(settings.data_dir)
    if is_new:
        log.warning("a key was made, since others can reach %s; it is kept in %s", settings.host, settings.data_dir)
    return key


def _allow_files() -> None:
    """Take as many file descriptors as we may: what is customary (1024) is used up by as many idle connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):  # some systems allow less than they say
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _in_one_line(record: logging.LogRecord) -> bool:
    """Tell of a request that was no HTTP without a traceback and without what it held, which may be a key."""
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(getattr(error, "code", None), int):  # the errors of the server's own parser have a status
        record.exc_info = None
        record.levelno, record.levelname = logging.INFO, "INFO"
        record.msg += f": malformed request ({type(error).__name__})"
    return True


class _Signals:
    """What this process was told from outside."""

    def __init__(self) -> None:
        self.stop, self.hurry = asyncio.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in stopping_signals():
            loop.add_signal_handler(number, self._told_to_stop)
        hear_signals()
        on_parent_gone(self._orphaned)

    def _told_to_stop(self) -> None:
        if self.stop.is_set():
            self.hurry.set()  # told twice: nobody wants to wait
        self.stop.set()

    def _orphaned(self) -> None:
        # Whoever started us was killed and may start anew at once: open streams get no more time.
        self.hurry.set()
        self.stop.set()


async def _serve(settings: Settings, worker: int) -> int:
    signals = _Signals()
    private_dir(settings.data_dir)
    async with AsyncExitStack() as stack:
        opening = stack.enter_async_context(open_store(settings.store_url, patience=STARTING_SECONDS))
        store = await _unless_stopped(opening, signals.stop)
        if store is None:
            return 0
        await seed_manual(store, settings, now=time())
        app = await stack.enter_async_context(open_app(settings, store, key=master_key(settings)))
        _spare_the_collector()
        _map_large_blocks()
        return await _listen(app, settings, signals, worker)


def _spare_the_collector() -> None:
    """Look for garbage less often, and never among what lives as long as the process: open streams are many objects."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, 5, 5)


def _map_large_blocks() -> None:
    """Have the C library map each large block by itself, so that it goes back to the system when it is freed.

    By default glibc takes them from its heaps once one of up to 32 MB was freed, and those rarely shrink. Other C
    libraries have no such setting.
    """
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is not None:
        set_option(M_MMAP_THRESHOLD, LARGE_BLOCK)


async def _unless_stopped(work: Coroutine[Any, Any, T], stop: asyncio.Event) -> T | None:
    """What *work* returns; None where *stop* was set before it ended, and ended it."""
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
        Connection,
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
            return EXIT_FAILED if is_away(error) else EXIT_PORT_TAKEN
        servers = [await loop.create_server(connections, sock=listener, backlog=BACKLOG) for listener in sockets]
        port = sockets[0].getsockname()[1]
        log.info("listening on http://%s:%d", f"[{host}]" if ":" in (host := settings.hosts[0]) else host, port)
        async with app[SIBLINGS].listening(settings.host, port) if worker else nullcontext():
            await signals.stop.wait()
        log.info("stopping; %d requests are under way", app[UNDER_WAY].count)
        rest = stop_listening(sockets)
        for server in servers:
            server.close()
        await serve_rest(rest, connections)
        await _stop(runner, settings.shutdown_timeout, signals.hurry)
        return 0
    finally:
        await runner.cleanup()


async def _stop(runner: web.AppRunner, seconds: float, hurry: asyncio.Event) -> None:
    """Let what is under way finish for a while, and tell the rest."""
    under_way, server = runner.app[UNDER_WAY], cast(web.Server, runner.server)
    await asyncio.sleep(SETTLE_SECONDS)  # requests on connections that are made already are on the way
    server.pre_shutdown()  # idle connections close now, the others after their answers
    if ended := await under_way.finish(seconds, hurry):
        log.warning("stopped; %d requests were ended before their time", ended)
