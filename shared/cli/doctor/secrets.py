"""Collecting the secrets in settings, files and store, and redacting them in a bundle."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from urllib.parse import quote, unquote, urlsplit

from shared.logs import REDACTED, redact
from shared.models import MIN_SECRET_LENGTH
from shared.secrets import Secret
from shared.settings import NAMES, Settings
from shared.store import Store, store_url

_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


def settings_secrets(settings: Settings) -> Iterator[str]:
    """Yield the secrets in the settings, in files beside the store, and in the proxy URLs of the environment."""
    for name in NAMES:
        yield from _secrets_in(getattr(settings, name))
    yield from _passwords_in(settings.store_url)
    file = store_url.sqlite_path(settings.store_url)
    with suppress(OSError):  # a directory that cannot be asked for
        for kept in file.parent.glob("*.secret") if file is not None else ():
            with suppress(OSError):  # an unreadable file gets into no bundle
                yield kept.read_text("utf-8", "replace").strip()
    for name in _PROXIES:
        for each in (name, name.lower()):
            yield from _passwords_in(os.environ.get(each, ""))


async def store_secrets(store: Store, settings: Settings) -> list[str]:
    """The secrets of the guests in *store*. Raises StoreError."""
    found: list[str] = []
    for site in settings.sites:
        state = await store.site_state(site.origin)
        for credentials in (state.current, state.last_good) if state else ():
            found += credentials.secrets if credentials else ()
    return found


def redact_text(text: str, secrets: Iterable[str]) -> str:
    """Redact each of *secrets* in *text*, URL-encoded ones too, and whatever else looks like one."""
    written = {form for secret in secrets for form in (secret, quote(secret, safe=""))}
    for form in sorted(written, key=len, reverse=True):
        if len(form) >= MIN_SECRET_LENGTH:
            text = text.replace(form, REDACTED)
    return "\n".join(map(redact, text.split("\n")))


def redact_json(value: object, secrets: Sequence[str]) -> object:
    """Redact every string in a JSON value."""
    if isinstance(value, Mapping):
        return {redact_text(str(name), secrets): redact_json(each, secrets) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [redact_json(each, secrets) for each in value]
    return redact_text(value, secrets) if isinstance(value, str) else value


def _secrets_in(value: object) -> Iterator[str]:
    if isinstance(value, Secret):
        yield value.value
        yield from (pair.partition("=")[2].strip() for pair in value.value.split(";"))  # of a cookie
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _secrets_in(each)
    elif isinstance(value, list | tuple | set | frozenset):
        for each in value:
            yield from _secrets_in(each)


def _passwords_in(url: str) -> Iterator[str]:
    try:
        password = urlsplit(url).password
    except ValueError:
        return
    if password:
        yield password
        yield unquote(password)
