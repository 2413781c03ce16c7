"""The rules of access where no keys were made."""

from collections.abc import Sequence
from typing import cast

from proxy.access.keyring import Keyring
from proxy.access.rules import AccessRules
from shared.store import Store


def access(key: str | None = None, *, cors_origins: Sequence[str] = ()) -> AccessRules:
    """Those for this master key, with a store that holds no other."""
    keyring = Keyring(cast("Store", None), lambda: None)
    keyring.needs_key = False  # as it is once that store was read
    return AccessRules(keyring, key=key, cors_origins=cors_origins)
