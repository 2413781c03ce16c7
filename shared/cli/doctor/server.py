"""Checks of OpenAI-compatible servers: each answers, takes its key, and lists the models that the settings name."""

import json
from collections.abc import Iterator

from shared.cli.doctor.check import Check, fail, ok, warn
from shared.cli.doctor.network import diagnose, what_to_do
from shared.parsing import Server
from shared.settings import Settings
from shared.site_client.client import USER_AGENT, Response, SiteClient
from shared.site_client.errors import SiteUnreachable

LISTING_SECONDS = 10.0
NAME = "server"


async def check_server(client: SiteClient, server: Server, settings: Settings) -> list[Check]:
    """Whether *server* answers and lists its models."""
    key = settings.server_key(server)
    headers = {"User-Agent": USER_AGENT, **({"Authorization": f"Bearer {key}"} if key else {})}
    try:
        reply = await client.get(f"{server.base_url}/models", headers, timeout=LISTING_SECONDS)
    except SiteUnreachable as error:
        kind = await diagnose(error, server.base_url)
        what = f"{server.name} at {server.base_url}: {kind}: {error}"
        return [fail(NAME, what, what_to_do(kind, "FREEAICHAT_SERVERS"))]
    return list(judge_listing(server, reply, settings.fallback_model))


def judge_listing(server: Server, reply: Response, fallback: str) -> Iterator[Check]:
    """The findings on a response to `GET /models`. *fallback*: the fallback model of the settings."""
    where = f"{server.name} at {server.base_url}"
    if reply.status in (401, 403):
        yield fail(NAME, f"{where} refuses its key (HTTP {reply.status})", "FREEAICHAT_SERVER_KEYS takes name=key")
        return
    names = _names(reply.body) if reply.status == 200 else None
    if names is None:
        is_down = reply.status == 429 or reply.status >= 500
        advice = "FREEAICHAT_SERVERS takes the base URL, as a rule with /v1 at its end"
        if is_down:
            advice = "its own log or page says why; try again later"
        yield fail(NAME, f"{where} lists no models (HTTP {reply.status})", advice)
        return
    yield ok(NAME, f"{where} answers and lists {len(names)} models")
    owner, _, model = fallback.partition("/")
    if owner.lower() == server.name.lower() and model.lower().removesuffix(":latest") not in {
        name.lower().removesuffix(":latest") for name in names
    }:
        yield warn(NAME, f"{server.name} has no model {model!r}, which FREEAICHAT_FALLBACK_MODEL names", "get it there")


def check_keys(settings: Settings) -> list[Check]:
    """Whether each key belongs to a configured server; the keys themselves are not shown."""
    known = {server.name.lower() for server in settings.servers}
    advice = "write the name as FREEAICHAT_SERVERS has it"
    return [
        warn(NAME, f"FREEAICHAT_SERVER_KEYS has a key for {name!r}, which is no server", advice)
        for name in settings.server_keys
        if name.lower() not in known
    ]


def _names(body: bytes) -> list[str] | None:
    try:
        listing = json.loads(body)
    except ValueError:
        return None
    items = listing.get("data", listing.get("models")) if isinstance(listing, dict) else listing
    if items is None and isinstance(listing, dict) and listing.get("object") == "list":  # Ollama's, without any
        items = []
    if not isinstance(items, list):
        return None
    return [str(item["id"]) for item in items if isinstance(item, dict) and item.get("id")]
