"""What an administrator does over HTTP: handing out keys, looking at usage and visits, signing in on the web page."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from time import time
from typing import Any, TypeVar

from proxy.access.keyring import Keyring
from proxy.access.rules import Access, WrongKey
from proxy.api.admin.requests import no_screenshot
from proxy.chat.conversations import needed
from proxy.chat.errors import Refused, ServiceError
from shared.admin import key_desk, usage_desk
from shared.admin.keys import ApiKey, KeyWish
from shared.admin.wire import Span
from shared.models import Visit
from shared.processes import heartbeat
from shared.secrets import ensure_master_key
from shared.settings import Settings
from shared.store import Store, StoreError

VISITS_SHOWN = 10
MAX_AT_DOOR = 16  # who sign in at once: nobody knows yet who they are
DOOR_SECONDS = 10.0  # for sending the key
ASKED_BY = "the administrator asked for it"

T = TypeVar("T")

log = logging.getLogger(__name__)


class Administration:
    """All methods that use the store raise `ServiceError` (503) where it is away, unless they say otherwise."""

    def __init__(self, settings: Settings, store: Store, rules: Access, keyring: Keyring) -> None:
        self.settings = settings
        self.rules = rules
        self.started_at = time()
        self._store = store
        self._keyring = keyring
        self._at_door = 0

    async def keys(self) -> list[ApiKey]:
        """Every key, newest first."""
        return await needed(self._store.keys)

    async def create_key(self, wanted: KeyWish) -> tuple[str, ApiKey]:
        """A new key's secret, and what is kept of it. Raises `ServiceError` (409) where it cannot be made.

        With the first one the administrator's key is made and kept, for nobody comes in without a key from then on.
        """
        if not self.rules.has_master:
            await self._keep_master()
        return await self._changed(lambda: key_desk.create(self._store, wanted, now=time()))

    async def revoke_key(self, wanted: str) -> ApiKey:
        """End the key of that id or name. Raises `ServiceError` (404)."""
        return await self._changed(lambda: key_desk.revoke(self._store, wanted, now=time()))

    async def rotate_key(self, wanted: str) -> tuple[str, ApiKey]:
        """Give the key of that id or name a new secret. Raises `ServiceError`: 404, and 409 where it has ended."""
        return await self._changed(lambda: key_desk.rotate(self._store, wanted, now=time()))

    async def usage(self, span: Span) -> list[dict[str, Any]]:
        """What was used, in rows."""
        return await needed(lambda: usage_desk.rows(self._store, span))

    async def visits_and_heartbeat(
        self, sites: Iterable[str]
    ) -> tuple[dict[str, list[Visit]], float | None, str | None]:
        """The last visits by site, newest first; the seconds since the harvester's last sign of life, None for none.

        At last why neither is known where the store is away.
        """
        try:
            beat_at = await heartbeat.last_beat(self._store)
            age = None if beat_at is None else max(time() - beat_at, 0.0)
            return {site: await self._store.visits(site, limit=VISITS_SHOWN) for site in sites}, age, None
        except StoreError as error:
            return {}, None, str(error)

    async def ask_visit(self, site: str) -> None:
        """Ask the harvester to visit *site* soon."""
        await needed(lambda: self._store.ask_visit(site, ASKED_BY, at=time()))

    async def screenshot(self, visit_id: str) -> bytes:
        """The PNG of a failed visit. Raises `ServiceError` (404)."""
        picture = await needed(lambda: self._store.screenshot(visit_id))
        if not picture:
            raise no_screenshot()
        return picture

    @asynccontextmanager
    async def door(self) -> AsyncIterator[None]:
        """Hold one of a few places, for a short time, while a key is sent: strangers must not take up all others.

        Raises `ServiceError`: 429 where all are taken, 408 where it takes too long.
        """
        if self._at_door >= MAX_AT_DOOR:
            raise Refused(
                429,
                "Too many sign in at once; wait a moment.",
                type="rate_limit_error",
                code="rate_limit_exceeded",
                retry_after=1.0,
            )
        self._at_door += 1
        try:
            async with asyncio.timeout(DOOR_SECONDS):
                yield
        except TimeoutError:
            message = f"The key did not come within {DOOR_SECONDS:g} s."
            raise ServiceError(408, message, code="request_timeout") from None
        finally:
            self._at_door -= 1

    async def sign_in(self, own: str, address: str | None) -> str | None:
        """The text of a session for who holds the key *own* and comes from *address*; None where nobody needs one.

        Raises `ServiceError`: 401 for a wrong key, 429 after too many of them.
        """
        try:
            return await self.rules.sign_in(own, now=time())
        except WrongKey as error:
            raise await self.rules.wrong_keys.told(address) or error from None

    async def _changed(self, work: Callable[[], Awaitable[T]]) -> T:
        """What *work* makes of the keys, which this proxy then goes by at once."""
        try:
            result = await needed(work)
        except key_desk.NoSuchKey:
            raise ServiceError(404, "No key has this name or id.", code="key_not_found") from None
        except key_desk.KeyRefused as error:
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
