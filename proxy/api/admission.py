"""Around the handler of every request to a model: it is admitted or refused, and recorded once, however it ends."""

import asyncio
from functools import wraps

from aiohttp import web
from aiohttp.typedefs import Handler

from proxy.access.rate_limits import Admission
from proxy.api.app_keys import CALLER, LIMITS, RATE_HEADERS, TURN, USAGE
from proxy.chat.errors import ServiceError
from proxy.server.errors import internal_error
from proxy.server.in_flight import IN_FLIGHT, stopping_error
from proxy.usage.recorder import RequestRecord


def admitted(handler: Handler) -> Handler:
    """*handler*, for requests within their caller's limits; what became of each is recorded."""

    @wraps(handler)
    async def admit_and_record(request: web.Request) -> web.StreamResponse:
        record = request[TURN] = RequestRecord(request[CALLER])
        try:
            _enforce(request, await request.app[LIMITS].admit(record.caller))
            return await handler(request)
        except ServiceError as error:
            record.error = error
            raise
        except asyncio.CancelledError:
            if request.app[IN_FLIGHT].is_over:
                record.error = stopping_error()
            raise
        except Exception:
            record.error = internal_error()
            raise
        finally:
            record.close()
            request.app[USAGE].record(record)

    return admit_and_record


async def admit_turns(request: web.Request, count: int) -> None:
    """Admit a request as *count* turns of the site; one was admitted already. Raises `ServiceError` (429)."""
    _enforce(request, await request.app[LIMITS].admit(request[CALLER], count - 1, counted_before=1))


def _enforce(request: web.Request, admission: Admission) -> None:
    """Keep the rate limit headers for the response, and raise `ServiceError` (429) where it is not admitted."""
    request[RATE_HEADERS] = admission.headers
    admission.check()
