"""The event loop that users run the proxy on, for tests in this process."""

import asyncio
import sys
from collections.abc import Callable
from typing import Any

import uvloop


class Loop(uvloop.Loop):
    """uvloop's loop, which reports its connections to the guard of `tests.conftest`; uvloop raises no audit events."""

    async def create_connection(self, protocol_factory: Any, host: Any = None, port: Any = None, **more: Any) -> Any:
        """As ever."""
        if host is not None:
            sys.audit("socket.connect", None, (host, port))
        return await super().create_connection(protocol_factory, host, port, **more)

    async def getaddrinfo(self, host: Any, port: Any, **more: Any) -> Any:
        """As ever."""
        sys.audit("socket.getaddrinfo", host, port)
        return await super().getaddrinfo(host, port, **more)


USERS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"uvloop": Loop}
BOTH: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {**USERS, "asyncio": asyncio.new_event_loop}
