"""Clients that ask whether to send their body (`Expect: 100-continue`), and those that expect anything else.

The server calls this before all middleware, so that what they give every other response is given here.
"""

from secrets import token_hex

from aiohttp import HttpVersion11, web

from proxy.api.app_keys import REQUEST_ID
from proxy.api.rendering import error_response
from proxy.chat.errors import ServiceError

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


async def expect(request: web.Request) -> web.StreamResponse | None:
    """Tell the client to go on; the answer to an expectation that nobody meets."""
    if request.version < HttpVersion11:  # such clients know no expectations
        return None
    if request.headers["Expect"].lower() == "100-continue":
        await request.writer.write(CONTINUE)
        request.writer.output_size = 0  # nothing of the response itself was sent
        return None
    request[REQUEST_ID] = f"req_{token_hex(16)}"
    return error_response(
        ServiceError(417, "The only expectation that is met is 100-continue.", code="expectation_failed")
    )
