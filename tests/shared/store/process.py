"""A process of its own that works on a store: `python -m tests.shared.store.process JOB URL NAME SECONDS [START]`.

It prints a line after each call that the store has acknowledged. START, in Unix seconds, is when it opens the store.
"""

import asyncio
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from time import monotonic, time

from shared.store import StaleWrite, Store, open_store
from tests.shared.samples import SITE, capture, turn, visit


async def append_turns(store: Store, name: str, seconds: float) -> None:
    """Add turns to one conversation that other processes add to as well; prints the text of each."""
    end = monotonic() + seconds
    number = 0
    while monotonic() < end:
        text = f"{name}-{number}"
        assert await store.begin_turn("conv-1", text, at=1.0)
        await store.site_state(SITE)
        assert await store.commit_turn("conv-1", turn(text, text))
        print(text, flush=True)
        number += 1


async def renew_nonces(store: Store, name: str, seconds: float) -> None:
    """Store new nonces on top of whatever stands; prints the generation of each."""
    end = monotonic() + seconds
    number = 0
    while monotonic() < end:
        state = await store.site_state(SITE)
        assert state is not None
        number += 1
        try:
            saved = await store.save_nonce(
                SITE, f"{name}{number}", checked_at=float(number), base=state.current.generation
            )
        except StaleWrite:
            continue
        print(saved.generation, flush=True)


async def print_nonces(store: Store, _: str, seconds: float) -> None:
    """Print the current nonce at each change."""
    async with asyncio.timeout(seconds):
        async for _change in store.watch():
            state = await store.site_state(SITE)
            print(state.current.nonce if state else "none", flush=True)


async def leave_a_note(store: Store, name: str, _: float) -> None:
    """Leave a note under its name."""
    await store.set_note(name, "here")
    print(name, flush=True)


async def take_turns_to_visit(store: Store, directory: str, seconds: float) -> None:
    """Visit over and over, each visit alone at *directory*; prints the number of each."""
    holder, end = f"process {os.getpid()}", monotonic() + seconds
    number = 0
    while monotonic() < end:
        if not await store.begin_visit(SITE, holder, at=time(), ttl=10.0):
            await asyncio.sleep(0.001)
            continue
        with _alone_at(Path(directory)):
            await asyncio.sleep(0.002)
        await store.end_visit(replace(visit(number), id=f"{holder} {number}"), holder)
        print(number, flush=True)
        number += 1


@contextmanager
def _alone_at(directory: Path) -> Iterator[None]:
    """Raises FileExistsError where another process is there."""
    directory.mkdir()
    yield
    directory.rmdir()


async def visit_slowly(store: Store, nonce: str, seconds: float) -> None:
    """Begin a visit under a claim of *seconds*, and end it with a capture once a line is read."""
    assert await store.begin_visit(SITE, "slow", at=time(), ttl=seconds)
    print("begun", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    try:
        await store.save_capture(capture(nonce), base=0)
        print("stored", flush=True)
    except StaleWrite as stale:
        print(stale.current.nonce if stale.current else "none", flush=True)
    await store.end_visit(visit(1), "slow")
    print("ended", flush=True)


JOBS = {
    job.__name__: job
    for job in (append_turns, renew_nonces, print_nonces, leave_a_note, take_turns_to_visit, visit_slowly)
}


async def main(job: str, url: str, name: str, seconds: str, start: str = "0") -> None:
    await asyncio.sleep(float(start) - time())
    async with open_store(url) as store:
        await JOBS[job](store, name, float(seconds))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
