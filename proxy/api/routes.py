"""Which handler serves which path.

Paths of the API are taken as clients type them: with and without `/v1`, twice `/v1`, doubled and trailing slashes; and
with `/openai` before or behind it, as SDKs of other providers have it. Azure's name the model in the path, behind
`/openai/deployments`. What may repeat is taken once and for all (`*+`): the time for a path grows with its length,
however it is made.
"""

from collections.abc import Mapping, Sequence

from aiohttp import HttpVersion11, web
from aiohttp.typedefs import Handler

from proxy.access.rules import check_admin
from proxy.api.admin import handlers as admin
from proxy.api.admin.requests import USAGE_PARAMETERS, check_query
from proxy.api.app_keys import CALLER, ORIGIN
from proxy.api.chat_completions import handlers as chat
from proxy.api.completions import handlers as completions
from proxy.api.conversations import handlers as conversations
from proxy.api.embeddings import handlers as embeddings
from proxy.api.health import handlers as health
from proxy.api.messages import handlers as messages
from proxy.api.models import handlers as models
from proxy.api.receiving import admitted
from proxy.api.responses import handlers as responses
from proxy.page import handlers as page
from proxy.server.connection import expect

_PREFIX = "/{prefix:(?:/*+(?:v1|openai)(?=/))*+}{deployment:(?:/*+deployments(?:/++[^/]++)+?)?}"
_RESPONSE_ID = r"{id:(?!(?:compact|input_tokens)(?!\w))[^\x2f]+}"  # OpenAI's servers have something else of these names

_Routes = Mapping[str, Mapping[str, Handler]]
_API: _Routes = {
    "/chat/completions": {"POST": admitted(chat.create_chat_completion)},
    "/completions": {"POST": admitted(completions.create_completion)},
    "/embeddings": {"POST": admitted(embeddings.create_embeddings)},
    "/responses": {"POST": admitted(responses.create_response)},
    "/responses/compact": {"POST": admitted(responses.compact_response)},
    "/responses/input_tokens": {"POST": responses.count_input_tokens},
    f"/responses/{_RESPONSE_ID}": {"GET": responses.retrieve_response, "DELETE": responses.delete_response},
    "/responses/{id}/cancel": {"POST": responses.cancel_response},
    "/responses/{id}/input_items": {"GET": responses.list_input_items},
    "/messages": {"POST": admitted(messages.create_message)},
    "/messages/count_tokens": {"POST": messages.count_message_tokens},
    "/models": {"GET": models.list_models},
    r"/models/{id:.*[^\x2f]}": {"GET": models.retrieve_model},
    "/conversations": {"POST": conversations.create_conversation},
    "/conversations/{id}": {
        "GET": conversations.retrieve_conversation,
        "POST": conversations.update_conversation,
        "DELETE": conversations.delete_conversation,
    },
    "/conversations/{id}/items": {"GET": conversations.list_items, "POST": conversations.create_items},
    "/conversations/{id}/items/{item_id}": {"GET": conversations.retrieve_item, "DELETE": conversations.delete_item},
}
_ADMIN: _Routes = {
    "/admin/keys": {"GET": admin.list_keys, "POST": admin.create_key},
    "/admin/keys/{id}": {"DELETE": admin.revoke_key},
    "/admin/keys/{id}/rotate": {"POST": admin.rotate_key},
    "/admin/usage": {"GET": admin.usage},
    "/admin/status": {"GET": admin.status},
    "/admin/visits": {"POST": admin.ask_visit},
    "/admin/visits/{id}/screenshot": {"GET": admin.screenshot},
}
_SESSION: Mapping[str, Handler] = {
    "GET": admin.show_session,
    "HEAD": admin.show_session,
    "POST": admin.sign_in,
    "DELETE": admin.sign_out,
}


def add_routes(app: web.Application) -> None:
    """Serve everything there is."""
    app.router.add_get("/", page.root)
    app.router.add_get("/assets/{name:.+}", page.asset)
    app.router.add_get("/healthz", health.healthz)
    app.router.add_get("/health", health.healthz)  # as the probes of other servers' users have it
    app.router.add_get("/readyz", health.readyz)
    app.router.add_get("/metrics", health.metrics)
    app.router.add_get("/openapi.json", health.openapi)
    for path, handlers in _ADMIN.items():
        known = USAGE_PARAMETERS if path == "/admin/usage" else ()
        guarded = {method: _for_admin(handler, known) for method, handler in handlers.items()}
        _add(app, path, {"HEAD": guarded["GET"], **guarded} if "GET" in guarded else guarded)
    _add(app, "/admin/session", _SESSION)
    for path, handlers in _API.items():
        taken = {"HEAD": handlers.get("GET", _there), **handlers}
        if "{" not in path:  # as nearly all clients spell it: found without trying a pattern
            _add(app, f"/v1{path}", taken)
        _add(app, _in_every_spelling(path), taken)
    # Whoever asks for the base URL itself wants to see whether anybody is there.
    app.router.add_get("/{slash0:/*}v1{end:/*}", health.root, expect_handler=expect)


def _add(app: web.Application, path: str, handlers: Mapping[str, Handler]) -> None:
    resource = app.router.add_resource(path)
    for method, handler in handlers.items():
        resource.add_route(method, handler, expect_handler=expect)


def _in_every_spelling(path: str) -> str:
    """The pattern for *path* (such as `/models/{id}`) below `/v1`."""
    segments = path.strip("/").split("/")
    slashes = ["{slash0:/*+}", *(f"{{slash{index}:/++}}" for index in range(1, len(segments)))]
    return _PREFIX + "".join(map("".join, zip(slashes, segments, strict=True))) + "{end:/*+}"


def _for_admin(handler: Handler, known: Sequence[str]) -> Handler:
    """*handler* for an administrator alone, whose query holds nothing that is not *known*."""

    async def guarded(request: web.Request) -> web.StreamResponse:
        check_admin(request[CALLER], request.get(ORIGIN), is_old_http=request.version < HttpVersion11)
        check_query(request.query, known)
        return await handler(request)

    return guarded


async def _there(_: web.Request) -> web.Response:
    """For probes of what takes POST alone: it is there."""
    return web.Response()
