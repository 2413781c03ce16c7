"""Having a site hand out its nonce of now, whichever plugin it has: one request, which asks nothing of the chat."""

from typing import NamedTuple
from urllib.parse import urlencode

from shared.models import AI_ENGINE, Credentials
from shared.plugins.ai_engine.routes import JSON, START_SESSION, error_code
from shared.plugins.ai_engine.session import read_session
from shared.plugins.aipkit.nonce import is_by_wordpress, lacks_action, nonce_form, read_nonce
from shared.plugins.aipkit.probe import probe_form, takes_nonce

_FORM = "application/x-www-form-urlencoded"


class RenewalRequest(NamedTuple):
    """What is posted. Not with the old nonce: a dead one would be refused here too."""

    url: str
    body: bytes
    content_type: str


def renewal_request(credentials: Credentials) -> RenewalRequest:
    """The request that brings the nonce of the guest of these *credentials*."""
    if credentials.plugin == AI_ENGINE:
        return RenewalRequest(f"{credentials.ajax_url}{START_SESSION}", b"", JSON)
    return RenewalRequest(credentials.ajax_url, urlencode(nonce_form()).encode(), _FORM)


def read_renewed(credentials: Credentials, status: int, body: bytes) -> str | None:
    """The nonce in the site's answer, or None where it gave none."""
    if credentials.plugin == AI_ENGINE:
        session = read_session(status, body)
        return session.nonce if session else None
    return read_nonce(status, body)


def proof_request(credentials: Credentials, status: int, body: bytes) -> RenewalRequest | None:
    """The request that shows whether the nonce still works, where the site's answer was that it hands out none.

    None where that is not to be asked.
    """
    if credentials.plugin == AI_ENGINE or not lacks_action(status, body):
        return None
    return RenewalRequest(credentials.ajax_url, urlencode(probe_form(credentials.nonce)).encode(), _FORM)


def read_proof(credentials: Credentials, body: bytes) -> str | None:
    """The nonce of *credentials* if the answer to `proof_request` shows that the site takes it, else None."""
    return credentials.nonce if takes_nonce(body) else None


def is_by_site(credentials: Credentials, status: int, body: bytes) -> bool:
    """Whether the answer is the plugin's or WordPress' own, and no page of a server in front."""
    if credentials.plugin == AI_ENGINE:
        return read_session(status, body) is not None or bool(error_code(body))
    return is_by_wordpress(status, body)
