"""Making, keeping and masking secrets."""

import os
import secrets
from pathlib import Path

KEY_FILE = "master.key"


def mask(secret: str) -> str:
    """Enough of *secret* to tell two apart, too little to use: its first four characters and its length."""
    return f"{secret[:4]}… ({len(secret)} characters)" if secret else "none"


def private_dir(path: Path) -> Path:
    """Make *path* a directory only its owner can enter (mode 0700), and return it. Raises OSError."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.stat().st_mode & 0o077 and path.stat().st_uid == os.getuid():
        path.chmod(0o700)
    return path


def ensure_master_key(data_dir: Path) -> tuple[str, bool]:
    """The key kept in *data_dir*, and whether it was made just now. Raises OSError."""
    path = private_dir(data_dir) / KEY_FILE
    key = f"sk-{secrets.token_urlsafe(32)}"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text("utf-8").strip(), False
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(key + "\n")
    return key, True


def read_master_key(data_dir: Path) -> str | None:
    """The key kept in *data_dir*, if one was made."""
    try:
        return (data_dir / KEY_FILE).read_text("utf-8").strip() or None
    except FileNotFoundError:
        return None
