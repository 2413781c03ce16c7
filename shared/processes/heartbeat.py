"""The harvester's heartbeat in the store: it shows whether the service runs, whatever the sites do."""

from typing import NamedTuple

from shared.store import Store

NOTE = "harvester.heartbeat"  # Unix seconds, and after a clean stop a word that says so
EVERY_SECONDS = 30.0
FRESH_SECONDS = 100.0  # three missing heartbeats, and some
_STOPPED = " stopped"


class Heartbeat(NamedTuple):
    """A heartbeat, written at `at` (Unix seconds). `is_last`: its harvester has stopped since."""

    at: float
    is_last: bool = False

    def age(self, now: float) -> float:
        """The seconds since then, none where the clock was set back."""
        return max(now - self.at, 0.0)

    def is_fresh(self, now: float) -> bool:
        """Whether the harvester runs. It may be as much later than *now* as earlier: the clock was set back."""
        return not self.is_last and abs(now - self.at) <= FRESH_SECONDS


async def beat(store: Store, now: float) -> None:
    """Write a heartbeat; *now*: Unix seconds. Raises StoreError."""
    await store.set_note(NOTE, _encoded(now))


async def withdraw(store: Store, beat_at: float) -> None:
    """Mark the heartbeat written at *beat_at* as the last of a harvester that stops, unless another one has written
    since. Raises StoreError.
    """
    if await store.get_note(NOTE) == _encoded(beat_at):
        await store.set_note(NOTE, _encoded(beat_at) + _STOPPED)


async def last_beat(store: Store) -> Heartbeat | None:
    """The last heartbeat; None: there was none, or it is unreadable. Raises StoreError."""
    note = await store.get_note(NOTE) or ""
    try:
        return Heartbeat(float(note.removesuffix(_STOPPED)), is_last=note.endswith(_STOPPED))
    except ValueError:
        return None


async def is_missing(store: Store, now: float) -> bool:
    """Whether the last heartbeat is too old, though a harvester runs: another one has withdrawn its own, or the store
    was restored from a backup. Raises StoreError.
    """
    last = await last_beat(store)
    return last is None or last.is_last or last.at < now - FRESH_SECONDS


def _encoded(moment: float) -> str:
    return f"{moment:.0f}"
