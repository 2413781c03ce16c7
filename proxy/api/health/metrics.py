"""`/metrics`: what Prometheus reads, for those who administrate."""

import asyncio
from importlib import import_module
from time import time

from aiohttp import web

from proxy.access.rules import check_admin
from proxy.api.admin.status import kept
from proxy.api.app_keys import ADMINISTRATION, CALLER, KEEPER, SIBLINGS, UPSTREAM
from shared import __version__


async def metrics(request: web.Request) -> web.Response:
    """All numbers of the workers that share the port, and those of the store that say how the visits go."""
    check_admin(request[CALLER])
    # The library is heavy: most proxies are never asked, and the event loop is not to wait for it.
    await asyncio.to_thread(import_module, "proxy.usage.metrics")
    from proxy.usage.metrics import CONTENT_TYPE, Numbers, SiteNumbers, text

    keeper, sites = request.app[KEEPER], [gate.site for gate in request.app[UPSTREAM].sites.all]
    visits, heartbeat_age, trouble = await kept(request.app[ADMINISTRATION], sites)
    now = time()
    numbers = Numbers(
        version=__version__,
        workers=await request.app[SIBLINGS].all(),
        sites=[
            SiteNumbers(
                site=site,
                credentials_age=now - state.current.captured_at if state else None,
                nonce_age=now - state.current.nonce_checked_at if state else None,
                visits=visits.get(site, ()),
            )
            for site in sites
            for state in (keeper.state(site),)
        ],
        store_up=trouble is None,
        heartbeat_age=heartbeat_age,
    )
    return web.Response(body=text(numbers), headers={"Content-Type": CONTENT_TYPE})
