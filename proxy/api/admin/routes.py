"""Which handler serves what below `/admin`, and that only an administrator comes to most of them."""

from collections.abc import Mapping

from aiohttp import HttpVersion11, web
from aiohttp.typedefs import Handler

from proxy.access.rules import check_admin
from proxy.api.admin import keys as admin_keys
from proxy.api.admin import session as admin_session
from proxy.api.admin import status as admin_status
from proxy.api.app_keys import CALLER, ORIGIN
from proxy.server.errors import expect


def add_admin(app: web.Application) -> None:
    """Serve the administrator's API."""
    for path, handlers in _ROUTES.items():
        resource = app.router.add_resource(path)
        for method, handler in handlers.items():
            resource.add_route(method, handler, expect_handler=expect)
            if method == "GET":
                resource.add_route("HEAD", handler, expect_handler=expect)


def _for_admin(handler: Handler) -> Handler:
    """*handler* for an administrator alone."""

    async def guarded(request: web.Request) -> web.StreamResponse:
        check_admin(request[CALLER], request.get(ORIGIN), is_old_http=request.version < HttpVersion11)
        return await handler(request)

    return guarded


_ROUTES: Mapping[str, Mapping[str, Handler]] = {
    "/admin/keys": {"GET": _for_admin(admin_keys.list_keys), "POST": _for_admin(admin_keys.create_key)},
    "/admin/keys/{id}": {"DELETE": _for_admin(admin_keys.revoke_key)},
    "/admin/keys/{id}/rotate": {"POST": _for_admin(admin_keys.rotate_key)},
    "/admin/usage": {"GET": _for_admin(admin_keys.usage)},
    "/admin/status": {"GET": _for_admin(admin_status.status)},
    "/admin/visits": {"POST": _for_admin(admin_status.ask_visit)},
    "/admin/visits/{id}/screenshot": {"GET": _for_admin(admin_status.screenshot)},
    "/admin/session": {"GET": admin_session.show, "POST": admin_session.sign_in, "DELETE": admin_session.sign_out},
}
