"""The harvester's sign of life in the store: it tells whether the service runs, whatever the sites do."""

from shared.store import Store

NOTE = "harvester.heartbeat"  # Unix seconds
EVERY_SECONDS = 30.0
FRESH_SECONDS = 100.0  # three that are missing, and some


async def beat(store: Store, now: float) -> None:
    """Leave a sign of life; *now*: Unix seconds. Raises StoreError."""
    await store.set_note(NOTE, f"{now:.0f}")


async def last_beat(store: Store) -> float | None:
    """When the last sign was left (Unix seconds), None: never. Raises StoreError."""
    note = await store.get_note(NOTE)
    return float(note) if note else None


def is_fresh(beat_at: float | None, now: float) -> bool:
    """Whether the harvester runs. A sign from later than *now* by as much as from before: the clock was set back."""
    return beat_at is not None and abs(now - beat_at) <= FRESH_SECONDS
