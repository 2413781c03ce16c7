"""Running the harvester: the long-lived service, and one visit for a person; settings, store, signals, a clean end."""

import asyncio
import json
import logging
import sys
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

from harvester.processes import become_subreaper
from harvester.service.child import Child
from harvester.service.saving import patiently
from harvester.service.schedule import HOLD_SECONDS, Schedule
from harvester.service.visitor import Visitor
from harvester.service.worker import Workers
from harvester.service.workspace import Workspace, WorkspaceError
from shared.log_file import path_in
from shared.logs import configure
from shared.manual import seed_manual
from shared.models import Outcome, SiteState, Visit
from shared.parsing import Site, site
from shared.processes.services import EXIT_FAILED, EXIT_SETTINGS, EXIT_UNDER_WAY
from shared.secrets import mask
from shared.serialization import to_plain
from shared.settings import Settings
from shared.store import Store, StoreError, StoreUnavailable, open_store

log = logging.getLogger(__name__)


async def run(settings: Settings, spare: Child | None) -> int:
    """Visit on the schedule until cancelled; returns the exit code. *spare*: as for `Workers`."""
    _configure_logs(settings)
    try:
        return await _serve(settings, spare)
    except StoreError as error:
        return _refuse(error)


async def run_once(settings: Settings, spare: Child | None, site_url: str, *, is_headed: bool) -> int:
    """Visit one site now and print what came of it as one line of JSON; returns the exit code.

    *spare*: as for `Workers`. *site_url*: which page, "": the first site of the settings. 0: captured; 1: another
    outcome; 2: settings or store cannot be used; 3: another visit of the site is under way.
    """
    try:
        chosen = site(site_url) if site_url else settings.sites[0]
    except ValueError as error:
        return _refuse(error)
    _configure_logs(settings)
    try:
        is_page_given = chosen not in settings.sites
        return await _visit_once(settings, spare, chosen, is_page_given=is_page_given, is_headed=is_headed)
    except StoreError as error:
        return _refuse(error)


def _configure_logs(settings: Settings) -> None:
    configure("harvester", level=settings.log_level, style=settings.log_format, file=path_in(settings.data_dir))


def _refuse(error: Exception) -> int:
    print(f"freeaichat: {error}", file=sys.stderr)  # noqa: T201
    return EXIT_SETTINGS


async def _serve(settings: Settings, spare: Child | None) -> int:
    """As the store may be away while the service runs, so it may be at the start."""
    told = ""
    while True:
        try:
            async with open_store(settings.store_url) as store:
                await _visit_for_ever(settings, store, spare)
        except StoreUnavailable as error:
            if told != (told := str(error)):
                log.error("%s; trying again until it is back", told)
        await asyncio.sleep(HOLD_SECONDS)


async def _visit_for_ever(settings: Settings, store: Store, spare: Child | None) -> None:
    visitor = await _visitor(settings, store, spare, is_headed=False)
    await _recover(visitor, settings.sites)
    log.info("visiting %s", ", ".join(one.url for one in settings.sites))
    await Schedule(settings.sites, store, visitor, interval=settings.harvest_interval).run()


async def _visit_once(
    settings: Settings, spare: Child | None, chosen: Site, *, is_page_given: bool, is_headed: bool
) -> int:
    async with open_store(settings.store_url) as store:
        visitor = await _visitor(settings, store, spare, is_headed=is_headed)
        await _recover(visitor, [chosen])
        visit = await visitor.visit(chosen, "command", is_page_given=is_page_given)
        if visit is None:
            log.error("another visit of %s is under way; try again in a minute", chosen.origin)
            return EXIT_UNDER_WAY
        is_captured = visit.outcome is Outcome.CAPTURED
        state = await store.site_state(chosen.origin) if is_captured else None
        print(json.dumps(_told(visit, state)))  # noqa: T201
        return 0 if is_captured else EXIT_FAILED


async def _visitor(settings: Settings, store: Store, spare: Child | None, *, is_headed: bool) -> Visitor:
    """A visitor that starts from a clean machine."""
    become_subreaper()
    workspace = Workspace(settings.store_url)
    try:
        await asyncio.to_thread(workspace.sweep)
    except WorkspaceError as error:  # the next visit is recorded with it
        log.error("what killed visits left was not looked for: %s", error)
    await patiently(lambda: seed_manual(store, settings, now=time.time()))
    return Visitor(store, workspace, Workers(spare), browser=settings.browser, is_headed=is_headed)


async def _recover(visitor: Visitor, sites: Sequence[Site]) -> None:
    for one in sites:
        try:
            await patiently(partial(visitor.recover, one.origin))
        except WorkspaceError as error:
            log.error("a killed visit of %s was not recorded: %s", one.origin, error)


def _told(visit: Visit, state: SiteState | None) -> dict[str, Any]:
    """What is printed of a visit, with nothing in it that could be used."""
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
