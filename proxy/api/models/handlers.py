"""`/v1/models`: answered from what the store holds, without touching a site. In the shape of Anthropic's API for its
clients, which say which version of that they speak."""

from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import web

from proxy.api.app_keys import CALLER, CHAT, SETTINGS
from proxy.api.messages.errors import VERSION_HEADER
from proxy.api.messages.models import model_info, model_page
from proxy.api.rendering import json_response
from proxy.chat.catalog import Model, unknown_model

STATES = ("ready", "cooldown", "resting", "unavailable")  # by an upstream's rank
LAST_RANK = len(STATES) - 1


async def list_models(request: web.Request) -> web.Response:
    """Every model that the caller can name now."""
    chats, allowed = request.app[CHAT], request[CALLER].models
    catalog = chats.catalog
    models = [model for model in catalog.list() if catalog.is_allowed(model.id, allowed)]
    best = _best_ranks(models)
    data = [_to_wire(request, model, best[model.id]) for model in models]
    if VERSION_HEADER in request.headers:
        return json_response(model_page(data, request.query))
    return json_response({"object": "list", "data": data})


async def retrieve_model(request: web.Request) -> web.Response:
    """One model by its id."""
    chats, allowed, name = request.app[CHAT], request[CALLER].models, request.match_info["id"]
    # A client of Anthropic's API asks by the name that it is going to use, whatever that leads to.
    is_anthropic = VERSION_HEADER in request.headers
    found = chats.catalog.find(name, allowed) if is_anthropic else chats.catalog.resolve(name)
    if found is None or not chats.catalog.is_allowed(found[0], allowed):
        raise unknown_model(name, chats.catalog.similar(name, allowed))
    name, model = found
    rank = min(_rank(offer) for offer in chats.catalog.candidates(name) or (model,))
    return json_response({**_to_wire(request, model, rank), "id": name})


def _best_ranks(models: Sequence[Model]) -> Mapping[str, int]:
    """The rank of each by its id. A bare name goes to the best of all that have it, `name@host` to its site alone."""
    best: dict[str, int] = {}
    for model in models:
        for name in {model.id, model.id.partition("@")[0]}:
            best[name] = min(best.get(name, LAST_RANK), _rank(model))
    return best


def _rank(model: Model) -> int:
    return min(model.upstream.rank(model.bot), LAST_RANK)


def _to_wire(request: web.Request, model: Model, rank: int) -> dict[str, Any]:
    settings = request.app[SETTINGS]
    wire = model.to_wire(max_transcript=settings.max_transcript, emulates=settings.tools == "emulate")
    return model_info(wire) if VERSION_HEADER in request.headers else {**wire, "state": STATES[rank]}
