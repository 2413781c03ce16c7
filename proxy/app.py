"""Builds the application from its parts. Nothing happens at import."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial

from aiohttp import web

from proxy.access.keyring import Keyring
from proxy.access.rate_limits import RateLimiter
from proxy.access.rules import AccessRules
from proxy.api.admin.service import Administration
from proxy.api.app_keys import (
    ACCESS,
    ADMINISTRATION,
    BACKGROUND,
    CHAT,
    CONVERSATIONS,
    LIMITS,
    PEERS,
    PICTURES,
    RESPONSES,
    SETTINGS,
    STORE_TROUBLE,
    UPSTREAMS,
    USAGE,
)
from proxy.api.images.addresses import Address
from proxy.api.images.download import Downloader, is_elsewhere
from proxy.api.images.fetching import PictureFetcher
from proxy.api.images.reading import MAX_IMAGE_BYTES
from proxy.api.responses.service import Responses
from proxy.api.routes import add_routes
from proxy.chat.conversations import Conversations
from proxy.chat.pruning import keep_pruning
from proxy.chat.service import ChatService
from proxy.chat.upstream import Upstream
from proxy.server.background import BackgroundTasks
from proxy.server.in_flight import IN_FLIGHT, InFlight
from proxy.server.middleware import add_headers, serve
from proxy.server.peers import PeerWorkers
from proxy.upstreams.ai_engine.site import AiEngineSite
from proxy.upstreams.aipkit.planning import MemoryPolicy
from proxy.upstreams.aipkit.site import AipkitSite
from proxy.upstreams.gate import Gate
from proxy.upstreams.openai_server.server import OpenAiServer
from proxy.upstreams.shared_slots import SharedSlots
from proxy.upstreams.site.credentials import CredentialKeeper
from proxy.upstreams.site.plugin_site import Limits, PluginSite
from proxy.usage.recorder import UsageRecorder
from proxy.usage.worker_stats import collect_stats
from shared.models import AI_ENGINE, AIPKIT
from shared.secrets import read_master_key
from shared.settings import Settings
from shared.site_client.client import SiteClient
from shared.store import Store, StoreError


@asynccontextmanager
async def open_app(
    settings: Settings, store: Store, *, key: str | None, allowed: Callable[[Address], bool] = is_elsewhere
) -> AsyncIterator[web.Application]:
    """Build the application, with all that it needs running.

    *key*: the master key, None for open loopback use. *allowed*: where pictures may be fetched from.
    """
    async with SiteClient() as client, Downloader(MAX_IMAGE_BYTES, allowed=allowed) as downloader:
        keeper = CredentialKeeper(settings.sites, store, client)
        await keeper.load()
        keyring = Keyring(store, lambda: None if key else read_master_key(settings.data_dir))
        with suppress(StoreError):  # it goes on trying
            await keyring.load()
        usage = UsageRecorder(store)
        policy = MemoryPolicy(settings.history, settings.history_limit)
        limits = Limits(settings.max_transcript, settings.idle_timeout)
        gates = {site.origin: Gate(site.origin, settings.max_upstream) for site in settings.sites}
        keeper.on_renewed = lambda origin: gates[origin].revived()
        sites = [
            PluginSite(
                site,
                gates[site.origin],
                keeper,
                {
                    AIPKIT: AipkitSite(gates[site.origin], keeper, client, policy=policy, limits=limits),
                    AI_ENGINE: AiEngineSite(gates[site.origin], keeper, client, limits=limits),
                },
            )
            for site in settings.sites
        ]
        servers = [
            OpenAiServer(
                server,
                settings.server_key(server),
                Gate(server.name, settings.max_server),
                client,
                idle_timeout=settings.idle_timeout,
            )
            for server in settings.servers
        ]
        upstreams: list[Upstream] = [*sites, *servers]
        limited = [*gates.values(), *(server.gate for server in servers)]
        shared_slots = [SharedSlots(store, gate.site, gate.slots) for gate in limited]
        await asyncio.gather(*(each.claim() for each in shared_slots))
        chats = ChatService(store, upstreams, settings)
        background = BackgroundTasks()
        background.start("following credentials", keeper.watch)
        background.start("following keys", keyring.watch)
        background.start("tidying the store", partial(keep_pruning, store, settings))
        background.start("keeping continued conversations", chats.copies.keep_flushing)
        background.start("keeping usage", usage.keep_flushing)
        for server in servers:
            background.start("listing the models of a server", server.keep_listing)
        for each in shared_slots:
            background.start("sharing the slots of a site", each.keep)
        try:
            rules = AccessRules(keyring, key=key, cors_origins=settings.cors_origins)
            app = web.Application(middlewares=[serve], client_max_size=settings.max_body)
            app.on_response_prepare.append(add_headers)
            add_routes(app)
            app[SETTINGS], app[ACCESS] = settings, rules
            app[IN_FLIGHT] = InFlight(settings.max_requests, settings.max_bodies)
            app[ADMINISTRATION] = Administration(settings, store, rules, keyring)
            app[USAGE], app[LIMITS] = usage, RateLimiter(store, usage.unwritten_tokens)
            app[CHAT], app[CONVERSATIONS], app[BACKGROUND] = chats, Conversations(store), background
            app[UPSTREAMS], app[STORE_TROUBLE] = upstreams, lambda: _store_trouble(keeper, shared_slots)
            app[PEERS] = PeerWorkers(
                lambda: collect_stats(str(os.getpid()), usage.totals, [upstream.health() for upstream in upstreams])
            )
            app[RESPONSES] = Responses(store, chats, app[CONVERSATIONS])
            app[PICTURES] = PictureFetcher(downloader, app[IN_FLIGHT].hold)
            yield app
        finally:
            await background.stop()
            await keeper.finish_storing()
            await asyncio.gather(*(each.leave() for each in shared_slots))
            await usage.close()
            with suppress(StoreError):  # the transcripts serve as well
                await chats.copies.flush()


def _store_trouble(keeper: CredentialKeeper, shared_slots: Sequence[SharedSlots]) -> str | None:
    """Why the store cannot be used now: credentials are read from it all the time, and slots written."""
    return keeper.store_trouble or next((each.store_trouble for each in shared_slots if each.store_trouble), None)
