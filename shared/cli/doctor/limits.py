"""Checks of what the system allows: open files, memory, inodes."""

import os
import resource
from pathlib import Path

from shared.cli.doctor.check import Check, ok, warn

FILES_PER_REQUEST = 2  # the client's connection and the site's
OTHER_FILES = 64  # store, log, libraries
MIN_MEMORY_BYTES = 500 * 1024**2  # a browser on the chat page
MIN_INODES = 1000
CONTAINER_FILE = Path("/sys/fs/cgroup/memory.max")


def check_open_files(max_requests: int) -> Check:
    """Whether the limit of open files suffices for *max_requests* at once. The proxy raises its soft limit itself."""
    _, limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = max_requests * FILES_PER_REQUEST + OTHER_FILES
    if limit != resource.RLIM_INFINITY and limit < needed:
        fits = max((limit - OTHER_FILES) // FILES_PER_REQUEST, 1)
        advice = f"raise the hard limit (ulimit -Hn) to {needed}, or FREEAICHAT_MAX_REQUESTS={fits}"
        return warn("open files", f"{limit} allowed, {needed} needed for {max_requests} requests at once", advice)
    return ok("open files", f"enough for {max_requests} requests at once")


def check_memory(free: int, container_file: Path = CONTAINER_FILE) -> Check:
    """Whether the *free* bytes of memory, or what a container may use, suffice for a browser."""
    try:
        allowed = int(container_file.read_text())
    except (OSError, ValueError):  # not in a container, or all that there is
        allowed = free
    what = f"{free >> 20} MiB free" if free <= allowed else f"{allowed >> 20} MiB allowed to this container"
    if min(free, allowed) < MIN_MEMORY_BYTES:
        advice = f"end other programs, or add memory or swap: a visit needs about {MIN_MEMORY_BYTES >> 20} MiB"
        return warn("memory", what, advice)
    return ok("memory", what)


def check_inodes(directory: Path, least: int = MIN_INODES) -> Check:
    """Whether the file system of *directory* has free inodes; some do not count them."""
    place = next(path for path in (directory.absolute(), *directory.absolute().parents) if path.is_dir())
    counts = os.statvfs(place)
    if counts.f_files and counts.f_favail < least:
        return warn("inodes", f"{counts.f_favail} free in {place}", "remove files there; df -i shows where they are")
    return ok("inodes", "enough free")
