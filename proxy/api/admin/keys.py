"""`/admin/keys`: API keys for others, and `/admin/usage`: what they used."""

from time import time

from aiohttp import web

from proxy.api.admin.requests import check_query, read_key_wish, read_span
from proxy.api.app_keys import ADMINISTRATION
from proxy.api.rendering import json_response
from proxy.server.bodies import read_body
from shared.admin import wire


async def list_keys(request: web.Request) -> web.Response:
    """All keys, newest first, revoked ones too."""
    check_query(request.query)
    return json_response(wire.key_list(await request.app[ADMINISTRATION].keys()))


async def create_key(request: web.Request) -> web.Response:
    """Make a key; its secret is told this once."""
    check_query(request.query)
    wanted = await read_body(request, read_key_wish)
    own, key = await request.app[ADMINISTRATION].create_key(wanted)
    return json_response({**wire.key_object(key), "key": own})


async def revoke_key(request: web.Request) -> web.Response:
    """End a key for ever."""
    check_query(request.query)
    return json_response(wire.key_object(await request.app[ADMINISTRATION].revoke_key(request.match_info["id"])))


async def rotate_key(request: web.Request) -> web.Response:
    """Give a key a new secret, which is told this once."""
    check_query(request.query)
    own, key = await request.app[ADMINISTRATION].rotate_key(request.match_info["id"])
    return json_response({**wire.key_object(key), "key": own})


async def usage(request: web.Request) -> web.Response:
    """What was used in a time."""
    span = read_span(request.query, now=time())
    return json_response(wire.usage_list(await request.app[ADMINISTRATION].usage(span)))
