"""`freeaichat keys`. Works on the store itself, whether a proxy runs or not."""

import json
from collections.abc import Awaitable, Callable, Mapping
from time import time
from typing import TypeVar

import click

from shared.admin import key_admin, wire
from shared.admin.keys import ApiKey, parse_new_key
from shared.cli import text
from shared.cli.failures import Failure, provide_key, read_settings, run_with_store
from shared.settings import Settings
from shared.store import Store

T = TypeVar("T")


def create(options: Mapping[str, object], *, as_json: bool) -> None:
    """Make a key and show it; *options* as of `parse_new_key`. Raises `Failure`."""
    settings = read_settings()
    try:
        new_key = parse_new_key(**options)
    except ValueError as error:
        raise Failure(str(error)) from error
    master_key, _ = provide_key(settings)  # first: once there is a key, every request needs one
    secret, key = _with_key_store(settings, lambda store: key_admin.create(store, new_key, now=time()))
    _print_secret(secret, key, as_json=as_json)
    click.echo(f"every request needs a key now; the administrator's is {master_key.place}", err=True)


def show(*, as_json: bool) -> None:
    """Print all keys. Raises `Failure`."""
    keys = run_with_store(read_settings(), lambda store: store.keys())
    if as_json:
        click.echo(json.dumps(wire.key_list(keys), ensure_ascii=False))
        return
    if not keys:
        click.echo("no key was made yet; `freeaichat keys create --name NAME` makes one")
    now = time()
    for line in text.table([_row(key, now) for key in keys], indent=""):
        click.echo(line)


def revoke(name_or_id: str, *, as_json: bool) -> None:
    """End a key. Raises `Failure`."""
    key = _with_key_store(read_settings(), lambda store: key_admin.revoke(store, name_or_id, now=time()))
    summary = f"{key.name}: revoked; it stops working within a second"
    click.echo(json.dumps(wire.key_object(key), ensure_ascii=False) if as_json else summary)


def rotate(name_or_id: str, *, as_json: bool) -> None:
    """Give a key a new secret and show it. Raises `Failure`."""
    secret, key = _with_key_store(read_settings(), lambda store: key_admin.rotate(store, name_or_id, now=time()))
    _print_secret(secret, key, as_json=as_json)


def _with_key_store(settings: Settings, work: Callable[[Store], Awaitable[T]]) -> T:
    """As `run_with_store`, with the exceptions of `key_admin` as `Failure`."""
    try:
        return run_with_store(settings, work)
    except (key_admin.NoSuchKey, key_admin.KeyUnavailable) as error:
        raise Failure(str(error.args[0])) from error


def _print_secret(secret: str, key: ApiKey, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({**wire.key_object(key), "key": secret}, ensure_ascii=False))
        return
    click.echo(click.style(secret, bold=True))
    click.echo(f"{key.name} ({key.id}); shown this once", err=True)


def _row(key: ApiKey, now: float) -> tuple[str, ...]:
    problem = key.problem(now)
    ends = "" if key.expires_at is None else f"ends in {text.duration(key.expires_at - now)}"
    limits = [f"{limit} {unit}" for limit, unit in ((key.rpm, "rpm"), (key.tpd, "tpd")) if limit is not None]
    return (
        key.name,
        key.id,
        key.hint,
        click.style(problem, fg="red") if problem else click.style("works", fg="green"),
        "" if problem else ends,
        ", ".join(limits) or "no limit",
        ",".join(key.models) if key.models is not None else "all models",
        "never used" if key.last_used_at is None else f"used {text.ago(key.last_used_at, now)}",
    )
