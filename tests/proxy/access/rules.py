"""Access rules without keys in the store."""

from collections.abc import Sequence
from typing import cast

from proxy.access.keyring import Keyring
from proxy.access.rules import AccessRules
from shared.store import Store


def access(key: str | None = None, *, cors_origins: Sequence[str] = ()) -> AccessRules:
    """Access rules for this master key and an empty store."""
    keyring = Keyring(cast("Store", None), lambda: None)
    keyring.needs_key = False  # as it is once that store was read
    return AccessRules(keyring, key=key, cors_origins=cors_origins)
