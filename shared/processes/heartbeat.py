"""The harvester's heartbeat in the store: it shows whether the service runs, whatever the sites do."""

from shared.store import Store

NOTE = "harvester.heartbeat"  # Unix seconds
EVERY_SECONDS = 30.0
FRESH_SECONDS = 100.0  # three missing heartbeats, and some


async def beat(store: Store, now: float) -> None:
    """Write a heartbeat; *now*: Unix seconds. Raises StoreError."""
    await store.set_note(NOTE, _encoded(now))


async def withdraw(store: Store, beat_at: float) -> None:
    """Expire the heartbeat written at *beat_at* by a harvester that stops, unless another one has written since.

    Raises StoreError.
    """
    if await store.get_note(NOTE) == _encoded(beat_at):
        await store.set_note(NOTE, _encoded(beat_at - FRESH_SECONDS - 1))


async def last_beat(store: Store) -> float | None:
    """When the last heartbeat was written (Unix seconds); None: never, or unreadable. Raises StoreError."""
    try:
        return float(await store.get_note(NOTE) or "")
    except ValueError:
        return None


async def is_missing(store: Store, now: float) -> bool:
    """Whether the last heartbeat is too old, though a harvester runs: another one has withdrawn its own, or the store
    was restored from a backup. Raises StoreError.
    """
    return (await last_beat(store) or 0.0) < now - FRESH_SECONDS


def is_fresh(beat_at: float | None, now: float) -> bool:
    """Whether the harvester runs. A heartbeat may be as much later than *now* as earlier: the clock was set back."""
    return beat_at is not None and abs(now - beat_at) <= FRESH_SECONDS


def _encoded(moment: float) -> str:
    return f"{moment:.0f}"
