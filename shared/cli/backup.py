"""`freeaichat backup` and `freeaichat restore`: a copy of the store in one file, while everything may be running."""

import json
from pathlib import Path

import click

from shared.cli.failures import BadSettings, Failure, read_settings
from shared.store import StoreError, StoreUnavailable, store_url
from shared.store.sqlite.backup import TargetExists, back_up, restore

REPLACE = "to replace it, add --replace"


def make_backup(target: Path, *, replace: bool, as_json: bool) -> None:
    """Copy the store of the settings into *target*. Raises `BadSettings` and `Failure`."""
    store = _store_file()
    try:
        size = back_up(store, target.absolute(), replace=replace)
    except TargetExists as error:
        raise Failure(f"{error}; {REPLACE}") from error
    except StoreUnavailable as error:
        raise Failure(str(error)) from error
    except StoreError as error:
        raise BadSettings(str(error)) from error
    summary = f"{target}: {size / 1024:.0f} KiB, readable by you alone; it holds the guest's credentials"
    click.echo(json.dumps({"file": str(target), "bytes": size}) if as_json else summary)


def restore_backup(copy: Path, *, replace: bool, as_json: bool) -> None:
    """Bring the store of the settings to what *copy* holds. Raises `BadSettings` and `Failure`."""
    store = _store_file()
    try:
        restore(copy.absolute(), store, replace=replace)
    except TargetExists as error:
        raise Failure(f"{error}; {REPLACE} (a backup of it first is a good idea)") from error
    except StoreError as error:
        raise Failure(str(error)) from error
    summary = f"{store}: as it was in {copy}; running services go on with it"
    click.echo(json.dumps({"file": str(copy), "store": str(store)}) if as_json else summary)


def _store_file() -> Path:
    """The file of the settings' store. Raises `BadSettings` for a store that is no file."""
    if file := store_url.sqlite_path(read_settings().store_url):
        return file.absolute()
    raise BadSettings(
        "only a SQLite store is one file; a Redis server keeps its own copies: `redis-cli --rdb FILE` with its address "
        "fetches one, and a server started with `--appendonly no` that finds it as its dump.rdb has all of it back; "
        "`redis-cli config set appendonly yes` then keeps every change again"
    )
