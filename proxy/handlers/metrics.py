"""`/metrics`: what Prometheus reads, for those who administrate."""

import asyncio
import os
from importlib import import_module
from time import monotonic, time

from aiohttp import web

from proxy.access import check_admin
from proxy.handlers.admin_status import kept
from proxy.keys import ADMINISTRATION, CALLER, KEEPER, UPSTREAM, USAGE
from shared import __version__


async def metrics(request: web.Request) -> web.Response:
    """All numbers of this process, and those of the store that say how the visits go."""
    check_admin(request[CALLER])
    # The library is heavy: most proxies are never asked, and the event loop is not to wait for it.
    await asyncio.to_thread(import_module, "proxy.metrics")
    from proxy.metrics import CONTENT_TYPE, Numbers, SiteNumbers, text

    gates, keeper = request.app[UPSTREAM].sites.all, request.app[KEEPER]
    visits, heartbeat_age, trouble = await kept(request.app[ADMINISTRATION], [gate.site for gate in gates])
    now = time()
    numbers = Numbers(
        version=__version__,
        worker=str(os.getpid()),
        totals=request.app[USAGE].totals,
        sites=[
            SiteNumbers(
                site=gate.site,
                open=gate.limit.open,
                queued=gate.limit.queued,
                breaker=gate.breaker.state(monotonic()),
                cooldown=(gate.cooldown_until or now) - now,
                credentials_age=now - state.current.captured_at if state else None,
                nonce_age=now - state.current.nonce_checked_at if state else None,
                visits=visits.get(gate.site, ()),
            )
            for gate in gates
            for state in (keeper.state(gate.site),)
        ],
        store_up=trouble is None,
        heartbeat_age=heartbeat_age,
    )
    return web.Response(body=text(numbers), headers={"Content-Type": CONTENT_TYPE})
