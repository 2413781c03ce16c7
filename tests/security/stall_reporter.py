"""`python -m tests.security.stall_reporter`: the proxy, which prints how long its event loop was blocked.

The time is the processor's, of all threads together: what waits for a busy machine is no stall, what waits for a
thread that holds the interpreter is one.
"""

import asyncio
import sys
from time import process_time

import proxy.service
from proxy.__main__ import main
from shared.settings import Settings

TICK_SECONDS = 0.001
REPORT_SECONDS = 0.005
serve = proxy.service._serve


async def watched(settings: Settings, worker: int) -> int:
    """Serve, and report each stall."""
    watching = asyncio.create_task(watch())
    try:
        return await serve(settings, worker)
    finally:
        watching.cancel()


async def watch() -> None:
    """Print each stall in milliseconds."""
    while True:
        before = process_time()
        await asyncio.sleep(TICK_SECONDS)
        if (stall := process_time() - before) > REPORT_SECONDS:
            print(f"stalled {stall * 1000:.1f}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    proxy.service._serve = watched
    sys.exit(main(sys.argv[1:]))
