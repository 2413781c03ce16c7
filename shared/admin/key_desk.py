"""Making, listing and ending API keys: what the command line and the administrator's HTTP API both do."""

from shared.admin.keys import MAX_KEYS, ApiKey, KeyWish, digest, find, hint, new_key, new_secret
from shared.store import Store


class NoSuchKey(LookupError):
    """No key has that id or name."""


class KeyRefused(Exception):
    """It cannot be done; the text says why and what to do."""


async def create(store: Store, wanted: KeyWish, *, now: float) -> tuple[str, ApiKey]:
    """Make a key: its secret, which is told only now, and what is kept of it. Raises `KeyRefused`."""
    if len(await store.keys()) >= MAX_KEYS:
        raise KeyRefused(f"{MAX_KEYS} keys were made already")
    own, key = new_key(await store.key_secret(), wanted, now=now)
    if not await store.add_key(key):
        raise KeyRefused(f"a key named {wanted.name!r} exists; revoke it, or choose another name")
    return own, key


async def revoke(store: Store, wanted: str, *, now: float) -> ApiKey:
    """End the key of that id or name; what was revoked before stays so. Raises `NoSuchKey`."""
    key = await _found(store, wanted)
    await store.revoke_key(key.id, at=now)
    return await _found(store, key.id)


async def rotate(store: Store, wanted: str, *, now: float) -> tuple[str, ApiKey]:
    """Give the key a new secret; the old one ends at once. Raises `NoSuchKey` and `KeyRefused`."""
    key = await _found(store, wanted)
    trouble = key.trouble(now)
    own = new_secret()
    replacing = {"digest": digest(await store.key_secret(), own), "hint": hint(own)}
    if trouble or not await store.rotate_key(key.id, **replacing):
        raise KeyRefused(f"the key {key.name!r} {trouble or 'was revoked'}; make a new one instead")
    return own, await _found(store, key.id)


async def _found(store: Store, wanted: str) -> ApiKey:
    key = find(await store.keys(), wanted)
    if key is None:
        raise NoSuchKey(f"no key has the name or id {wanted!r}")
    return key
