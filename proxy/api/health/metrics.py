"""`/metrics`: what Prometheus reads, for those who administrate."""

import asyncio
from importlib import import_module
from time import time

from aiohttp import web

from proxy.access.rules import check_admin
from proxy.api.admin.status import kept
from proxy.api.app_keys import ADMINISTRATION, CALLER, SIBLINGS, UPSTREAMS
from shared import __version__


async def metrics(request: web.Request) -> web.Response:
    """All numbers of the workers that share the port, and those of the store that say how the visits go."""
    check_admin(request[CALLER])
    # The library is heavy: most proxies are never asked, and the event loop is not to wait for it.
    await asyncio.to_thread(import_module, "proxy.usage.metrics")
    from proxy.usage.metrics import CONTENT_TYPE, Numbers, SiteNumbers, text

    healths = [upstream.health() for upstream in request.app[UPSTREAMS]]
    visits, heartbeat_age, trouble = await kept(request.app[ADMINISTRATION], [each.name for each in healths])
    now = time()
    numbers = Numbers(
        version=__version__,
        workers=await request.app[SIBLINGS].all(),
        sites=[
            SiteNumbers(
                site=each.name,
                credentials_age=now - each.credentials.captured_at if each.credentials else None,
                nonce_age=now - each.credentials.nonce_checked_at if each.credentials else None,
                visits=visits.get(each.name, ()),
            )
            for each in healths
        ],
        store_up=trouble is None,
        heartbeat_age=heartbeat_age,
    )
    return web.Response(body=text(numbers), headers={"Content-Type": CONTENT_TYPE})
