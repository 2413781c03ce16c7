"""The store: the state that the harvester and the proxy share.

`Store` is the protocol; behind it are `sqlite`, the default, and `redis`, for several machines. All methods may raise
`StoreUnavailable` (busy, full, gone); `open_store` raises `StoreCorrupt` or `StoreTooNew` and changes nothing then.
"""

from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager
from math import inf
from typing import Protocol

from shared.admin.keys import ApiKey, KeyCounts
from shared.admin.usage import Counters, UsageBatch, UsageGroup
from shared.conversations import Conversation, Message, Note, TurnResult
from shared.models import Capture, Credentials, SiteState, Visit, VisitAsk
from shared.store.slots import Claim, Share

MAX_CLOCK_SKEW = 60.0  # clocks differ by less; a time further ahead was taken before the clock was set back
KEPT_VISITS = 50
KEPT_VISITS_PER_SITE = 10  # at least: the pauses between its visits depend on them
KEPT_SCREENSHOTS = 5
KEPT_ASKS = 16  # per site; asks beyond these are counted in the last one
MAX_COPIES = 100_000  # one takes some 300 bytes in SQLite, 600 in Redis
STARTING_SECONDS = 60.0  # how long a service waits for a store server that starts with it


class StoreError(Exception):
    """Base class of the store's exceptions."""


class StoreUnavailable(StoreError):
    """The store cannot be used just now; trying later may work."""


class StoreCorrupt(StoreError):
    """The file is not a store of ours, or is damaged."""


class StoreTooNew(StoreError):
    """A newer version wrote the store; this one leaves it alone."""


class StaleWrite(StoreError):
    """Newer credentials were stored first; `current` are those."""

    def __init__(self, current: Credentials | None) -> None:
        super().__init__("newer credentials were stored meanwhile")
        self.current = current


class Store(Protocol):
    """The interface of a store. One instance serves one process; use it from one event loop."""

    # Credentials ------------------------------------------------------------------------------

    async def site_state(self, site: str) -> SiteState | None:
        """Current and last good credentials and bots of *site*; None before the first capture."""

    async def save_capture(self, capture: Capture, *, base: int) -> Credentials:
        """Store identity, bots and credentials together, if the current generation is *base* (0: none yet).

        Returns the credentials with their new generation. Raises `StaleWrite` and writes nothing if another generation
        is current.
        """

    async def save_nonce(self, site: str, nonce: str, *, checked_at: float, base: int) -> Credentials:
        """Store a renewed nonce on top of generation *base*.

        The generation grows only if the nonce differs; otherwise only `nonce_checked_at` moves.
        Raises `StaleWrite` if another generation is current.
        """

    async def mark_good(self, site: str, generation: int) -> None:
        """Record that a turn succeeded with *generation*. Does nothing unless it is the current one."""

    async def identity(self, site: str) -> str | None:
        """The guest identity of *site* as Playwright's storage_state JSON."""

    # Visits -----------------------------------------------------------------------------------

    async def ask_visit(self, site: str, reason: str, *, at: float) -> None:
        """Ask for a visit of *site* soon; joins a pending ask."""

    async def pending_ask(self, site: str) -> VisitAsk | None:
        """The pending ask for *site*, if any."""

    async def begin_visit(self, site: str, holder: str, *, at: float, ttl: float) -> bool:
        """Claim the next visit of *site* for *holder*, for at most *ttl* seconds from *at*, which is now.

        False while another holder's claim is valid: two never visit one site at once. A store that several machines
        share uses its own clock, not *at*.
        """

    async def end_visit(self, visit: Visit, holder: str, *, note: str = "", screenshot: bytes | None = None) -> None:
        """Record *visit*, release the claim of *holder*, and drop asks made before the visit began.

        Clears the note of the visit in progress if it is *note*, and not that of a later visit; all at once, so that
        nobody takes an ended visit for a killed one. A visit recorded before keeps its place among the others.

        An ask from later than `MAX_CLOCK_SKEW` after the visit's end was made before the clock was set back.
        Keeps the last 50 visits, at least the last 10 of each site, and the last 5 screenshots.
        """

    async def visits(self, site: str | None = None, *, limit: int = 50) -> list[Visit]:
        """The last visits, newest first."""

    async def screenshot(self, visit_id: str) -> bytes | None:
        """The PNG kept for a failed visit."""

    # Conversations ----------------------------------------------------------------------------

    async def create_conversation(self, conversation: Conversation) -> None:
        """Store a new conversation with its messages."""

    async def conversation(self, conversation_id: str) -> Conversation | None:
        """The conversation with all its messages."""

    async def begin_turn(self, conversation_id: str, turn_id: str, *, at: float) -> bool:
        """Mark a turn that may reach the site from now on as pending. False if the conversation is gone.

        Until the turn is committed or abandoned, the site's copy counts as spoilt.
        """

    async def abandon_turn(self, conversation_id: str, turn_id: str) -> None:
        """Remove the mark of a turn that failed before the site could log anything."""

    async def commit_turn(self, conversation_id: str, result: TurnResult) -> bool:
        """Add a finished turn. False if the conversation is gone.

        If another turn was begun or committed since `begin_turn`, the messages `added` are appended to the stored
        ones, and the upstream copy is dropped, since it holds only one of the two.
        """

    async def add_messages(self, conversation_id: str, messages: Sequence[Message], *, at: float) -> bool:
        """Append messages that came without a turn; False if the conversation is gone.

        The upstream copy is dropped, since it does not hold them, and a turn under way counts as crossed.
        """

    async def delete_message(self, conversation_id: str, message_id: str, *, at: float) -> bool:
        """Take out one message, and drop the upstream copy as `add_messages` does. False if it is not there."""

    async def update_metadata(self, conversation_id: str, metadata: dict[str, str], *, at: float) -> bool:
        """Replace the metadata. False if the conversation is gone."""

    async def delete_conversation(self, conversation_id: str) -> bool:
        """Forget a conversation. False if there was none."""

    async def prune(self, *, before: float, max_bytes: int, now: float = inf) -> int:
        """Drop conversations not touched since *before*, then the oldest until all fit in *max_bytes*.

        A time of use later than *now* was taken before the clock was set back, and is reset to *now*. The size of one
        is its text in UTF-8, its metadata, and the overhead that `shared.conversations` defines.

        Returns the number of conversations dropped.
        """

    # Copies -----------------------------------------------------------------------------------

    async def add_copies(self, copies: Sequence[tuple[str, Note, float]]) -> None:
        """Store upstreams' copies by the digest of the exact history that each holds, and since when."""

    async def take_copy(self, history: str) -> Note | None:
        """Remove and return the newest copy that holds *history*, if any: no two turns get the same one."""

    # Keys -------------------------------------------------------------------------------------

    async def key_secret(self) -> bytes:
        """The pepper under which keys are hashed, the same for all users of this store; created at the first call.

        Beside a SQLite file it is a file of its own (mode 0600), so that a copy of the database alone is not enough
        to try keys on; all machines that share a Redis find it there.
        """

    async def add_key(self, key: ApiKey) -> bool:
        """Store a new key. False, and nothing is written, if a key that was not revoked has its name."""

    async def keys(self) -> list[ApiKey]:
        """All keys ever made, newest first."""

    async def keys_version(self) -> str:
        """A token that changes with every change of the keys; "" before the first."""

    async def revoke_key(self, key_id: str, *, at: float) -> bool:
        """Revoke a key. False if there is none, or it is revoked already."""

    async def rotate_key(self, key_id: str, *, digest: str, hint: str) -> bool:
        """Replace the secret of a key. False if there is none, or it is revoked."""

    async def admit_requests(
        self, key_id: str, *, at: float, rpm: int | None, tpd: int | None, count: int = 1
    ) -> KeyCounts:
        """Count *count* requests of the key at *at*, unless they exceed a limit (None: no limit).

        Atomic across processes. As `add_usage`, it does not wake `watch`.
        """

    async def key_counts(self, key_id: str, *, at: float) -> KeyCounts:
        """The counts by which `admit_requests` decides."""

    # Usage ------------------------------------------------------------------------------------

    async def add_usage(self, batch: UsageBatch) -> None:
        """Add *batch* to the stored usage. A batch that was added a moment ago is not added again."""

    async def usage(self, *, since: float, until: float) -> list[tuple[UsageGroup, Counters]]:
        """The counters of the hours that start at or after *since* and before *until* (Unix seconds)."""

    async def prune_usage(self, *, before: float, after: float = inf) -> int:
        """Drop the hours before *before*, and those after *after*, which come from a wrong clock.

        Returns the number of groups dropped.
        """

    # Slots ------------------------------------------------------------------------------------

    async def acquire_slots(self, site: str, claim: Claim, *, limit: int, at: float) -> Share:
        """Lease slots on *site* until `LEASE_SECONDS` from *at*, which is now, in place of those held so far.

        All holders together never have more than *limit*, except for slots kept from before. Does not wake `watch`; a
        store that several machines share uses its own clock.
        """

    async def release_slots(self, site: str, holder: str) -> None:
        """Release all slots of *holder*."""

    # The rest ---------------------------------------------------------------------------------

    async def get_note(self, key: str) -> str | None:
        """A small value kept under *key* (heartbeats, what was seeded by hand)."""

    async def set_note(self, key: str, value: str) -> None:
        """Keep a small value under *key*."""

    def watch(self) -> AsyncGenerator[None, None]:
        """Yield once at once, then soon (within a second) after anything in the store changed, whoever wrote it.

        Several changes may come as one. Close the iterator when done.
        """


def is_redis(url: str) -> bool:
    """Whether *url* names a store in a server that speaks Redis's protocol."""
    return url.startswith(("redis://", "rediss://", "unix://"))


def open_store(url: str, *, startup_timeout: float = 0.0) -> AbstractAsyncContextManager[Store]:
    """Open the store at *url*: `sqlite:///relative.db`, `sqlite:////absolute/path.db`, or the URL of a Redis
    server (`redis://`, `rediss://`, `unix://`).

    *startup_timeout*: seconds to wait for a server that is not available yet; it may still be starting.
    """
    if url.startswith("sqlite:///"):
        from shared.store.sqlite.store import open_sqlite

        return open_sqlite(url.removeprefix("sqlite:///"))
    if is_redis(url):
        from shared.store.redis.store import open_redis

        return open_redis(url, startup_timeout=startup_timeout)
    scheme = url.partition("://")[0]
    raise StoreError(
        f"FREEAICHAT_STORE: {scheme}:// is not a store this version knows; use sqlite:///path or redis://host"
    )
