"""Which key the proxy asks for, and where it is."""

import shlex
from dataclasses import dataclass, field
from pathlib import Path

from shared.secrets import KEY_FILE, ensure_master_key, read_master_key
from shared.settings import Settings


@dataclass(frozen=True, slots=True)
class Key:
    """The master key. `file` is where our own one is kept; None: it stands in the settings."""

    value: str = field(repr=False)
    file: Path | None = None

    @property
    def place(self) -> str:
        """Where the key is, for people."""
        return str(self.file) if self.file else "the one that FREEAICHAT_API_KEY sets"

    @property
    def shell_word(self) -> str:
        """A shell word that stands for the header with the key; a kept key is read from its file when pasted."""
        if self.file is None:
            return shlex.quote(f"Authorization: Bearer {self.value}")
        return f'"Authorization: Bearer $(cat {shlex.quote(str(self.file))})"'


def find_key(settings: Settings) -> Key | None:
    """The master key under *settings*; None where none was made yet. Raises OSError."""
    if settings.api_key is not None and settings.api_key.value:
        return Key(settings.api_key.value)
    value = read_master_key(settings.data_dir)
    return Key(value, settings.data_dir / KEY_FILE) if value else None


def ensure_key(settings: Settings) -> tuple[Key, bool]:
    """As `find_key`, but makes and keeps one where there is none; whether it was made now. Raises OSError."""
    if (key := find_key(settings)) is not None:
        return key, False
    value, is_new = ensure_master_key(settings.data_dir)
    return Key(value, settings.data_dir / KEY_FILE), is_new


def is_key_needed(settings: Settings) -> bool:
    """Whether a key is asked for while none was made for others; from the first of those on, it always is."""
    return not settings.is_loopback_bind or bool(settings.api_key and settings.api_key.value)
