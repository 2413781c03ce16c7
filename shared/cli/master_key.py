"""The master key, from the settings or its file."""

import shlex
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from shared.secrets import KEY_FILE, read_master_key
from shared.settings import Settings


@dataclass(frozen=True, slots=True)
class MasterKey:
    """The master key. `file`: where a generated one is stored; None: it is from the settings."""

    value: str = field(repr=False)
    file: Path | None = None

    @property
    def place(self) -> str:
        """Where the key is, as a text for users."""
        return str(self.file) if self.file else "the one that FREEAICHAT_API_KEY sets"

    @property
    def shell_word(self) -> str:
        """A shell word for the header with the key; a generated key is read from its file."""
        if self.file is None:
            return shlex.quote(f"Authorization: Bearer {self.value}")
        return f'"Authorization: Bearer $(cat {shlex.quote(str(self.file))})"'


def find_key(settings: Settings) -> MasterKey | None:
    """The master key under *settings*; None if there is none yet. Raises OSError."""
    if settings.api_key.value:
        return MasterKey(settings.api_key.value)
    value = read_master_key(settings.data_dir)
    return MasterKey(value, settings.data_dir / KEY_FILE) if value else None


def readable_key(settings: Settings) -> MasterKey | None:
    """As `find_key`; None also for a key that cannot be read, where others report that."""
    with suppress(OSError):
        return find_key(settings)
    return None


def is_key_needed(settings: Settings) -> bool:
    """Whether requests need a key while there are no API keys; with API keys they always do."""
    return not settings.is_loopback_bind or bool(settings.api_key.value)
