"""Concurrent writers in any order never replace newer credentials."""

import asyncio
from dataclasses import dataclass
from uuid import uuid4

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.models import Credentials
from shared.store import StaleWrite, Store, open_store
from tests.shared.samples import capture


@dataclass(frozen=True)
class Look:
    """A writer notes the generation it sees, to write on top of it later."""

    writer: int


@dataclass(frozen=True)
class Save:
    """A writer stores a capture, a nonce (of few values, so that some are not new) or a success."""

    writer: int
    kind: str
    value: int


WRITERS = st.integers(0, 3)
STEPS = st.lists(
    st.one_of(
        st.builds(Look, WRITERS),
        st.builds(Save, WRITERS, st.sampled_from(["capture", "nonce", "good"]), st.integers(0, 2)),
    ),
    max_size=30,
)


async def _save(store: Store, site: str, step: Save, base: int) -> Credentials | StaleWrite | None:
    nonce = f"{step.value:010d}"
    try:
        if step.kind == "capture":
            return await store.save_capture(capture(nonce, site=site), base=base)
        if step.kind == "nonce":
            return await store.save_nonce(site, nonce, checked_at=1000.0, base=base)
    except StaleWrite as refused:
        return refused
    await store.mark_good(site, base)
    return None


async def _follow(store: Store, site: str, steps: list[Look | Save]) -> None:
    seen = dict.fromkeys(range(4), 0)
    current: Credentials | None = None
    for step in steps:
        generation = current.generation if current else 0
        if isinstance(step, Look):
            seen[step.writer] = generation
            continue
        base = seen[step.writer]
        saved = await _save(store, site, step, base)
        if isinstance(saved, StaleWrite):
            assert base != generation or (current is None and step.kind == "nonce")
            assert saved.current == current
        elif saved is not None:
            assert base == generation
            is_known = current is not None and step.kind == "nonce" and current.nonce == saved.nonce
            assert saved.generation == generation + (0 if is_known else 1)
            current = saved
        state = await store.site_state(site)
        assert (state.current if state else None) == current
        assert not state or not state.last_good or state.last_good.generation <= state.current.generation


@given(steps=STEPS)
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_interleaving_lowers_the_generation_or_replaces_newer_credentials(
    store_url: str, steps: list[Look | Save]
) -> None:
    async def run() -> None:
        async with open_store(store_url) as store:
            await _follow(store, f"https://{uuid4().hex}.example", steps)  # examples share the file, not the site

    asyncio.run(run())
