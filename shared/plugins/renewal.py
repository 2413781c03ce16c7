"""Having a site hand out its nonce of now, whichever plugin it has: one request, which asks nothing of the chat."""

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlencode

from shared.models import AI_ENGINE, Credentials
from shared.plugins.ai_engine import session
from shared.plugins.ai_engine.routes import JSON, NONCE_HEADER, START_SESSION, SUBMIT, error_code, lacks_route
from shared.plugins.aipkit import probe
from shared.plugins.aipkit.nonce import is_by_wordpress, lacks_action, nonce_form, read_nonce

_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_JSON = {"Content-Type": JSON}


class RenewalRequest(NamedTuple):
    """What is posted."""

    url: str
    body: bytes
    headers: Mapping[str, str]


def renewal_request(credentials: Credentials) -> RenewalRequest:
    """The request that brings the nonce of the guest of these *credentials*. Not with the old one: a dead one would be
    refused here too."""
    if credentials.plugin == AI_ENGINE:
        return RenewalRequest(f"{credentials.ajax_url}{START_SESSION}", b"", _JSON)
    return RenewalRequest(credentials.ajax_url, urlencode(nonce_form()).encode(), _FORM)


def read_renewed(credentials: Credentials, status: int, body: bytes) -> str | None:
    """The nonce in the site's answer, or None where it gave none."""
    if credentials.plugin == AI_ENGINE:
        started = session.read_session(status, body)
        return started.nonce if started else None
    return read_nonce(status, body)


def proof_request(credentials: Credentials, status: int, body: bytes) -> RenewalRequest | None:
    """The request that shows whether the nonce still works, where the site's answer was that it hands out none.

    None where that is not to be asked.
    """
    if credentials.plugin == AI_ENGINE:
        if not lacks_route(status, body):
            return None
        headers = {**_JSON, NONCE_HEADER: credentials.nonce}
        return RenewalRequest(f"{credentials.ajax_url}{SUBMIT}", session.probe_body("", ""), headers)
    if not lacks_action(status, body):
        return None
    return RenewalRequest(credentials.ajax_url, urlencode(probe.probe_form(credentials.nonce)).encode(), _FORM)


def read_proof(credentials: Credentials, body: bytes) -> str | None:
    """The nonce of *credentials* if the answer to `proof_request` shows that the site takes it, else None."""
    takes_nonce = session.takes_nonce if credentials.plugin == AI_ENGINE else probe.takes_nonce
    return credentials.nonce if takes_nonce(body) else None


def is_by_site(credentials: Credentials, status: int, body: bytes) -> bool:
    """Whether the answer is the plugin's or WordPress' own, and no page of a server in front."""
    if credentials.plugin == AI_ENGINE:
        return session.read_session(status, body) is not None or bool(error_code(body))
    return is_by_wordpress(status, body)
