"""`freeaichat doctor`: small checks, each of which says what it found and how to mend it."""

from collections.abc import AsyncIterator
from time import time

from shared.cli.doctor.browser import check_browser, check_driver
from shared.cli.doctor.check import Check
from shared.cli.doctor.machine import check_data_dir, check_key, check_port, check_python
from shared.cli.doctor.site import check_site
from shared.cli.doctor.store import check_credentials, check_store
from shared.cli.gateway import Gateway, reachable_host
from shared.http import SiteClient
from shared.settings import Settings


async def examine(settings: Settings) -> AsyncIterator[Check]:
    """Every finding, as soon as it is known."""
    yield check_python()
    yield check_data_dir(settings.data_dir)
    store, credentials = await check_store(settings)
    yield store
    yield check_browser(settings.browser)
    yield check_driver()
    async with SiteClient() as client:
        for site in settings.sites:
            for finding in await check_site(client, site, time()):
                yield finding
            yield await check_credentials(client, site.origin, credentials.get(site.origin), time())
    yield check_key(settings)
    yield check_port(settings, Gateway(reachable_host(settings.host), settings.port))
