"""`/v1/models`: answered from what the store holds, without touching a site."""

from aiohttp import web

from proxy.keys import CALLER, CHAT
from proxy.protocol.catalog import may_use
from proxy.protocol.chat_request import unknown_model
from proxy.rendering import json_response


async def list_models(request: web.Request) -> web.Response:
    """Every model that the caller can name now."""
    allowed = request[CALLER].models
    models = [model.to_wire() for model in request.app[CHAT].catalog.list() if may_use(allowed, model.id)]
    return json_response({"object": "list", "data": models})


async def retrieve_model(request: web.Request) -> web.Response:
    """One model by its id."""
    name = request.match_info["id"]
    found = request.app[CHAT].catalog.find(name)
    if found is None or found[0] != name or not may_use(request[CALLER].models, name):
        raise unknown_model(name)
    return json_response({**found[1].to_wire(), "id": name})
