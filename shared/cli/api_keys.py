"""`freeaichat keys`: works on the store itself, whether a proxy runs or not."""

import json
from collections.abc import Awaitable, Callable, Mapping
from time import time
from typing import TypeVar

import click

from shared.admin import key_desk, wire
from shared.admin.keys import ApiKey, wish
from shared.cli import text
from shared.cli.failures import Failure, provide_key, read_settings, with_store
from shared.settings import Settings
from shared.store import Store

T = TypeVar("T")


def create(options: Mapping[str, object], *, as_json: bool) -> None:
    """Make a key and show it; *options* as of `wish`. Raises `Failure`."""
    settings = read_settings()
    try:
        wanted = wish(**options)
    except ValueError as error:
        raise Failure(str(error)) from error
    administrators, _ = provide_key(settings)  # first: from the first key on, nobody comes in without one
    own, key = _at_desk(settings, lambda store: key_desk.create(store, wanted, now=time()))
    _print_secret(own, key, as_json=as_json)
    click.echo(f"every request needs a key now; the administrator's is {administrators.place}", err=True)


def show(*, as_json: bool) -> None:
    """Print all keys. Raises `Failure`."""
    keys = with_store(read_settings(), lambda store: store.keys())
    if as_json:
        click.echo(json.dumps(wire.key_list(keys), ensure_ascii=False))
        return
    if not keys:
        click.echo("no key was made yet; `freeaichat keys create --name NAME` makes one")
    now = time()
    for line in text.table([_row(key, now) for key in keys], indent=""):
        click.echo(line)


def revoke(wanted: str, *, as_json: bool) -> None:
    """End a key. Raises `Failure`."""
    key = _at_desk(read_settings(), lambda store: key_desk.revoke(store, wanted, now=time()))
    told = f"{key.name}: revoked; it stops working within a second"
    click.echo(json.dumps(wire.key_object(key), ensure_ascii=False) if as_json else told)


def rotate(wanted: str, *, as_json: bool) -> None:
    """Give a key a new secret and show it. Raises `Failure`."""
    own, key = _at_desk(read_settings(), lambda store: key_desk.rotate(store, wanted, now=time()))
    _print_secret(own, key, as_json=as_json)


def _at_desk(settings: Settings, work: Callable[[Store], Awaitable[T]]) -> T:
    """As `with_store`; raises `Failure` where there is no such key, or it cannot be done."""
    try:
        return with_store(settings, work)
    except (key_desk.NoSuchKey, key_desk.KeyRefused) as error:
        raise Failure(str(error.args[0])) from error


def _print_secret(own: str, key: ApiKey, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({**wire.key_object(key), "key": own}, ensure_ascii=False))
        return
    click.echo(click.style(own, bold=True))
    click.echo(f"{key.name} ({key.id}); shown this once", err=True)


def _row(key: ApiKey, now: float) -> tuple[str, ...]:
    trouble = key.trouble(now)
    ends = "" if key.expires_at is None else f"ends in {text.duration(key.expires_at - now)}"
    limits = [f"{limit} {unit}" for limit, unit in ((key.rpm, "rpm"), (key.tpd, "tpd")) if limit is not None]
    return (
        key.name,
        key.id,
        key.hint,
        click.style(trouble, fg="red") if trouble else click.style("works", fg="green"),
        "" if trouble else ends,
        ", ".join(limits) or "no limit",
        ",".join(key.models) if key.models is not None else "all models",
        "never used" if key.last_used_at is None else f"used {text.ago(key.last_used_at, now)}",
    )
