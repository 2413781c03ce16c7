"""Having a site hand out its nonce of now, whichever plugin it has: one request, which asks nothing of the chat."""

from collections.abc import Awaitable, Callable

from shared.models import AI_ENGINE, Credentials
from shared.plugins.ai_engine import session
from shared.plugins.ai_engine.routes import error_code, lacks_route
from shared.plugins.aipkit import probe
from shared.plugins.aipkit.nonce import is_by_wordpress, lacks_action, nonce_request, read_nonce
from shared.plugins.requests import PluginRequest

Ask = Callable[[PluginRequest], Awaitable[tuple[int, bytes]]]  # makes a request; status and body of its answer


def renewal_request(credentials: Credentials) -> PluginRequest:
    """The request that brings the nonce of the guest of these *credentials*."""
    if credentials.plugin == AI_ENGINE:
        return session.session_request(credentials.ajax_url)
    return nonce_request(credentials.ajax_url)


def read_renewed(credentials: Credentials, status: int, body: bytes) -> str | None:
    """The nonce in the site's answer, or None where it gave none."""
    if credentials.plugin == AI_ENGINE:
        started = session.read_session(status, body)
        return started.nonce if started else None
    return read_nonce(status, body)


async def renewed(credentials: Credentials, ask: Ask) -> tuple[str | None, int]:
    """The nonce that the site hands out, None where it hands out none, and the HTTP status of its answer.

    A site whose plugin is too old to do so is asked whether it takes the nonce of *credentials*, which is good then.
    """
    url, nonce = credentials.ajax_url, credentials.nonce
    status, body = await ask(renewal_request(credentials))
    if credentials.plugin == AI_ENGINE and lacks_route(status, body):
        is_taken = session.takes_nonce((await ask(session.probe_request(url, nonce)))[1])
    elif credentials.plugin != AI_ENGINE and lacks_action(status, body):
        is_taken = probe.takes_nonce((await ask(probe.probe_request(url, nonce)))[1])
    else:
        return read_renewed(credentials, status, body), status
    return nonce if is_taken else None, status


def is_by_site(credentials: Credentials, status: int, body: bytes) -> bool:
    """Whether the answer is the plugin's or WordPress' own, and no page of a server in front."""
    if credentials.plugin == AI_ENGINE:
        return session.read_session(status, body) is not None or bool(error_code(body))
    return is_by_wordpress(status, body)
