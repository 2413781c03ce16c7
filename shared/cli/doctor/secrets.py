"""Every secret that settings, files and store of this machine hold, so that none gets into what is given away."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from urllib.parse import quote, unquote, urlsplit

from shared.logs import BLOT, redact
from shared.models import SHORTEST_SECRET
from shared.secrets import Secret
from shared.settings import NAMES, Settings
from shared.store import Store, address

_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


def of_settings(settings: Settings) -> Iterator[str]:
    """The secrets among the settings, in the files beside the store, and in the environment's addresses of proxies."""
    for name in NAMES:
        yield from _within(getattr(settings, name))
    yield from _of_url(settings.store_url)
    file = address.sqlite_path(settings.store_url)
    with suppress(OSError):  # a directory that cannot be asked for
        for kept in file.parent.glob("*.secret") if file is not None else ():
            with suppress(OSError):  # what cannot be read gets into nothing, and hides no other
                yield kept.read_text("utf-8", "replace").strip()
    for name in _PROXIES:
        for each in (name, name.lower()):
            yield from _of_url(os.environ.get(each, ""))


async def of_store(store: Store, settings: Settings) -> list[str]:
    """The secrets of the guests in *store*. Raises StoreError."""
    found: list[str] = []
    for site in settings.sites:
        state = await store.site_state(site.origin)
        for credentials in (state.current, state.last_good) if state else ():
            found += credentials.secrets if credentials else ()
    return found


def without(text: str, secrets: Iterable[str]) -> str:
    """*text* with each of *secrets* blotted out, however it is written, and whatever else looks like one."""
    written = {form for secret in secrets for form in (secret, quote(secret, safe=""))}
    for form in sorted(written, key=len, reverse=True):
        if len(form) >= SHORTEST_SECRET:
            text = text.replace(form, BLOT)
    return "\n".join(map(redact, text.split("\n")))


def all_without(value: object, secrets: Sequence[str]) -> object:
    """*value*, made of what JSON knows, with every text in it `without` them."""
    if isinstance(value, Mapping):
        return {without(str(name), secrets): all_without(each, secrets) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [all_without(each, secrets) for each in value]
    return without(value, secrets) if isinstance(value, str) else value


def _within(value: object) -> Iterator[str]:
    if isinstance(value, Secret):
        yield value.value
        yield from (pair.partition("=")[2].strip() for pair in value.value.split(";"))  # of a cookie
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _within(each)
    elif isinstance(value, list | tuple | set | frozenset):
        for each in value:
            yield from _within(each)


def _of_url(url: str) -> Iterator[str]:
    try:
        password = urlsplit(url).password
    except ValueError:
        return
    if password:
        yield password
        yield unquote(password)
