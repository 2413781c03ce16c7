"""The harvester's heartbeat."""

import pytest

from shared.processes.heartbeat import EVERY_SECONDS, NOTE, Heartbeat, beat, is_missing, last_beat, withdraw
from shared.store import Store

NOW = 1_000_000.0


@pytest.mark.parametrize(
    ("beat_at", "fresh"),
    [
        (NOW, True),
        (NOW - 3 * EVERY_SECONDS, True),
        (NOW - 120, False),  # health checks and `freeaichat status` are to tell within two minutes
        (NOW + 5, True),
        (NOW + 86400, False),  # the clock was set back by a day: the next heartbeat tells
    ],
)
def test_a_heartbeat_is_fresh_for_a_limited_time(beat_at: float, fresh: bool) -> None:
    assert Heartbeat(beat_at).is_fresh(NOW) is fresh


async def test_the_last_heartbeat_is_the_one_that_counts(store: Store) -> None:
    assert await last_beat(store) is None

    await beat(store, NOW)
    await beat(store, NOW + 30)

    assert await last_beat(store) == Heartbeat(NOW + 30)
    await store.set_note(NOTE, "damaged")
    assert await last_beat(store) is None


async def test_stopping_removes_only_its_own_heartbeat(store: Store) -> None:
    await beat(store, NOW)
    await beat(store, NOW + 30)

    await withdraw(store, NOW)
    assert await last_beat(store) == Heartbeat(NOW + 30)

    await withdraw(store, NOW + 30)
    last = Heartbeat(NOW + 30, is_last=True)
    assert await last_beat(store) == last  # what users are told is still when it was
    assert not last.is_fresh(NOW + 30)
    assert await is_missing(store, NOW + 30)  # another harvester, which runs, writes its own at once
