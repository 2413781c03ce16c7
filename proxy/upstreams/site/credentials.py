"""Keeping the current credentials of every site at hand, and renewing them when one is refused.

The store is read when it changes, not for each request. A refused nonce is renewed over HTTP by one request at a
time and site, however many turns were refused; where that does not help, a visit is asked for.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from contextlib import aclosing, suppress
from dataclasses import replace
from time import monotonic, time
from typing import Any

from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, stop_after_delay

from proxy.chat.upstream import MAX_ATTEMPTS, Problem, restart_pause
from shared.models import Credentials, SiteState
from shared.parsing import Site
from shared.plugins.renewal import is_by_site, read_renewed, renewal_request
from shared.site_client.client import Response, SiteClient
from shared.site_client.errors import SiteUnreachable
from shared.store import StaleWrite, Store, StoreError

NONCE_SECONDS = 15.0  # longest wait for the nonce action
FIRST_CAPTURE_SECONDS = 5.0  # how long a request waits for the very first credentials
RENEWAL_SECONDS = 20.0  # how long a request waits for a visit to bring new ones
STORE_RETRY_SECONDS = 1.0
LATELY_SECONDS = 60.0  # after a success, no firewall or check can be in front of the site
_NONE_YET = Problem("no_credentials", "no credentials were captured yet")
_REFUSED = Problem(
    "credentials_refused", "the site refuses the current credentials; a visit for new ones was asked for"
)
_NO_NONCE = "the site hands out no nonce to these credentials"

log = logging.getLogger(__name__)


class NoCredentials(Exception):
    """There are no usable credentials for a site now; the text says why, for the client.

    *is_reachable*: the site itself was asked for new ones and answered, so that no firewall or check is in front of it.
    """

    def __init__(self, reason: str, *, is_reachable: bool = False) -> None:
        super().__init__(reason)
        self.is_reachable = is_reachable


class CredentialKeeper:
    """The proxy's view of all sites. Run `watch` as a task for as long as requests are served."""

    def __init__(self, sites: Sequence[Site], store: Store, client: SiteClient) -> None:
        self._sites = sites
        self._store = store
        self._client = client
        self._states: dict[str, SiteState] = {}
        self._changed = asyncio.Event()
        self._renewals: dict[str, tuple[Credentials, asyncio.Task[Credentials]]] = {}
        self._writes: set[asyncio.Task[Any]] = set()  # to the store, for which no turn waits
        self.store_trouble: str | None = None  # why it could not be used when it was needed last
        self._last_good: dict[str, tuple[Credentials, float]] = {}  # with which ones a turn succeeded last, and when
        self._refused: dict[str, Credentials] = {}  # those that a site was last seen to refuse for good
        self.on_renewed: Callable[[str], None] = lambda site: None  # called when anybody got newer ones for a site

    async def load(self) -> None:
        """Read what the store holds now."""
        for site in self._sites:
            await self._reload(site.origin)

    async def watch(self) -> None:
        """Follow the store until cancelled."""
        while True:
            try:
                async with aclosing(self._store.watch()) as changes:
                    async for _ in changes:
                        await self.load()
            except StoreError as error:
                self.store_trouble = str(error)
                log.warning("store away, going on with what was last seen: %s", error)
                await asyncio.sleep(STORE_RETRY_SECONDS)

    def state(self, site: str) -> SiteState | None:
        """What was last read of *site*."""
        return self._states.get(site)

    async def current(self, site: str) -> Credentials:
        """The current credentials of *site*; waits a little for the first ones. Raises `NoCredentials`."""
        state = self._states.get(site) or await self._reload(site)
        if state is None:
            await self.request_visit(site, "a request came before anything was captured")
            state = await self._wait_newer(site, None, FIRST_CAPTURE_SECONDS)
        if state is None:
            raise NoCredentials("no credentials were captured yet; `freeaichat status` shows what the visits meet")
        return state.current

    async def renew(self, refused: Credentials) -> Credentials:
        """Newer credentials than *refused*, or the same ones where the site hands out the same nonce again.

        All callers with the same refused generation share one renewal. Raises `NoCredentials`.
        """
        state = await self._reload(refused.site)
        if state is not None and is_newer(state.current, refused):
            return state.current
        running = self._renewals.get(refused.site)
        if running is None or is_newer(refused, running[0]) or running[1].done():
            task = asyncio.create_task(self._renew(refused))
            task.add_done_callback(_retrieve_exception)
            running = self._renewals[refused.site] = (refused, task)
        return await asyncio.shield(running[1])

    async def wait_for_visit(self, refused: Credentials, reason: str) -> Credentials:
        """Ask for a visit and wait for what it brings. Raises `NoCredentials` if nothing comes in time."""
        last_good = self._last_good.get(refused.site)
        await self.request_visit(refused.site, reason)
        state = await self._wait_newer(refused.site, refused, RENEWAL_SECONDS)
        if state is None:
            if self._last_good.get(refused.site) == last_good:  # no turn has succeeded meanwhile
                self._refused[refused.site] = refused
            raise NoCredentials(_REFUSED.text)
        return state.current

    def mark_good(self, used: Credentials) -> None:
        """A turn succeeded with *used*. Costs nothing after the first time."""
        before = self._last_good.get(used.site)
        self._last_good[used.site] = used, monotonic()
        self._refused.pop(used.site, None)
        if before is None or before[0] != used:  # of those that are no longer the current ones the store notes nothing
            self._store_later(self._store_good(used))

    def worked_lately(self, used: Credentials) -> bool:
        """Whether a turn succeeded with *used* so short a while ago that nothing can stand before the site now."""
        last_good = self._last_good.get(used.site)
        return last_good is not None and last_good[0] == used and monotonic() - last_good[1] < LATELY_SECONDS

    def has_worked(self, used: Credentials) -> bool:
        """Whether any turn has succeeded with *used*, be it in another process."""
        last_good, state = self._last_good.get(used.site), self._states.get(used.site)
        return used in (last_good[0] if last_good else None, state.last_good if state else None)

    async def _store_good(self, used: Credentials) -> None:
        with suppress(StoreError):  # the next success with newer ones notes it again
            await self._store.mark_good(used.site, used.generation)

    async def finish_storing(self) -> None:
        """Wait until all that was learnt is stored, or could not be."""
        if self._writes:
            await asyncio.wait(self._writes)

    def offer_nonce(self, used: Credentials, nonce: str) -> None:
        """Store the *nonce* that came with an answer to *used*, if it is newer: later turns use it at once."""
        state = self._states.get(used.site)
        if nonce != used.nonce and state is not None and not is_newer(state.current, used):
            self._store_later(self._store_nonce(used, nonce))

    def _store_later(self, storing: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.create_task(storing)
        self._writes.add(task)
        task.add_done_callback(self._writes.discard)

    async def _renew(self, refused: Credentials) -> Credentials:
        return await self._store_nonce(refused, await self._fetch_nonce(refused))

    async def _fetch_nonce(self, credentials: Credentials) -> str:
        request = renewal_request(credentials)
        retrying = AsyncRetrying(
            retry=retry_if_exception_type(SiteUnreachable),
            stop=stop_after_attempt(MAX_ATTEMPTS) | stop_after_delay(NONCE_SECONDS / 2),
            wait=lambda state: restart_pause(state.attempt_number),
            reraise=True,
        )
        try:
            reply: Response = await retrying(self._client.ask, credentials, request, timeout=NONCE_SECONDS)
        except SiteUnreachable as error:
            log.warning("nonce not renewed for %s: %s", credentials.site, error)
            raise NoCredentials(_NO_NONCE) from error
        if nonce := read_renewed(credentials, reply.status, reply.body):
            return nonce
        raise NoCredentials(_NO_NONCE, is_reachable=is_by_site(credentials, reply.status, reply.body))

    async def _store_nonce(self, used: Credentials, nonce: str) -> Credentials:
        """Store a renewed nonce; what somebody else stored first is newer and wins."""
        kept = replace(used, nonce=nonce, nonce_checked_at=time())
        try:
            kept = await self._store.save_nonce(used.site, nonce, checked_at=time(), base=used.generation)
        except StaleWrite as stale:
            kept = stale.current or kept  # none: the store has lost all that it held
        except StoreError as error:
            log.warning("renewed nonce not stored: %s", error)
        log.info("nonce of %s %s", used.site, "unchanged" if kept.nonce == used.nonce else "renewed")
        state = self._states.get(used.site)
        # A visit may have brought newer ones meanwhile.
        if state is not None and (state.current == used or is_newer(kept, state.current)):
            self._hold(used.site, replace(state, current=kept))
        return kept

    async def _reload(self, site: str) -> SiteState | None:
        try:
            state = await self._store.site_state(site)
        except StoreError as error:
            self.store_trouble = str(error)
            return self._states.get(site)
        self.store_trouble = None
        if state is not None and state != self._states.get(site):
            self._hold(site, state)
        return state

    def _hold(self, site: str, state: SiteState) -> None:
        """Go on with *state*, and wake whoever waits for it."""
        before = self._states.get(site)
        self._states[site] = state
        self._changed.set()
        self._changed = asyncio.Event()
        if before is not None and is_newer(state.current, before.current):
            self.on_renewed(site)

    async def _wait_newer(self, site: str, than: Credentials | None, timeout: float) -> SiteState | None:
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while True:
                    state = self._states.get(site)
                    if state is not None and (than is None or is_newer(state.current, than)):
                        return state
                    await self._changed.wait()
        return None

    async def request_visit(self, site: str, reason: str) -> None:
        """Ask for a visit of *site*; joins one that was asked for already."""
        try:
            await self._store.ask_visit(site, reason, at=time())
        except StoreError as error:
            log.warning("visit of %s not asked for: %s", site, error)

    def problem(self, site: str) -> Problem | None:
        """Why *site* could not answer a request now; None if it could."""
        state = self._states.get(site)
        if state is None:
            return _NONE_YET
        refused = self._refused.get(site)
        if refused and (refused.generation, refused.nonce) == (state.current.generation, state.current.nonce):
            return _REFUSED
        return None


def is_newer(one: Credentials, other: Credentials) -> bool:
    """Whether *one* came after *other*. A nonce that the store could not take yet has made no new generation, and a
    store that lost what it held counts them anew."""
    if one.captured_at > other.captured_at or one.generation > other.generation:
        return True
    return one.generation == other.generation and one.nonce != other.nonce


def _retrieve_exception(task: asyncio.Task[Credentials]) -> None:
    """Mark the exception as seen: the waiting requests get it, and if all of them left, asyncio need not log it."""
    if not task.cancelled():
        task.exception()
