"""Putting the proxy together. Nothing happens at import."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from proxy.access import Access
from proxy.chat import ChatService
from proxy.credentials import CredentialKeeper
from proxy.handlers import chat, conversations, health, models
from proxy.keys import CHAT, KEEPER, SETTINGS
from proxy.middleware import access, add_headers, errors, request_ids
from proxy.routes import add_api
from proxy.tidying import tidy
from proxy.upstream import Upstream
from shared.http import SiteClient
from shared.settings import Settings
from shared.store import Store


@asynccontextmanager
async def open_app(settings: Settings, store: Store, *, key: str | None) -> AsyncIterator[web.Application]:
    """The application with everything it needs running. *key*: the master key, None for open loopback use."""
    async with SiteClient() as client:
        keeper = CredentialKeeper(settings.sites, store, client)
        upstream = Upstream(client, keeper, max_streams=settings.max_upstream)
        service = ChatService(store, keeper, upstream, aliases=settings.models, default_model=settings.default_model)
        tasks = [asyncio.create_task(keeper.watch()), asyncio.create_task(tidy(store, settings))]
        try:
            yield _build(settings, keeper, service, key)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def _build(settings: Settings, keeper: CredentialKeeper, service: ChatService, key: str | None) -> web.Application:
    rules = Access(key=key, cors_origins=settings.cors_origins)
    app = web.Application(middlewares=[request_ids(), errors(), access(rules)], client_max_size=settings.max_body)
    app.on_response_prepare.append(add_headers)
    app[SETTINGS], app[KEEPER], app[CHAT] = settings, keeper, service
    app.router.add_get("/", health.root)
    app.router.add_get("/healthz", health.healthz)
    app.router.add_get("/readyz", health.readyz)
    add_api(app, "/chat/completions", [("POST", chat.create_completion)])
    add_api(app, "/models", [("GET", models.list_models)])
    add_api(app, "/models/{id}", [("GET", models.retrieve_model)])
    add_api(app, "/conversations", [("POST", conversations.create_conversation)])
    return app
