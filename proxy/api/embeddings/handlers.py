"""`/v1/embeddings`: passed to the server that lists the model."""

from typing import Any

from aiohttp import web

from proxy.api.app_keys import CALLER, CHAT, TURN
from proxy.api.parameters import read_model
from proxy.api.receiving import parse_fields
from proxy.chat.errors import bad_request
from proxy.server.bodies import read_body


async def create_embeddings(request: web.Request) -> web.StreamResponse:
    """What the server makes of the input, and what OpenAI tells beside it."""
    fields = await read_body(request, lambda body: _read(parse_fields(request, body)))
    caller, turn = request[CALLER], request[TURN]
    place = caller.queue_key(request.remote)
    made = await request.app[CHAT].embed(fields, caller=place, allowed=caller.models, on_upstream=turn.set_upstream)
    turn.usage = made.usage
    return web.Response(body=made.body, content_type="application/json", headers={"Cache-Control": "no-store"})


def _read(fields: dict[str, Any]) -> dict[str, Any]:
    read_model(fields)
    if not isinstance(fields.get("input"), str | list) or not fields["input"]:
        raise bad_request("'input' must be a text, or a list that is not empty.", param="input")
    return fields
