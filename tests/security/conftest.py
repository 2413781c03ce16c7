"""The proxies that run in a test's process do so on the event loop that users run."""

import asyncio
from collections.abc import Callable, Mapping

from tests.loops import USERS


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The loops that every test runs on."""
    return USERS
