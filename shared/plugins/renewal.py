"""Having a site hand out its nonce of now, whichever plugin it has: one request, which asks nothing of the chat."""

from typing import NamedTuple
from urllib.parse import urlencode

from shared.models import AI_ENGINE, Credentials
from shared.plugins.ai_engine.routes import JSON, START_SESSION, error_code
from shared.plugins.ai_engine.session import read_session
from shared.plugins.aipkit.nonce import is_by_wordpress, nonce_form, read_nonce


class RenewalRequest(NamedTuple):
    """What is posted. Not with the old nonce: a dead one would be refused here too."""

    url: str
    body: bytes
    content_type: str


def renewal_request(credentials: Credentials) -> RenewalRequest:
    """The request that brings the nonce of the guest of these *credentials*."""
    if credentials.plugin == AI_ENGINE:
        return RenewalRequest(f"{credentials.ajax_url}{START_SESSION}", b"", JSON)
    return RenewalRequest(credentials.ajax_url, urlencode(nonce_form()).encode(), "application/x-www-form-urlencoded")


def read_renewed(credentials: Credentials, status: int, body: bytes) -> str | None:
    """The nonce in the site's answer, or None where it gave none."""
    if credentials.plugin == AI_ENGINE:
        session = read_session(status, body)
        return session.nonce if session else None
    return read_nonce(status, body)


def is_by_site(credentials: Credentials, status: int, body: bytes) -> bool:
    """Whether the answer is the plugin's or WordPress' own, and no page of a server in front."""
    if credentials.plugin == AI_ENGINE:
        return read_session(status, body) is not None or bool(error_code(body))
    return is_by_wordpress(status, body)
