"""Storing a capture while others store too."""

import asyncio
from pathlib import Path

import pytest

from harvester.service.saving import retry_unavailable, save_capture
from shared.models import Capture, Credentials
from shared.store import Store, StoreUnavailable
from tests.shared.samples import SITE, capture


async def test_the_first_capture_is_stored(store: Store) -> None:
    stored = await save_capture(store, capture("first"), base=None)

    assert stored is not None
    assert stored.generation == 1


async def test_a_nonce_renewed_meanwhile_is_replaced_with_the_capture_it_belongs_to(store: Store) -> None:
    base = await store.save_capture(capture("first", at=100), base=0)
    for number in range(3):
        await store.save_nonce(SITE, f"renewed-{number}", checked_at=150 + number, base=base.generation + number)

    stored = await save_capture(store, capture("second", at=200), base=base)

    assert stored is not None
    assert (stored.nonce, stored.generation) == ("second", 5)


async def test_a_newer_capture_of_somebody_else_stands(store: Store) -> None:
    base = await store.save_capture(capture("first", at=100), base=0)
    await store.save_capture(capture("theirs", at=150), base=base.generation)

    stored = await save_capture(store, capture("ours", at=200), base=base)

    assert stored is not None
    assert stored.nonce == "theirs"
    assert (await store.site_state(SITE)).current.nonce == "theirs"  # type: ignore[union-attr]


async def test_a_first_capture_of_somebody_else_stands(store: Store) -> None:
    await store.save_capture(capture("theirs"), base=0)

    stored = await save_capture(store, capture("ours"), base=None)

    assert stored is not None
    assert stored.nonce == "theirs"


async def test_a_stored_capture_whose_answer_was_lost_counts_as_ours(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As where a server that keeps the store hangs for a while, and then does all that it was asked for."""
    save = store.save_capture

    async def unanswered(capture: Capture, *, base: int) -> Credentials:
        monkeypatch.setattr(store, "save_capture", save)
        await save(capture, base=base)
        raise StoreUnavailable("it does not answer in time")

    monkeypatch.setattr(store, "save_capture", unanswered)

    stored = await save_capture(store, capture("ours", at=200), base=None)

    assert stored is not None
    assert (stored.nonce, stored.generation) == ("ours", 1)
    assert caplog.records == []


async def test_a_store_that_is_away_for_a_moment_is_waited_for() -> None:
    failures = [StoreUnavailable("busy"), StoreUnavailable("busy")]

    async def call() -> str:
        await asyncio.sleep(0)
        if failures:
            raise failures.pop()
        return "done"

    assert await retry_unavailable(call) == "done"


async def test_any_other_error_is_not_repeated(tmp_path: Path) -> None:
    calls = []

    async def call() -> None:
        calls.append(1)
        raise ValueError(str(tmp_path))

    with pytest.raises(ValueError, match="test_any"):
        await retry_unavailable(call)
    assert len(calls) == 1
