"""Calls of Playwright with its exceptions turned into ours, and handlers of its events that end nothing."""

import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from playwright.async_api import Error
from playwright.async_api import TimeoutError as TimeoutExpired

from harvester.visit.browser_errors import in_the_way, net_error
from harvester.visit.errors import BrowserFailed, NotNow, PageFailed

T = TypeVar("T")

log = logging.getLogger(__name__)


async def call(made: Awaitable[T]) -> T:
    """Await *made*, with Playwright's exceptions turned into ours."""
    try:
        return await made
    except Error as error:
        raise _translated(error) from error
    except Exception as error:
        if type(error) is not Exception:  # Playwright has no class of its own for a driver that ended
            raise
        raise BrowserFailed(f"the browser's driver ended: {error}") from error


async def act(name: str, action: Awaitable[None]) -> None:
    """Do what a visitor does; where that is not to be done, Playwright tells what it waited for in vain."""

    async def made() -> None:
        try:
            await action
        except TimeoutExpired as error:
            raise PageFailed(f"the chat's {name} cannot be used: {in_the_way(error.message)}") from error

    await call(made())


def _translated(error: Error) -> Exception:
    text = first_line(error)
    if error.name == "TimeoutError":
        return TimeoutError(text)
    if "net::ERR_" in text:
        cause, reason, is_passing = net_error(text.partition("net::ERR_")[2].partition(" ")[0])
        return PageFailed(reason, cause=cause, is_passing=is_passing)
    if "Download is starting" in text:
        return PageFailed("the address gives a file to download, not a page")
    if any(part in text for part in ("context was destroyed", "interrupted by another navigation", "was detached")):
        return NotNow(text)
    if any(part in text for part in ("has been closed", "crashed", "Connection closed")):
        return BrowserFailed(
            f"the browser ended or its page crashed ({text.strip()}); if this goes on, `freeaichat doctor` looks closer"
        )
    return PageFailed(text, is_passing="ECONNRESET" in text or "socket hang up" in text)


def first_line(error: Error) -> str:
    """What went wrong, without the name of the method and the logs that Playwright adds."""
    return error.message.partition("\n")[0].partition(": ")[2] or error.message.partition("\n")[0]


def unless_closed(handler: Callable[[T], Awaitable[None]]) -> Callable[[T], Awaitable[None]]:
    """*handler* for events that may still come while the tab is closed: then there is nothing left to handle."""

    async def handle(event: T) -> None:
        with _logged():
            await handler(event)

    return handle


def guarded(handler: Callable[[T], None]) -> Callable[[T], None]:
    """*handler* for events of which some cannot be looked at any more, or not yet."""

    def handle(event: T) -> None:
        with _logged():
            handler(event)

    return handle


@contextmanager
def _logged() -> Iterator[None]:
    try:
        yield
    except Error as error:
        log.debug("event not handled: %s", first_line(error))
