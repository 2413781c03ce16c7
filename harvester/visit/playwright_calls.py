"""Mapping of Playwright's exceptions to ours, and wrappers for its event handlers."""

import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from playwright.async_api import Error
from playwright.async_api import TimeoutError as TimeoutExpired

from harvester.visit.browser_errors import action_failure, net_error
from harvester.visit.errors import BrowserFailed, Navigating, PageFailed

T = TypeVar("T")

log = logging.getLogger(__name__)


async def call(awaitable: Awaitable[T]) -> T:
    """Await *awaitable*, and map Playwright's exceptions to ours."""
    try:
        return await awaitable
    except Error as error:
        raise _map_error(error) from error
    except Exception as error:
        if type(error) is not Exception:  # Playwright has no class of its own for a driver that ended
            raise
        raise BrowserFailed(f"the browser's driver ended: {error}") from error


async def user_action(name: str, action: Awaitable[None]) -> None:
    """Await a user action on an element; *name*: of the element, for the error of a timeout."""

    async def made() -> None:
        try:
            await action
        except TimeoutExpired as error:
            raise PageFailed(f"the chat's {name} cannot be used: {action_failure(error.message)}") from error

    await call(made())


def _map_error(error: Error) -> Exception:
    text = first_line(error)
    if error.name == "TimeoutError":
        return TimeoutError(text)
    if "net::ERR_" in text:
        return net_error(text.partition("net::ERR_")[2].partition(" ")[0])
    if "Download is starting" in text:
        return PageFailed("the address gives a file to download, not a page")
    if any(part in text for part in ("context was destroyed", "interrupted by another navigation", "was detached")):
        return Navigating(text)
    if any(part in text for part in ("has been closed", "crashed", "Connection closed")):
        return BrowserFailed(
            f"the browser ended or its page crashed ({text.strip()}); if this goes on, `freeaichat doctor` looks closer"
        )
    return PageFailed(text, is_transient="ECONNRESET" in text or "socket hang up" in text)


def first_line(error: Error) -> str:
    """The first line of the message, without the method name and the call log that Playwright adds."""
    return error.message.partition("\n")[0].partition(": ")[2] or error.message.partition("\n")[0]


def ignore_errors_async(handler: Callable[[T], Awaitable[None]]) -> Callable[[T], Awaitable[None]]:
    """Wrap an async event handler: errors while the tab is closing are logged and ignored."""

    async def handle(event: T) -> None:
        with errors_logged():
            await handler(event)

    return handle


@contextmanager
def errors_logged() -> Iterator[None]:
    """Log and ignore errors of events that cannot be read; also a decorator of event handlers that are not async."""
    try:
        yield
    except Error as error:
        log.debug("event not handled: %s", first_line(error))
