"""A process of its own that works on a store: `python -m tests.shared.store_process JOB URL NAME SECONDS [START]`.

It prints a line after each call that the store has acknowledged. START, in Unix seconds, is when it opens the store.
"""

import asyncio
import sys
from time import monotonic, time

from shared.store import StaleWrite, Store, open_store
from tests.shared.samples import SITE, turn


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


JOBS = {job.__name__: job for job in (append_turns, renew_nonces, print_nonces, leave_a_note)}


async def main(job: str, url: str, name: str, seconds: str, start: str = "0") -> None:
    await asyncio.sleep(float(start) - time())
    async with open_store(url) as store:
        await JOBS[job](store, name, float(seconds))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
