"""`/healthz`, `/readyz` and the root, for probes and for people."""

from time import monotonic, time

from aiohttp import web

from proxy.api.app_keys import CALLER, KEEPER, UPSTREAM
from proxy.api.rendering import json_response
from proxy.upstreams.aipkit.credentials import CredentialKeeper
from proxy.upstreams.gate import SiteGate
from shared import __version__


async def healthz(_: web.Request) -> web.Response:
    """200 while the process runs, whatever the site does."""
    return json_response({"status": "ok"})


async def readyz(request: web.Request) -> web.Response:
    """200 only when a request could be answered now; names and reasons only for those who hold the key.

    `degraded`: requests are answered, but not by every site, or without stored conversations.
    """
    keeper, gates = request.app[KEEPER], request.app[UPSTREAM].sites.all
    troubles = {gate.site: trouble_of(keeper, gate) for gate in gates}
    reasons = [reason for reason in (*troubles.values(), keeper.store_trouble) if reason]
    is_ready = None in troubles.values()
    body: dict[str, object] = {"status": ("degraded" if reasons else "ready") if is_ready else "unavailable"}
    if reasons and (CALLER in request or not is_ready):
        body["reason"] = reasons[0] if CALLER in request else "no site can answer now"
    if CALLER in request:
        body["sites"] = [
            {**describe(keeper, gate), "credentials_age_seconds": _age(keeper, gate.site)} for gate in gates
        ]
    return json_response(body, status=200 if is_ready else 503, headers={} if is_ready else {"retry-after": "5"})


def trouble_of(keeper: CredentialKeeper, gate: SiteGate) -> str | None:
    """Why a site could not answer a request now, in words; None if it could."""
    trouble = keeper.trouble(gate.site)
    if trouble is None and gate.breaker.state(monotonic()) == "open":
        trouble = "the site failed again and again and is left alone for a moment"
    return trouble


def describe(keeper: CredentialKeeper, gate: SiteGate) -> dict[str, object]:
    """What is known of a site's health and load."""
    trouble = trouble_of(keeper, gate)
    return {
        "site": gate.site,
        "ready": trouble is None,
        "reason": trouble,
        "breaker": gate.breaker.state(monotonic()),
        "cooldown_until": gate.cooldown_until,
        "open_streams": gate.limit.open,
        "queued": gate.limit.queued,
    }


def _age(keeper: CredentialKeeper, site: str) -> int | None:
    state = keeper.state(site)
    return round(time() - state.current.captured_at) if state else None


async def root(_: web.Request) -> web.Response:
    """What this is, for whoever opens the address."""
    return json_response({"name": "freeaichat-2api", "version": __version__, "openai_base_url": "/v1"})
