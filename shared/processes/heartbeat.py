"""The harvester's sign of life in the store: it tells whether the service runs, whatever the sites do."""

from shared.store import Store

NOTE = "harvester.heartbeat"  # Unix seconds
EVERY_SECONDS = 30.0
FRESH_SECONDS = 100.0  # three that are missing, and some


async def beat(store: Store, now: float) -> None:
    """Leave a sign of life; *now*: Unix seconds. Raises StoreError."""
    await store.set_note(NOTE, _written(now))


async def take_back(store: Store, beat_at: float) -> None:
    """Whoever left the sign at *beat_at* stops: it counts as an old one, unless another harvester left one since.

    Raises StoreError.
    """
    if await store.get_note(NOTE) == _written(beat_at):
        await store.set_note(NOTE, _written(beat_at - FRESH_SECONDS - 1))


async def last_beat(store: Store) -> float | None:
    """When the last sign was left (Unix seconds), None: never, or it cannot be read any more. Raises StoreError."""
    try:
        return float(await store.get_note(NOTE) or "")
    except ValueError:
        return None


async def is_missing(store: Store, now: float) -> bool:
    """Whether the last sign is too old, though one harvester runs: another one took its own back, or the store was
    brought back to what it held before. Raises StoreError.
    """
    return (await last_beat(store) or 0.0) < now - FRESH_SECONDS


def is_fresh(beat_at: float | None, now: float) -> bool:
    """Whether the harvester runs. A sign from later than *now* by as much as from before: the clock was set back."""
    return beat_at is not None and abs(now - beat_at) <= FRESH_SECONDS


def _written(moment: float) -> str:
    return f"{moment:.0f}"
