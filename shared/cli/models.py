"""`freeaichat models`: the models of the running proxy."""

import json
from typing import Any

import click

from shared.cli import text
from shared.cli.failures import Failure, describe, read_gateway, read_settings
from shared.cli.gateway import Gateway, GatewayError, models_in, preferred_model


def show(*, as_json: bool) -> None:
    """Print the models. Raises `Failure`."""
    listing = _fetch_models(read_gateway(read_settings()))
    if as_json:
        click.echo(json.dumps(listing, ensure_ascii=False))
        return
    models = models_in(listing)
    has_several = len({model.get("site") for model in models}) > 1
    rows = [
        (
            str(model["id"]),
            text.sanitized(str(model.get("name") or "")),
            f"→ {model['alias_of']}" if model.get("alias_of") else "",
            str(model.get("site") or "") if has_several else "",
            _remarks(model),
        )
        for model in models
    ]
    for line in text.table(rows, indent=""):
        click.echo(line)


def _remarks(model: dict[str, Any]) -> str:
    """Remarks on *model* for users who choose one."""
    remarks = [] if model.get("discovered", True) else ["not shown by the page"]
    if model.get("state", "ready") != "ready":  # as the API's description has it
        remarks.append(str(model["state"]))
    return click.style(", ".join(remarks), fg="yellow") if remarks else ""


def default_model(gateway: Gateway) -> str:
    """The first model that the page shows, else the first of all. Raises `Failure`."""
    name = preferred_model(models_in(_fetch_models(gateway)))
    if name is None:
        raise Failure("the proxy knows no model yet; `freeaichat status` shows what the visits meet")
    return name


def model_names(gateway: Gateway) -> list[str]:
    """The names of all models. Raises `Failure`."""
    return [str(model["id"]) for model in models_in(_fetch_models(gateway))]


def _fetch_models(gateway: Gateway) -> dict[str, Any]:
    try:
        return gateway.fetch("/v1/models")
    except GatewayError as error:
        raise Failure(describe(error)) from error
