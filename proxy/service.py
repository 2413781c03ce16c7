"""Running the proxy: settings, store, listening, and a clean end."""

import asyncio
import logging
import signal
import sys
from contextlib import suppress
from time import time

from aiohttp import web

from proxy.app import open_app
from shared.lifeline import on_parent_gone
from shared.logs import configure
from shared.manual import seed_manual
from shared.secrets import ensure_master_key, private_dir
from shared.settings import Settings
from shared.store import StoreError, open_store

EXIT_SETTINGS = 2
EXIT_PORT_TAKEN = 4
KEEPALIVE_SECONDS = 75.0  # longer than a reverse proxy keeps its side
SHUTDOWN_SECONDS = 5.0  # aiohttp waits twice as long at most
ORPHANED_SECONDS = 1.0

log = logging.getLogger(__name__)


def run(settings: Settings) -> int:
    """Serve until told to stop; returns the exit code."""
    configure("proxy", level=settings.log_level, style=settings.log_format)
    try:
        return asyncio.run(_serve(settings))
    except (StoreError, OSError) as error:
        print(f"freeaichat: {error}", file=sys.stderr)  # noqa: T201
        return EXIT_SETTINGS


def master_key(settings: Settings) -> str | None:
    """The key that is asked for: the configured one, else one of our own for any bind that others can reach."""
    if settings.api_key is not None and settings.api_key.get_secret_value():
        return settings.api_key.get_secret_value()
    if settings.is_loopback_bind:
        return None
    key, is_new = ensure_master_key(settings.data_dir)
    if is_new:
        log.warning("a key was made, since others can reach %s; it is kept in %s", settings.host, settings.data_dir)
    return key


async def _serve(settings: Settings) -> int:
    stop, orphaned = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)

    def be_orphaned() -> None:
        orphaned.set()
        stop.set()

    on_parent_gone(be_orphaned)
    private_dir(settings.data_dir)
    async with open_store(settings.store_url) as store:
        await seed_manual(store, settings, now=time())
        async with open_app(settings, store, key=master_key(settings)) as app:
            return await _listen(app, settings, stop, orphaned)


async def _listen(app: web.Application, settings: Settings, stop: asyncio.Event, orphaned: asyncio.Event) -> int:
    runner = web.AppRunner(
        app,
        handler_cancellation=True,  # a client that leaves ends its upstream request at once
        keepalive_timeout=KEEPALIVE_SECONDS,
        shutdown_timeout=SHUTDOWN_SECONDS,
        access_log=None,
    )
    await runner.setup()
    try:
        site = web.TCPSite(runner, settings.host, settings.port)
        try:
            await site.start()
        except OSError as error:
            log.error("cannot listen on %s port %d: %s", settings.host, settings.port, error.strerror)
            return EXIT_PORT_TAKEN
        log.info("listening on http://%s:%d", settings.host, site.port)
        await stop.wait()
        log.info("stopping")
        return 0
    finally:
        # Whoever started us was killed and may start anew at once: open streams get a moment, not their full time.
        with suppress(TimeoutError):
            async with asyncio.timeout(ORPHANED_SECONDS if orphaned.is_set() else None):
                await runner.cleanup()
