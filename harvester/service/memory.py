"""A bound on the memory of a visit: a page may allocate without end, and must not take the machine with it."""

import asyncio

import psutil

MOST_BYTES = 1_500_000_000  # of the visit's process, the driver and the browser; an ordinary page takes 350 MB
LOOK_SECONDS = 0.2  # between two looks; a page allocates about 1 GB/s


async def outgrown(root: psutil.Process | None) -> int:
    """Wait until process *root* and all below it use more than `MOST_BYTES`; how many bytes they use then."""
    while True:
        used = await asyncio.to_thread(_used, root)
        if used > MOST_BYTES:
            return used
        await asyncio.sleep(LOOK_SECONDS)


def _used(root: psutil.Process | None) -> int:
    """Bytes in use. What several share counts once, but that is only looked at where it could matter."""
    if root is None:
        return 0
    try:
        family = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    resident = sum(map(_resident, family))
    return resident if resident <= MOST_BYTES else sum(map(_share, family))


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:  # gone meanwhile
        return 0


def _share(process: psutil.Process) -> int:
    """The resident memory of *process*, with shared pages divided among their users where the system tells (Linux)."""
    try:
        return int(getattr(process.memory_full_info(), "pss", 0)) or _resident(process)
    except psutil.Error:
        return _resident(process)
