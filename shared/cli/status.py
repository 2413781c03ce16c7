"""`freeaichat status`: a report from the store and the running proxy, as JSON or text."""

import json
from collections import defaultdict
from time import time

import click

from shared.cli import status_text, text
from shared.cli.failures import read_gateway, read_settings, run_with_store
from shared.cli.gateway import Gateway, GatewayUnreachable, NotTheProxy, models_in
from shared.cli.status_text import Report
from shared.models import Bot, Credentials, Visit
from shared.parsing import Server, Site
from shared.processes import heartbeat
from shared.processes.services import EXIT_FAILED
from shared.serialization import to_plain
from shared.settings import Settings
from shared.store import Store, store_url

VISITS_SHOWN = 5

_OF_VISIT = ("id", "started_at", "seconds", "outcome", "reason", "trigger", "steps", "screenshot")
ModelNames = dict[tuple[str, int], list[str]]  # host of the site and bot id → model ids


def show(*, as_json: bool) -> int:
    """Print the report; returns the exit code. Raises `BadSettings`."""
    settings = read_settings()
    gateway = read_gateway(settings)
    report = run_with_store(settings, lambda store: gather(settings, store, gateway, time()))
    for line in [json.dumps(report, ensure_ascii=False)] if as_json else status_text.lines(report, time()):
        click.echo(line)
    return 0 if is_usable(report) else EXIT_FAILED


async def gather(settings: Settings, store: Store, gateway: Gateway, now: float) -> Report:
    """The report as JSON values, with masked secrets. Raises StoreError."""
    proxy, names = fetch_proxy_state(gateway)
    return {
        "store": {
            "url": store_url.redacted_url(settings.store_url),
            "schema": store_url.supported_schema(settings.store_url),
        },
        "proxy": proxy,
        "harvester": await _harvester(store, now),
        "keys": await _keys(store, now),
        "sites": [await _site(store, site, names, now) for site in settings.sites],
        "servers": [_server(server, names) for server in settings.servers],
    }


def fetch_proxy_state(gateway: Gateway) -> tuple[Report, ModelNames]:
    """The proxy's state and its model names; without names where it does not answer."""
    names: ModelNames = defaultdict(list)
    report: Report = {"base_url": gateway.base_url, "running": True, "ready": False}
    try:
        found = gateway.readiness()
        for model in models_in(gateway.get("/v1/models")[1]):
            names[str(model.get("site")), model.get("bot_id") or 0].append(str(model["id"]))
    except GatewayUnreachable as error:
        reason = "does not answer in time" if error.is_silent else "not running"
        return {**report, "running": error.is_silent, "reason": reason}, {}
    except NotTheProxy as error:
        return {**report, "reason": f"something else answers there (HTTP {error.status})"}, {}
    is_ready = found["status"] != "unavailable"
    return {**report, "ready": is_ready, "reason": found.get("reason", ""), "sites": found.get("sites", [])}, names


async def _harvester(store: Store, now: float) -> Report:
    last = await heartbeat.last_beat(store)
    return {"running": last is not None and last.is_fresh(now), "heartbeat_at": last.at if last else None}


async def _keys(store: Store, now: float) -> Report:
    """The number of API keys, and of those that are valid."""
    keys = await store.keys()
    return {"made": len(keys), "working": sum(key.problem(now) is None for key in keys)}


def _server(server: Server, names: ModelNames) -> Report:
    models = [name for name in names.get((server.name, 0), []) if name.startswith(f"{server.name}/")]
    return {"server": server.name, "kind": "openai_server", "base_url": server.base_url, "models": models}


async def _site(store: Store, site: Site, names: ModelNames, now: float) -> Report:
    state = await store.site_state(site.origin)
    return {
        "site": site.origin,
        "kind": state.current.plugin if state else None,
        "page": state.current.page_url if state else site.url,
        "named_page": site.url,
        "is_other_page": bool(state and state.current.is_on_other_page(site.url)),
        "credentials": _credentials(state.current, now) if state else None,
        "bots": [_bot(bot, names.get((site.host, bot.id), [])) for bot in (state.bots if state else ())],
        "visits": [_visit(visit) for visit in await store.visits(site.origin, limit=VISITS_SHOWN)],
    }


def _credentials(credentials: Credentials, now: float) -> Report:
    renew_by = credentials.nonce_checked_at + text.NONCE_SURE_SECONDS
    return {
        "source": credentials.source,
        "is_manual": credentials.is_manual,
        "generation": credentials.generation,
        "captured_at": credentials.captured_at,
        "age_seconds": round(now - credentials.captured_at, 1),
        "nonce_checked_at": credentials.nonce_checked_at,
        "nonce_renew_by": renew_by,
        "nonce_may_have_expired": now > renew_by,
        "session": text.session(credentials.session_id),
        "cookie": text.cookie(credentials.cookie),
        "post_id": credentials.post_id,
    }


def _bot(bot: Bot, models: list[str]) -> Report:
    return {"id": bot.id, "name": bot.name, "provider": bot.provider, "models": models}


def _visit(visit: Visit) -> Report:
    plain = to_plain(visit)
    return {name: plain[name] for name in _OF_VISIT}


def is_usable(report: Report) -> bool:
    """Whether requests can be answered, or could be once a proxy runs."""
    has_any = any(site["credentials"] for site in report["sites"]) or bool(report["servers"])
    return has_any and (report["proxy"]["ready"] or not report["proxy"]["running"])
