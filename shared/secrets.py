"""Making, keeping and masking secrets."""

import errno
import fcntl
import os
import secrets
import stat
from dataclasses import dataclass, field
from pathlib import Path

KEY_FILE = "master.key"
OWN_FILES = ("freeaichat.", "chat.last", "chat.history")  # what the names of others in the data directory begin with


@dataclass(frozen=True, slots=True)
class Secret:
    """A text that is kept out of `repr` and `str`, so that no log line shows it."""

    value: str = field(default="", repr=False)


def mask(secret: str) -> str:
    """A prefix of *secret* for telling two apart (at most a third, at most four characters), and its length."""
    shown = secret[: min(4, len(secret) // 3)]
    return f"{shown}… ({len(secret)} characters)" if secret else "none"


def private_dir(path: Path) -> Path:
    """Make *path* a directory only its owner can enter (mode 0700), and return it. Raises OSError.

    A directory that is there for everybody (sticky, as /tmp is), belongs to another user, or holds others' files and
    none of ours (as /srv may) keeps its mode.
    """
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = path.stat()
    is_open = status.st_mode & 0o077 and not status.st_mode & stat.S_ISVTX
    if is_open and status.st_uid == os.getuid() and is_ours(path):
        path.chmod(0o700)
    return path


def is_ours(directory: Path) -> bool:
    """Whether it holds something of this program, or nothing yet."""
    names = {each.name for each in directory.iterdir()} - {"lost+found"}
    return not names or KEY_FILE in names or any(name.startswith(OWN_FILES) for name in names)


def ensure_master_key(data_dir: Path) -> tuple[str, bool]:
    """The key kept in *data_dir*, and whether it was made just now. Raises OSError.

    Processes that ask at once get the same key, of which one made it.
    """
    kept = read_master_key(private_dir(data_dir))
    return (kept, False) if kept is not None else ensure_secret(data_dir / KEY_FILE, prefix="sk-")


def ensure_secret(path: Path, *, prefix: str = "") -> tuple[str, bool]:
    """The secret kept in the file *path* (mode 0600), and whether it was made just now. Raises OSError."""
    kept = _read(path)
    if kept is not None:
        return kept, False
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "r+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        kept = file.read().strip()
        if kept:
            return kept, False
        secret = prefix + secrets.token_urlsafe(32)
        file.write(secret + "\n")
        return secret, True


def read_master_key(data_dir: Path) -> str | None:
    """The key kept in *data_dir*, if one was made. Raises OSError, also for one that no header can carry."""
    path = data_dir / KEY_FILE
    kept = _read(path)
    if kept is not None and not kept.isprintable():
        raise OSError(errno.EINVAL, "it holds more than one line of text", str(path))
    return kept


def _read(path: Path) -> str | None:
    try:
        return path.read_text("utf-8").strip() or None
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        raise OSError(errno.EINVAL, "it holds no text", str(path)) from None
