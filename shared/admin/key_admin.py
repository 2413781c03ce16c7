"""Creating, revoking and rotating API keys, for the command line and for the admin API."""

from shared.admin.keys import MAX_KEYS, ApiKey, NewKey, digest, hint, new_key, new_secret
from shared.store import Store


class NoSuchKey(LookupError):
    """No key has that id or name."""


class KeyUnavailable(Exception):
    """The key cannot be created or rotated; the message says why and what to do."""


async def create(store: Store, options: NewKey, *, now: float) -> tuple[str, ApiKey]:
    """Create a key; returns its secret, which is not stored, and the record that is. Raises `KeyUnavailable`."""
    if len(await store.keys()) >= MAX_KEYS:
        raise KeyUnavailable(f"{MAX_KEYS} keys were made already")
    secret, key = new_key(await store.key_secret(), options, now=now)
    if not await store.add_key(key):
        raise KeyUnavailable(f"a key named {options.name!r} exists; revoke it, or choose another name")
    return secret, key


async def revoke(store: Store, name_or_id: str, *, now: float) -> ApiKey:
    """Revoke the key with that name or id, if it is not revoked yet. Raises `NoSuchKey`."""
    key = await _find(store, name_or_id)
    await store.revoke_key(key.id, at=now)
    return await _find(store, key.id)


async def rotate(store: Store, name_or_id: str, *, now: float) -> tuple[str, ApiKey]:
    """Replace the secret of a key; the old one stops working at once. Raises `NoSuchKey` and `KeyUnavailable`."""
    key = await _find(store, name_or_id)
    problem = key.problem(now)
    secret = new_secret()
    update = {"digest": digest(await store.key_secret(), secret), "hint": hint(secret)}
    if problem or not await store.rotate_key(key.id, **update):
        raise KeyUnavailable(f"the key {key.name!r} {problem or 'was revoked'}; make a new one instead")
    return secret, await _find(store, key.id)


async def _find(store: Store, name_or_id: str) -> ApiKey:
    """The newest key with that id or name; one that was not revoked comes before those that were."""
    matches = [key for key in await store.keys() if name_or_id in (key.id, key.name)]
    if not matches:
        raise NoSuchKey(f"no key has the name or id {name_or_id!r}")
    return next((key for key in matches if key.revoked_at is None), matches[0])
