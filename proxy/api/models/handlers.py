"""`/v1/models`: answered from what the store holds, without touching a site."""

from typing import Any

from aiohttp import web

from proxy.api.app_keys import CALLER, CHAT, SETTINGS
from proxy.api.rendering import json_response
from proxy.chat.catalog import Model, may_use, unknown_model


async def list_models(request: web.Request) -> web.Response:
    """Every model that the caller can name now."""
    chats, allowed = request.app[CHAT], request[CALLER].models
    models = [model for model in chats.catalog.list() if may_use(allowed, model.id)]
    data = [_to_wire(request, model) for model in models]
    return json_response({"object": "list", "data": data})


async def retrieve_model(request: web.Request) -> web.Response:
    """One model by its id."""
    chats, allowed, name = request.app[CHAT], request[CALLER].models, request.match_info["id"]
    found = chats.catalog.named(name)
    if found is None or not may_use(allowed, found[0]):
        raise unknown_model(name, chats.catalog.near(name, allowed))
    return json_response({**_to_wire(request, found[1]), "id": found[0]})


def _to_wire(request: web.Request, model: Model) -> dict[str, Any]:
    settings = request.app[SETTINGS]
    return model.to_wire(max_transcript=settings.max_transcript, emulates=settings.tools == "emulate")
