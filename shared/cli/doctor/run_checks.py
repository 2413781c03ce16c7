"""Running all checks of `freeaichat doctor`, in parallel."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from time import time

import psutil

from shared.cli.doctor.browser import check_browser, check_driver
from shared.cli.doctor.check import Check, Level, fail
from shared.cli.doctor.environment import check_authorities, check_proxies, check_store_files
from shared.cli.doctor.limits import check_inodes, check_memory, check_open_files
from shared.cli.doctor.machine import (
    check_data_dir,
    check_key,
    check_key_accepted,
    check_port,
    check_python,
    check_temporary_dir,
)
from shared.cli.doctor.server import check_keys, check_server
from shared.cli.doctor.settings import check_aliases, check_default_model, check_settings
from shared.cli.doctor.site import check_page, check_site
from shared.cli.doctor.store import check_credentials, check_redis, check_store
from shared.cli.gateway import Gateway
from shared.settings import Settings
from shared.site_client.client import SiteClient

CHECK_SECONDS = 60.0  # longest wait for one group of checks; each has shorter limits of its own


async def run_checks(settings: Settings, gateway: Gateway) -> AsyncIterator[tuple[list[Check], list[str]]]:
    """Yield the findings of each group of checks as soon as it ends, and the names of the groups still running.

    The first item has all names, and no findings. The groups run in parallel. *gateway*: the proxy, with its key.
    """
    in_threads: dict[str, Callable[[], list[Check]]] = {
        "python": lambda: [check_python()],
        "settings": lambda: [*check_settings(settings), *check_keys(settings)],
        "data dir": lambda: [check_data_dir(settings.data_dir), check_inodes(settings.data_dir)],
        "temp dir": lambda: [check_temporary_dir()],
        "limits": lambda: [check_open_files(settings.max_requests), check_memory(psutil.virtual_memory().available)],
        "key": lambda: [
            check_key(settings),
            check_key_accepted(gateway),
            *check_default_model(settings, gateway),
        ],
        "port": lambda: [check_port(settings, gateway)],
        "browser": lambda: [check_browser(settings.browser)],
        "driver": lambda: [check_driver()],
        "network": lambda: [
            *check_proxies([*settings.sites, *(server.site for server in settings.servers)]),
            check_authorities(os.environ),
        ],
        "store files": lambda: check_store_files(settings.store_url, _mounts()),
    }
    async with SiteClient() as client:
        groups: dict[str, Awaitable[list[Check]]] = {
            **{name: asyncio.to_thread(checks) for name, checks in in_threads.items()},
            "store": _check_store(client, settings),
            **{f"site {site.origin}": check_site(client, site, time()) for site in settings.sites},
            **{f"server {server.name}": check_server(client, server, settings) for server in settings.servers},
        }
        pending = list(groups)
        yield [], pending
        for finished in asyncio.as_completed([_with_timeout(name, group) for name, group in groups.items()]):
            name, findings = await finished
            pending.remove(name)
            yield findings, pending


def _mounts() -> dict[str, str]:
    """The types of this machine's file systems by directory; of several mounts on one the last counts."""
    return {each.mountpoint: each.fstype for each in psutil.disk_partitions(all=True)}


async def _with_timeout(name: str, group: Awaitable[list[Check]]) -> tuple[str, list[Check]]:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            return name, await group
    except TimeoutError:
        return name, [
            fail(name, f"no result within {CHECK_SECONDS:.0f} s", "try again; something on this machine hangs")
        ]
    except OSError as error:
        return name, [fail(name, f"cannot be looked at: {error}", "mend the owner, mode or path of what it names")]


async def _check_store(client: SiteClient, settings: Settings) -> list[Check]:
    store, states = await check_store(settings)
    if store.level is Level.FAIL:
        return [store]  # what is in it is not known
    credentials = {origin: state.current for origin, state in states.items()}
    checks = [check_credentials(client, site.origin, credentials.get(site.origin), time()) for site in settings.sites]
    pages = [check for site in settings.sites for check in check_page(site, credentials.get(site.origin))]
    aliases = check_aliases(settings, {origin: state.bots for origin, state in states.items()})
    return [store, *await check_redis(settings), *await asyncio.gather(*checks), *pages, *aliases]
