"""What an administrator does over HTTP: handing out keys, looking at usage and visits, signing in on the web page."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from time import time
from typing import Any, TypeVar

from proxy.access.keyring import Keyring
from proxy.access.rules import AccessRules, WrongKey
from proxy.api.admin.requests import no_screenshot
from proxy.chat.conversations import call_store
from proxy.chat.errors import LimitExceeded, ServiceError
from shared.admin import key_admin, usage_admin
from shared.admin.keys import ApiKey, NewKey
from shared.admin.wire import UsageQuery
from shared.models import Visit
from shared.processes import heartbeat
from shared.secrets import ensure_master_key
from shared.settings import Settings
from shared.store import Store, StoreError

VISITS_SHOWN = 10
MAX_SIGNING_IN = 16  # at once: nobody knows yet who they are
SIGN_IN_SECONDS = 10.0  # for sending the key
ASKED_BY = "the administrator asked for it"

T = TypeVar("T")

log = logging.getLogger(__name__)


class Administration:
    """The operations of `/admin`. Those that use the store raise `ServiceError` (503) where it is away, as a rule."""

    def __init__(self, settings: Settings, store: Store, rules: AccessRules, keyring: Keyring) -> None:
        self.settings = settings
        self.rules = rules
        self.started_at = time()
        self._store = store
        self._keyring = keyring
        self._signing_in = 0

    async def keys(self) -> list[ApiKey]:
        """Every key, newest first."""
        return await call_store(self._store.keys)

    async def create_key(self, new_key: NewKey) -> tuple[str, ApiKey]:
        """A new key's secret, and what is kept of it. Raises `ServiceError` (409) where it cannot be made.

        With the first one the administrator's key is made and kept, for nobody comes in without a key from then on.
        """
        if not self.rules.has_master:
            await self._keep_master()
        return await self._changed(lambda: key_admin.create(self._store, new_key, now=time()))

    async def revoke_key(self, id_or_name: str) -> ApiKey:
        """End the key of that id or name. Raises `ServiceError` (404)."""
        return await self._changed(lambda: key_admin.revoke(self._store, id_or_name, now=time()))

    async def rotate_key(self, id_or_name: str) -> tuple[str, ApiKey]:
        """Give the key of that id or name a new secret. Raises `ServiceError`: 404, and 409 where it has ended."""
        return await self._changed(lambda: key_admin.rotate(self._store, id_or_name, now=time()))

    async def usage(self, query: UsageQuery) -> list[dict[str, Any]]:
        """The usage that *query* asks for, in rows."""
        return await call_store(lambda: usage_admin.rows(self._store, query))

    async def visits_and_heartbeat(
        self, sites: Iterable[str]
    ) -> tuple[dict[str, list[Visit]], heartbeat.Heartbeat | None, str | None]:
        """The last visits by site, newest first; the harvester's last heartbeat, None for none.

        At last why neither is known where the store is away.
        """
        try:
            last = await heartbeat.last_beat(self._store)
            return {site: await self._store.visits(site, limit=VISITS_SHOWN) for site in sites}, last, None
        except StoreError as error:
            return {}, None, str(error)

    async def ask_visit(self, site: str) -> None:
        """Ask the harvester to visit *site* soon."""
        await call_store(lambda: self._store.ask_visit(site, ASKED_BY, at=time()))

    async def screenshot(self, visit_id: str) -> bytes:
        """The PNG of a failed visit. Raises `ServiceError` (404)."""
        picture = await call_store(lambda: self._store.screenshot(visit_id))
        if not picture:
            raise no_screenshot()
        return picture

    @asynccontextmanager
    async def sign_in_slot(self) -> AsyncIterator[None]:
        """Hold one of a few slots, briefly, while a key is sent, so that strangers cannot occupy the server.

        Raises `ServiceError`: 429 where all are taken, 408 where it takes too long.
        """
        if self._signing_in >= MAX_SIGNING_IN:
            raise LimitExceeded(
                429,
                "Too many sign in at once; wait a moment.",
                type="rate_limit_error",
                code="rate_limit_exceeded",
                retry_after=1.0,
            )
        self._signing_in += 1
        try:
            async with asyncio.timeout(SIGN_IN_SECONDS):
                yield
        except TimeoutError:
            message = f"The key did not come within {SIGN_IN_SECONDS:g} s."
            raise ServiceError(408, message, code="request_timeout") from None
        finally:
            self._signing_in -= 1

    async def sign_in(self, secret: str, address: str | None) -> str | None:
        """The text of a session for who holds the key *secret* and comes from *address*; None where nobody needs one.

        Raises `ServiceError`: 401 for a wrong key, 429 after too many of them.
        """
        try:
            return await self.rules.sign_in(secret, now=time())
        except WrongKey as error:
            raise await self.rules.wrong_keys.throttle(address) or error from None

    async def _changed(self, work: Callable[[], Awaitable[T]]) -> T:
        """What *work* makes of the keys, which this proxy then goes by at once."""
        try:
            result = await call_store(work)
        except key_admin.NoSuchKey:
            raise ServiceError(404, "No key has this name or id.", code="key_not_found") from None
        except key_admin.KeyUnavailable as error:
            raise ServiceError(409, f"It cannot be done: {error}.", code="key_conflict") from None
        with suppress(StoreError):  # the change stands; it is read soon
            await self._keyring.load()
        return result

    async def _keep_master(self) -> None:
        try:
            _, is_new = await asyncio.to_thread(ensure_master_key, self.settings.data_dir)
        except OSError as error:
            raise ServiceError(
                503,
                f"The administrator's key cannot be kept in {self.settings.data_dir}: {error.strerror}.",
                type="server_error",
                code="key_not_kept",
            ) from error
        if is_new:
            log.warning("the administrator's key was made; it is kept in %s", self.settings.data_dir)
