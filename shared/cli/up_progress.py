"""Print the progress of `freeaichat up`, how to send a request, and the results of late visits.

A process of its own (`python -m shared.cli.up_progress STARTED [--live]`), so that what it imports does not stay in
memory.
"""

import asyncio
import os
import sys
from time import monotonic, time

import click

from shared.cli import accept_any_encoding, up_text
from shared.cli.gateway import Gateway, GatewayError, gateway_from, models_in, preferred_model
from shared.cli.live_line import REDRAW_SECONDS, LiveLine
from shared.cli.master_key import is_key_needed, readable_key
from shared.models import VISIT_IN_PROGRESS, Outcome, SiteState, Visit
from shared.processes.lifeline import on_parent_exit
from shared.processes.services import EXIT_FAILED
from shared.serialization import from_json
from shared.settings import Settings, load_in_fork
from shared.store import Store, StoreError, open_store

EAGER_SECONDS = 15.0  # polls often at first
EAGER_PAUSE = 0.05
PATIENT_PAUSE = 1.0
PROBE_SECONDS = 1.0  # longest wait for one answer of the proxy
RECORD_SECONDS = 2.0  # a visit's record may follow its credentials by a moment
LATE_SECONDS = 120.0  # more than a visit takes
VISITS_LOOKED_AT = 10


class ProgressPrinter:
    """Prints each event once. *started*: when `up` was started (Unix seconds); *live*: the status line."""

    def __init__(self, settings: Settings, store: Store, live: LiveLine, *, started: float) -> None:
        self._settings = settings
        self._store = store
        self._live = live
        self._live_since = monotonic() - (time() - started)
        self._started = started
        self._printed_visits: set[str] = set()
        self._printed_credentials: set[tuple[str, float]] = set()
        self._told_sites: set[str] = set()

    async def run(self) -> None:
        """Print until requests can be answered, and the first visit of each site is over. Raises StoreError."""
        while (model := await asyncio.to_thread(model_when_ready, self._gateway())) is None:
            await self._print_news()
            await self._wait(EAGER_PAUSE if time() - self._started < EAGER_SECONDS else PATIENT_PAUSE)
        await self._print_result()
        is_asked = is_key_needed(self._settings) or await self._store.keys()
        key = readable_key(self._settings) if is_asked else None
        self._print(up_text.ready_lines(self._gateway().base_url, model, key, seconds=time() - self._started))
        await self._tell_the_rest()

    def _gateway(self) -> Gateway:
        """The proxy, with the master key of now: the first key that is made for others brings one with it."""
        return gateway_from(self._settings, readable_key(self._settings))

    async def _tell_the_rest(self) -> None:
        """Tell what the first visits bring that were still under way when others could answer already."""
        sites = {site.origin for site in self._settings.sites}
        until = monotonic() + LATE_SECONDS
        while sites - self._told_sites and monotonic() < until:
            await asyncio.sleep(PATIENT_PAUSE)
            await self._print_news()

    async def _wait(self, seconds: float) -> None:
        """Sleep, and draw the status line on a terminal."""
        if not self._live.is_shown:
            await asyncio.sleep(seconds)
            return
        what = await self._waited_for()
        until = monotonic() + seconds
        while (remaining := until - monotonic()) > 0:
            self._live.wait(what, self._live_since)
            await asyncio.sleep(min(remaining, REDRAW_SECONDS))

    async def _waited_for(self) -> str:
        for site in self._settings.sites:
            if await self._store.get_note(VISIT_IN_PROGRESS.format(site=site.origin)):
                return f"a browser visits {site.url}"
        if self._printed_credentials:
            return "the proxy starts"
        return "the next visit is due soon" if self._printed_visits else "the services start"

    async def _print_result(self) -> None:
        for _ in range(round(RECORD_SECONDS / EAGER_PAUSE)):
            await self._print_news()
            if self._printed_credentials or self._settings.servers:
                return
            await asyncio.sleep(EAGER_PAUSE)

    async def _print_news(self) -> None:
        for visit in reversed(await self._store.visits(limit=VISITS_LOOKED_AT)):
            if visit.started_at + visit.seconds >= self._started and visit.id not in self._printed_visits:
                await self._print_visit(visit)
        for site in self._settings.sites:
            state = await self._store.site_state(site.origin)
            if state is not None and (site.origin, state.current.captured_at) not in self._printed_credentials:
                await self._print_credentials(state)

    async def _print_visit(self, visit: Visit) -> None:
        state = await self._store.site_state(visit.site)
        self._printed_visits.add(visit.id)
        self._told_sites.add(visit.site)
        if visit.outcome is Outcome.CAPTURED and state is not None:
            self._printed_credentials.add((visit.site, state.current.captured_at))
        is_first = visit.site == self._settings.sites[0].origin
        has_others = bool(self._settings.servers) or await self._have_credentials()
        self._print(up_text.visit_lines(visit, state, is_first=is_first, has_others=has_others))

    async def _have_credentials(self) -> bool:
        """Whether any site's are stored."""
        states = [await self._store.site_state(site.origin) for site in self._settings.sites]
        return any(state is not None for state in states)

    async def _print_credentials(self, state: SiteState) -> None:
        """Print credentials that come from no recorded visit of this run."""
        now, current = time(), state.current
        if current.is_manual or current.captured_at < self._started:
            lines = [up_text.kept_line(state, now)]
        elif note := await self._store.get_note(VISIT_IN_PROGRESS.format(site=current.site)):
            # The visit is recorded only when its browser is closed, which takes a moment.
            visit = from_json(Visit, note)
            self._printed_visits.add(visit.id)
            lines = up_text.captured_lines(
                state, page_seconds=current.captured_at - visit.started_at, capture_seconds=now - current.captured_at
            )
        else:
            return  # the record follows
        self._printed_credentials.add((current.site, current.captured_at))
        self._told_sites.add(current.site)
        named = next((site.url for site in self._settings.sites if site.origin == current.site), current.page_url)
        self._print([*lines, *up_text.page_lines(state, named)])

    def _print(self, lines: list[str]) -> None:
        self._live.clear()
        for line in lines:
            click.echo(line, color=False if os.environ.get("NO_COLOR") else None)


def model_when_ready(gateway: Gateway) -> str | None:
    """The name of a model once requests can be answered, else None."""
    try:
        if gateway.readiness(timeout=PROBE_SECONDS)["status"] == "unavailable":
            return None
        return preferred_model(models_in(gateway.get("/v1/models", timeout=PROBE_SECONDS)[1]))
    except GatewayError:
        return None


async def _run(settings: Settings, *, started: float, is_live: bool) -> None:
    live = LiveLine(is_shown=is_live and sys.stdout.isatty())
    try:
        async with open_store(settings.store_url) as store:
            task = asyncio.create_task(ProgressPrinter(settings, store, live, started=started).run())
            on_parent_exit(task.cancel)
            await task
    finally:
        live.clear()


def main() -> int:
    """Run; returns the exit code. The first argument is when `up` was started, in Unix seconds."""
    accept_any_encoding()
    try:
        asyncio.run(_run(load_in_fork()(), started=float(sys.argv[1]), is_live="--live" in sys.argv[2:]))
    except asyncio.CancelledError:
        return 0
    except StoreError as error:
        click.echo(f"freeaichat: progress cannot be shown: {error}", err=True)
        return EXIT_FAILED
    return 0


if __name__ == "__main__":
    sys.exit(main())
