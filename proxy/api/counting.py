"""Around every request to a model: it is admitted or refused, and counted once, however it ends."""

import asyncio
from functools import wraps

from aiohttp import web
from aiohttp.typedefs import Handler

from proxy.api.app_keys import CALLER, LIMITS, RATE_HEADERS, TURN, USAGE
from proxy.chat.errors import ServiceError
from proxy.server.under_way import UNDER_WAY, stopping_error
from proxy.usage.recorder import Turn


def counted(handler: Handler) -> Handler:
    """*handler*, with a `Turn` on its request, within the caller's limits."""

    @wraps(handler)
    async def turn_handler(request: web.Request) -> web.StreamResponse:
        turn = request[TURN] = Turn(request[CALLER])
        try:
            admission = await request.app[LIMITS].admit(turn.caller)
            request[RATE_HEADERS] = admission.headers
            admission.check()
            return await handler(request)
        except ServiceError as error:
            turn.error = error
            raise
        except asyncio.CancelledError:
            if request.app[UNDER_WAY].is_over:
                turn.error = stopping_error()
            else:
                turn.has_left = True
            raise
        except Exception:
            turn.error = ServiceError(500, "", type="server_error", code="internal_error")
            raise
        finally:
            turn.close()
            request.app[USAGE].finished(turn)

    return turn_handler


async def admit_turns(request: web.Request, count: int) -> None:
    """Admit a request as *count* turns of the site; one was admitted already. Raises `ServiceError` (429)."""
    if count > 1:
        admission = await request.app[LIMITS].admit(request[CALLER], count - 1, more_than=1)
        request[RATE_HEADERS] = admission.headers
        admission.check()
