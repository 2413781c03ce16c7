"""Fetching the current nonce of a site, whichever plugin it has, by one request that sends no message."""

from collections.abc import Awaitable, Callable

from shared.models import AI_ENGINE, Credentials
from shared.plugins.ai_engine import session
from shared.plugins.ai_engine.routes import error_code, lacks_route
from shared.plugins.aipkit import probe
from shared.plugins.aipkit.nonce import is_by_wordpress, lacks_action, nonce_request, read_nonce
from shared.plugins.requests import PluginRequest

SendRequest = Callable[[PluginRequest], Awaitable[tuple[int, bytes]]]  # sends a request; returns status and body


def renewal_request(credentials: Credentials) -> PluginRequest:
    """The request for the current nonce of the guest with these *credentials*."""
    if credentials.plugin == AI_ENGINE:
        return session.session_request(credentials.ajax_url)
    return nonce_request(credentials.ajax_url)


def read_renewed(credentials: Credentials, status: int, body: bytes) -> str | None:
    """The nonce in the response to `renewal_request`; None where there is none."""
    if credentials.plugin == AI_ENGINE:
        started = session.read_session(status, body)
        return started.nonce if started else None
    return read_nonce(status, body)


async def fetch_nonce(credentials: Credentials, send: SendRequest) -> tuple[str | None, int]:
    """Fetch the current nonce of the site; returns it, or None, and the HTTP status.

    Where the plugin is too old to hand one out, the nonce of *credentials* is probed, and returned if it is accepted.
    """
    url, nonce = credentials.ajax_url, credentials.nonce
    status, body = await send(renewal_request(credentials))
    if credentials.plugin == AI_ENGINE and lacks_route(status, body):
        is_accepted = session.accepts_nonce((await send(session.probe_request(url, nonce)))[1])
    elif credentials.plugin != AI_ENGINE and lacks_action(status, body):
        is_accepted = probe.accepts_nonce((await send(probe.probe_request(url, nonce)))[1])
    else:
        return read_renewed(credentials, status, body), status
    return nonce if is_accepted else None, status


def is_by_site(credentials: Credentials, status: int, body: bytes) -> bool:
    """Whether the response comes from the plugin or WordPress, and not from a server in front."""
    if credentials.plugin == AI_ENGINE:
        return session.read_session(status, body) is not None or bool(error_code(body))
    return is_by_wordpress(status, body)
