"""The memory limit of a visit, since a page may allocate without end."""

import asyncio

import psutil

MAX_BYTES = 1_500_000_000  # of the visit's process, the driver and the browser; an ordinary page takes 350 MB
LOOK_SECONDS = 0.2  # between two measurements; a page allocates about 1 GB/s


async def wait_for_excess(root: psutil.Process | None) -> int:
    """Wait until the process tree of *root* uses more than `MAX_BYTES`; returns the bytes in use."""
    while True:
        used = await asyncio.to_thread(_used, root)
        if used > MAX_BYTES:
            return used
        await asyncio.sleep(LOOK_SECONDS)


def _used(root: psutil.Process | None) -> int:
    """Bytes in use. Shared memory counts once, but is only measured where it could matter."""
    if root is None:
        return 0
    try:
        family = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    resident = sum(map(_resident, family))
    return resident if resident <= MAX_BYTES else sum(map(_proportional, family))


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:  # gone meanwhile
        return 0


def _proportional(process: psutil.Process) -> int:
    """The resident memory of *process*, with shared pages divided among their users where the system tells (Linux)."""
    try:
        return int(getattr(process.memory_full_info(), "pss", 0)) or _resident(process)
    except psutil.Error:
        return _resident(process)
