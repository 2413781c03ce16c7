"""Prints what `freeaichat up` is doing until requests can be answered, how to send one, what late visits bring.

A process of its own (`python -m shared.cli.welcome BEGUN [--live]`), so that what it needs does not stay in memory.
"""

import asyncio
import os
import sys
from time import monotonic, time

import click

from shared.cli import accept_any_encoding, narration
from shared.cli.gateway import Gateway, NoGateway, gateway_of, listed, preferred_model
from shared.cli.keys import find_key, is_key_needed
from shared.cli.live_line import REDRAW_SECONDS, LiveLine
from shared.models import UNDER_WAY, Outcome, SiteState, Visit
from shared.processes.lifeline import on_parent_gone
from shared.processes.services import EXIT_FAILED
from shared.serialization import from_json
from shared.settings import Settings, load
from shared.store import Store, StoreError, open_store

EAGER_SECONDS = 15.0  # so long it looks often, afterwards it waits for something that takes its time
EAGER_PAUSE = 0.05
PATIENT_PAUSE = 1.0
PROBE_SECONDS = 1.0  # longest wait for one answer of the proxy
RECORD_SECONDS = 2.0  # a visit's record may follow its credentials by a moment
LATE_SECONDS = 120.0  # more than a visit takes
VISITS_LOOKED_AT = 10


class Narrator:
    """Tells each thing once. *begun* is when `up` was started (Unix seconds).

    *live*: the line that tells meanwhile what is waited for.
    """

    def __init__(self, settings: Settings, store: Store, live: LiveLine, *, begun: float) -> None:
        self._settings = settings
        self._store = store
        self._live = live
        self._live_since = monotonic() - (time() - begun)
        self._gateway = gateway_of(settings)
        self._begun = begun
        self._told_visits: set[str] = set()
        self._told_credentials: set[tuple[str, float]] = set()
        self._told_sites: set[str] = set()

    async def run(self) -> None:
        """Print until requests can be answered, and the first visit of each site is over. Raises StoreError."""
        while (model := await asyncio.to_thread(model_when_ready, self._gateway)) is None:
            await self._tell_news()
            await self._wait(EAGER_PAUSE if time() - self._begun < EAGER_SECONDS else PATIENT_PAUSE)
        await self._tell_how_it_came()
        is_asked = is_key_needed(self._settings) or await self._store.keys()
        key = find_key(self._settings) if is_asked else None
        self._print(narration.ready_lines(self._gateway.base_url, model, key, seconds=time() - self._begun))
        await self._tell_the_rest()

    async def _tell_the_rest(self) -> None:
        """Tell what the first visits bring that were still under way when others could answer already."""
        sites = {site.origin for site in self._settings.sites}
        until = monotonic() + LATE_SECONDS
        while sites - self._told_sites and monotonic() < until:
            await asyncio.sleep(PATIENT_PAUSE)
            await self._tell_news()

    async def _wait(self, seconds: float) -> None:
        """Pause; on a terminal it is shown what for."""
        if not self._live.is_shown:
            await asyncio.sleep(seconds)
            return
        what = await self._waited_for()
        until = monotonic() + seconds
        while (left := until - monotonic()) > 0:
            self._live.wait(what, self._live_since)
            await asyncio.sleep(min(left, REDRAW_SECONDS))

    async def _waited_for(self) -> str:
        for site in self._settings.sites:
            if await self._store.get_note(UNDER_WAY.format(site=site.origin)):
                return f"a browser visits {site.url}"
        if self._told_credentials:
            return "the proxy starts"
        return "the next visit is due soon" if self._told_visits else "the services start"

    async def _tell_how_it_came(self) -> None:
        for _ in range(round(RECORD_SECONDS / EAGER_PAUSE)):
            await self._tell_news()
            if self._told_credentials or self._settings.servers:
                return
            await asyncio.sleep(EAGER_PAUSE)

    async def _tell_news(self) -> None:
        for visit in reversed(await self._store.visits(limit=VISITS_LOOKED_AT)):
            if visit.started_at + visit.seconds >= self._begun and visit.id not in self._told_visits:
                await self._tell_visit(visit)
        for site in self._settings.sites:
            state = await self._store.site_state(site.origin)
            if state is not None and (site.origin, state.current.captured_at) not in self._told_credentials:
                await self._tell_credentials(state)

    async def _tell_visit(self, visit: Visit) -> None:
        state = await self._store.site_state(visit.site)
        self._told_visits.add(visit.id)
        self._told_sites.add(visit.site)
        if visit.outcome is Outcome.CAPTURED and state is not None:
            self._told_credentials.add((visit.site, state.current.captured_at))
        is_first = visit.site == self._settings.sites[0].origin
        has_others = bool(self._settings.servers) or await self._have_credentials()
        self._print(narration.visit_lines(visit, state, is_first=is_first, has_others=has_others))

    async def _have_credentials(self) -> bool:
        """Whether any site's are stored."""
        states = [await self._store.site_state(site.origin) for site in self._settings.sites]
        return any(state is not None for state in states)

    async def _tell_credentials(self, state: SiteState) -> None:
        """Tell of credentials that no recorded visit of this run brought."""
        now, current = time(), state.current
        if current.is_typed or current.captured_at < self._begun:
            lines = [narration.kept_line(state, now)]
        elif note := await self._store.get_note(UNDER_WAY.format(site=current.site)):
            # The visit is recorded only when its browser is closed, which takes a moment.
            visit = from_json(Visit, note)
            self._told_visits.add(visit.id)
            lines = narration.captured_lines(
                state, page_seconds=current.captured_at - visit.started_at, capture_seconds=now - current.captured_at
            )
        else:
            return  # the record follows
        self._told_credentials.add((current.site, current.captured_at))
        self._told_sites.add(current.site)
        named = next((site.url for site in self._settings.sites if site.origin == current.site), current.page_url)
        self._print([*lines, *narration.page_lines(state, named)])

    def _print(self, lines: list[str]) -> None:
        self._live.clear()
        for line in lines:
            click.echo(line, color=False if os.environ.get("NO_COLOR") else None)


def model_when_ready(gateway: Gateway) -> str | None:
    """A model to try; None while requests cannot be answered."""
    try:
        if gateway.get("/readyz", timeout=PROBE_SECONDS)[0] != 200:
            return None
        return preferred_model(listed(gateway.get("/v1/models", timeout=PROBE_SECONDS)[1]))
    except NoGateway:
        return None


async def _run(settings: Settings, *, begun: float, is_live: bool) -> None:
    live = LiveLine(is_shown=is_live and sys.stdout.isatty())
    try:
        async with open_store(settings.store_url) as store:
            telling = asyncio.create_task(Narrator(settings, store, live, begun=begun).run())
            on_parent_gone(telling.cancel)
            await telling
    finally:
        live.clear()


def main() -> int:
    """Run; returns the exit code. The first argument is when `up` was started, in Unix seconds."""
    accept_any_encoding()
    try:
        asyncio.run(_run(load(), begun=float(sys.argv[1]), is_live="--live" in sys.argv[2:]))
    except asyncio.CancelledError:
        return 0
    except StoreError as error:
        click.echo(f"freeaichat: progress cannot be shown: {error}", err=True)
        return EXIT_FAILED
    return 0


if __name__ == "__main__":
    sys.exit(main())
