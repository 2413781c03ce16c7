"""`freeaichat models`: what the running proxy offers."""

import json
from typing import Any

import click

from shared.cli import text
from shared.cli.failures import Failure, read_gateway, read_settings, told
from shared.cli.gateway import Gateway, GatewayError, listed, preferred_model


def show(*, as_json: bool) -> None:
    """Print the models. Raises `Failure`."""
    answer = _answer(read_gateway(read_settings()))
    if as_json:
        click.echo(json.dumps(answer, ensure_ascii=False))
        return
    models = listed(answer)
    has_several = len({model.get("site") for model in models}) > 1
    rows = [
        (
            str(model["id"]),
            text.harmless(str(model.get("name") or "")),
            f"→ {model['alias_of']}" if model.get("alias_of") else "",
            str(model.get("site") or "") if has_several else "",
            _remarks(model),
        )
        for model in models
    ]
    for line in text.table(rows, indent=""):
        click.echo(line)


def _remarks(model: dict[str, Any]) -> str:
    """What a person should know before they choose *model*."""
    remarks = [] if model.get("discovered", True) else ["not shown by the page"]
    if model.get("state", "ready") != "ready":  # as the API's description has it
        remarks.append(str(model["state"]))
    return click.style(", ".join(remarks), fg="yellow") if remarks else ""


def default_model(gateway: Gateway) -> str:
    """The first model that the page shows, else the first of all. Raises `Failure`."""
    name = preferred_model(listed(_answer(gateway)))
    if name is None:
        raise Failure("the proxy knows no model yet; `freeaichat status` shows what the visits meet")
    return name


def model_names(gateway: Gateway) -> list[str]:
    """All that can be asked for. Raises `Failure`."""
    return [str(model["id"]) for model in listed(_answer(gateway))]


def _answer(gateway: Gateway) -> dict[str, Any]:
    try:
        return gateway.fetch("/v1/models")
    except GatewayError as error:
        raise Failure(told(error)) from error
