"""Running the harvester: as a service, or for one visit."""

import asyncio
import json
import logging
import sys
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

from harvester.process_trees import become_subreaper
from harvester.service.child import Child
from harvester.service.saving import retry_unavailable
from harvester.service.schedule import HOLD_SECONDS, Schedule
from harvester.service.visit_processes import VisitProcesses
from harvester.service.visitor import Visitor
from harvester.service.workspace import Workspace, WorkspaceError
from shared.log_file import log_path
from shared.logs import configure
from shared.manual_credentials import seed_manual
from shared.models import Outcome, SiteState, Visit
from shared.parsing import Site, site
from shared.processes.services import EXIT_FAILED, EXIT_SETTINGS, EXIT_VISIT_RUNNING
from shared.secrets import mask
from shared.serialization import to_plain
from shared.settings import Settings
from shared.store import Store, StoreError, StoreUnavailable, open_store

log = logging.getLogger(__name__)


async def run(settings: Settings, prestarted: Child | None) -> int:
    """Visit on the schedule until cancelled; returns the exit code. *prestarted*: as for `VisitProcesses`."""
    _configure_logs(settings)
    try:
        return await _serve(settings, prestarted)
    except StoreError as error:
        return _print_error(error)


async def run_once(settings: Settings, prestarted: Child | None, site_url: str, *, is_headed: bool) -> int:
    """Visit one site now and print the result as one line of JSON; returns the exit code.

    *prestarted*: as for `VisitProcesses`. *site_url*: the page; "": that of the first site.

    0: captured; 1: not captured; 2: settings or store cannot be used; 3: another visit of the site is running.
    """
    try:
        chosen = site(site_url) if site_url else settings.sites[0]
    except ValueError as error:
        return _print_error(error)
    _configure_logs(settings)
    try:
        return await _visit_once(settings, prestarted, chosen, is_page_given=bool(site_url), is_headed=is_headed)
    except StoreError as error:
        return _print_error(error)


def _configure_logs(settings: Settings) -> None:
    configure("harvester", level=settings.log_level, style=settings.log_format, file=log_path(settings.data_dir))


def _print_error(error: Exception) -> int:
    print(f"freeaichat: {error}", file=sys.stderr)  # noqa: T201
    return EXIT_SETTINGS


async def _serve(settings: Settings, prestarted: Child | None) -> int:
    """Run, and start again while the store is unavailable, also at the first start."""
    logged = ""
    while True:
        try:
            async with open_store(settings.store_url) as store:
                await _visit_for_ever(settings, store, prestarted)
        except StoreUnavailable as error:
            if logged != (logged := str(error)):
                log.error("%s; trying again until it is back", logged)
        await asyncio.sleep(HOLD_SECONDS)


async def _visit_for_ever(settings: Settings, store: Store, prestarted: Child | None) -> None:
    visitor = await _visitor(settings, store, prestarted, is_headed=False)
    await _recover(visitor, settings.sites)
    for one in settings.sites:
        if one.unused_urls:
            log.warning("FREEAICHAT_SITES has %s after %s, which alone is used", ", ".join(one.unused_urls), one.url)
    log.info("visiting %s", ", ".join(one.url for one in settings.sites))
    await Schedule(settings.sites, store, visitor, interval=settings.harvest_interval).run()


async def _visit_once(
    settings: Settings, prestarted: Child | None, chosen: Site, *, is_page_given: bool, is_headed: bool
) -> int:
    async with open_store(settings.store_url) as store:
        visitor = await _visitor(settings, store, prestarted, is_headed=is_headed)
        await _recover(visitor, [chosen])
        visit = await visitor.visit(chosen, "command", is_page_given=is_page_given)
        if visit is None:
            log.error("another visit of %s is under way; try again in a minute", chosen.origin)
            return EXIT_VISIT_RUNNING
        is_captured = visit.outcome is Outcome.CAPTURED
        state = await store.site_state(chosen.origin) if is_captured else None
        print(json.dumps(_result(visit, state)))  # noqa: T201
        return 0 if is_captured else EXIT_FAILED


async def _visitor(settings: Settings, store: Store, prestarted: Child | None, *, is_headed: bool) -> Visitor:
    """Create the visitor, after cleaning up what killed visits have left."""
    become_subreaper()
    workspace = Workspace(settings.store_url)
    try:
        await asyncio.to_thread(workspace.sweep)
    except WorkspaceError as error:  # the next visit is recorded with it
        log.error("what killed visits left was not looked for: %s", error)
    await retry_unavailable(lambda: seed_manual(store, settings, now=time.time()))
    return Visitor(store, workspace, VisitProcesses(prestarted), browser=settings.browser, is_headed=is_headed)


async def _recover(visitor: Visitor, sites: Sequence[Site]) -> None:
    for one in sites:
        try:
            await retry_unavailable(partial(visitor.recover, one.origin))
        except WorkspaceError as error:
            log.error("a killed visit of %s was not recorded: %s", one.origin, error)


def _result(visit: Visit, state: SiteState | None) -> dict[str, Any]:
    """The JSON object to print of a visit, with masked secrets."""
    credentials = None
    if state is not None:
        current = state.current
        masked = {name: mask(getattr(current, name)) for name in ("cookie", "nonce", "session_id")}
        credentials = to_plain(current) | masked
    return {
        "visit": to_plain(visit),
        "credentials": credentials,
        "bots": to_plain(state.bots) if state else [],
    }
