"""Telling a site that hangs from one whose model takes its time: both are silent until the first text."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from proxy.upstreams.site.refusals import RefusalKind, SiteRefusal
from shared.site_client.errors import SiteUnreachable

QUIET_SECONDS = 15.0  # of silence, before the site is asked whether it answers at all


@asynccontextmanager
async def watched_silence(ask: Callable[[], Awaitable[object]] | None) -> AsyncIterator[Callable[[], None]]:
    """Wait inside for an answer, and call what is given once it has come.

    *ask*: a short question, asked when the site has been silent for a while; None: it is waited for in any case. Raises
    `SiteRefusal` where it raises `SiteUnreachable`.
    """
    silence = asyncio.timeout(None)
    try:
        async with silence:
            watch = asyncio.create_task(_watch(silence, ask)) if ask is not None else None

            def answered() -> None:
                if watch is not None:
                    watch.cancel()
                    silence.reschedule(None)

            try:
                yield answered
            finally:
                if watch is not None:
                    watch.cancel()
    except TimeoutError as error:
        if not silence.expired():
            raise
        why = "it is silent, and answers nothing else either"
        raise SiteRefusal(RefusalKind.TIMEOUT, why, logged=False, by_plugin=False) from error


async def _watch(silence: asyncio.Timeout, ask: Callable[[], Awaitable[object]]) -> None:
    await asyncio.sleep(QUIET_SECONDS)
    try:
        await ask()
    except SiteUnreachable:
        silence.reschedule(asyncio.get_running_loop().time())
