"""Directories and locks of visits, by which the next start cleans up after a killed one.

All are in one private directory below the system's temporary directory, named after the user and the store. Each visit
has a directory of its own there, with the browser's temporary profile. A site's lock is the system's own (flock), which
is released when the process that holds it ends.
"""

import fcntl
import hashlib
import os
import secrets
import shutil
import socket
import stat
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from harvester.process_trees import kill_process_tree

_ATTEMPTS = 100  # another process may remove what was just made, but hardly ever twice in a row


class WorkspaceError(Exception):
    """The temporary directory cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to visit one site from this machine."""

    holder: str  # the same for all claims through this workspace: a restarted harvester takes over at once
    directory: Path  # of the visit
    leftovers: tuple[Path, ...]  # directories of earlier visits of the site, which were all killed

    def sweep(self) -> None:
        """Kill the processes of earlier visits and remove their directories. Blocks."""
        for directory in self.leftovers:
            _clear(directory)

    def clear(self) -> None:
        """Kill the processes of the visit and remove its directory. Blocks."""
        _clear(self.directory)


class Workspace:
    """The private directory of all harvesters that use one store, as one user, on this machine."""

    def __init__(self, store_url: str) -> None:
        digest = hashlib.sha256(os.fsencode(store_url)).hexdigest()[:8]
        self._name = f"freeaichat-{os.geteuid()}-{digest}"

    @cached_property
    def path(self) -> Path:
        """The directory, which need not exist. Raises `WorkspaceError` where no temporary directory can be used."""
        try:
            return Path(tempfile.gettempdir()).resolve() / self._name
        except FileNotFoundError as error:
            reason = "no temporary directory can be written to; free some space, or set TMPDIR to another directory"
            raise WorkspaceError(reason) from error

    @cached_property
    def _holder(self) -> str:
        # Names and paths may be alike on two machines, or in two containers, that share a store.
        status = self.path.parent.stat()
        # Names of any bytes are names.
        return ascii(f"{socket.gethostname()}:{_boot_id()}:{status.st_dev}:{status.st_ino}:{self.path}")

    def claim(self, site: str) -> AbstractContextManager[Claim | None]:
        """Claim *site*, or None while another process has it. Entering it raises `WorkspaceError`."""
        return self._claim(hashlib.sha256(site.encode()).hexdigest()[:8])

    def sweep(self) -> None:
        """Clean up after killed visits of all sites that are not being visited now.

        Blocks. Raises `WorkspaceError`.
        """
        visited = {path.name.split("-")[1] for path in self.path.glob("visit-*-*")}
        for name in visited | {path.stem for path in self.path.glob("*.lock")}:
            with self._claim(name) as claim:
                if claim is not None:
                    claim.sweep()

    @contextmanager
    def _claim(self, name: str) -> Iterator[Claim | None]:
        lock = self._lock(f"{name}.lock")
        if lock is None:
            yield None
            return
        try:
            leftovers = tuple(self.path.glob(f"visit-{name}-*"))
            yield Claim(self._holder, self.path / f"visit-{name}-{secrets.token_hex(3)}", leftovers)
        finally:
            with suppress(OSError):  # a leftover lock file does no harm
                (self.path / f"{name}.lock").unlink()
            os.close(lock)
            with suppress(OSError):  # others are still using it
                self.path.rmdir()

    def _lock(self, name: str) -> int | None:
        """An open descriptor that holds the lock *name*, or None while another process holds it."""
        for _ in range(_ATTEMPTS):
            path = self.path / name
            try:
                self._make()
                descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            except FileNotFoundError:  # the directory was removed just now
                continue
            except OSError as error:
                raise WorkspaceError(f"{path} cannot be made: {error.strerror}") from error
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.fstat(descriptor).st_ino == path.stat().st_ino:
                    return descriptor
            except BlockingIOError:
                os.close(descriptor)
                return None
            except FileNotFoundError:  # its holder removed it; a lock on it would lock nothing
                pass
            except OSError as error:  # some file systems have no locks
                os.close(descriptor)
                raise WorkspaceError(f"{path} cannot be locked: {error.strerror}") from error
            os.close(descriptor)
        raise WorkspaceError(f"{self.path} keeps disappearing; something removes it")

    def _make(self) -> None:
        """Create the directory. Raises FileNotFoundError where another process removes it at this moment."""
        try:
            with suppress(FileExistsError):
                self.path.mkdir(mode=0o700)
            found = self.path.lstat()
        except FileNotFoundError:
            raise
        except OSError as error:
            raise WorkspaceError(f"{self.path} cannot be made: {error.strerror}") from error
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
            raise WorkspaceError(f"{self.path} is not ours alone; remove it, or set TMPDIR to another directory")


def _boot_id() -> str:
    """The id of this boot of this machine; "" where the system has none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return ""


def _clear(directory: Path) -> None:
    kill_process_tree(directory)
    shutil.rmtree(directory, ignore_errors=True)
