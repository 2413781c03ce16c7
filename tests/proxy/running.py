"""Run a proxy in front of the simulated site."""

import asyncio
import io
import json
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any, Protocol

import aiohttp
import openai
import pytest
from aiohttp import web, web_app

import proxy.chat.conversations
from proxy.api.app_keys import CHAT, CONVERSATIONS, RESPONSES, UPSTREAMS, USAGE
from proxy.api.images.addresses import Address
from proxy.api.images.download import is_elsewhere
from proxy.api.responses.service import Responses
from proxy.app import open_app
from proxy.chat.service import ChatService
from proxy.chat.upstream import Upstream
from proxy.server.in_flight import IN_FLIGHT
from shared.models import Capture, Credentials
from shared.parsing import site as parse_site
from shared.plugins.aipkit.page import read_configs
from shared.settings import Settings, load
from shared.site_client import tls
from shared.store import Store, open_store
from shared.store.sqlite.store import open_sqlite

SESSION_ID = "11111111-2222-4333-8444-555555555555"
NOW = 1_795_400_000.0
ERROR_TYPES = {  # other statuses have OpenAI's general ones
    403: {"permission_error"},
    429: {"rate_limit_error", "insufficient_quota", "requests", "tokens"},
}


class VisitedSite(Protocol):
    """A site with a page that shows chats: the simulated one, or one of a test's own."""

    @property
    def url(self) -> str:
        """The page; `all/` below it shows every chat."""

    @property
    def origin(self) -> str:
        """Scheme, host and port."""

    @property
    def nonce(self) -> str:
        """The nonce that the site accepts now."""


@dataclass
class RunningProxy:
    """A running proxy with its clients, store and settings."""

    url: str
    store: Store
    settings: Settings
    http: aiohttp.ClientSession
    openai: openai.AsyncOpenAI  # the official client, without retries of its own: each answer is seen as it is
    app: web.Application

    async def takes(self, taken: Capture, *, base: int) -> None:
        """Store a new capture, and wait until the proxy uses it."""
        current = await self.store.save_capture(taken, base=base)
        assert current is not None
        upstream = next(each for each in self.app[UPSTREAMS] if each.name == current.site)
        async with asyncio.timeout(5):
            while (held := upstream.health().credentials) is None or held.generation < current.generation:
                await asyncio.sleep(0.005)

    async def write_usage(self) -> None:
        """Flush the recorded usage, which is otherwise written within a second."""
        await self.app[USAGE]._flush()

    async def chat(self, *messages: dict[str, Any] | str, model: str = "gpt-4o-mini-helper", **fields: Any) -> Any:
        """Post a chat request; returns the status, the parsed body and the headers."""
        sent = [{"role": "user", "content": item} if isinstance(item, str) else item for item in messages]
        body = {"model": model, "messages": sent, **fields}
        data = io.BytesIO(json.dumps(body).encode())
        async with self.http.post(f"{self.url}/v1/chat/completions", data=data) as response:
            return Answered(response.status, await response.json(), response.headers)


@dataclass
class Answered:
    """A complete response. An error's type must suit its status."""

    status: int
    body: Any
    headers: Mapping[str, str]

    def __post_init__(self) -> None:
        error = self.body.get("error") if isinstance(self.body, dict) else None
        if self.status >= 400 and isinstance(error, dict):
            by_status = "server_error" if self.status >= 500 else "invalid_request_error"
            assert error["type"] in ERROR_TYPES.get(self.status, {by_status}), self.body

    @property
    def text(self) -> str:
        """The answer's text."""
        assert self.status == 200, self.body
        return str(self.body["choices"][0]["message"]["content"])

    @property
    def code(self) -> str:
        """The error's code."""
        return str(self.body["error"]["code"])


def _configs(page: str) -> list[str]:
    """Values of the attributes `data-config` in *page*. A parser of the whole page takes ten times as long."""
    found = re.findall(r"\bdata-config='([^']+)'", page)
    return [unescape(value.replace("&quot;", '"')) for value in found]  # almost all that is escaped


async def capture(site: VisitedSite, page: str = "all/", *, cookie: str = "") -> Capture:
    """Return what a visit of *page* would capture, read over plain HTTP."""
    connector = aiohttp.TCPConnector(ssl=tls.context())  # by today's environment, which may name other authorities
    async with (
        aiohttp.ClientSession(connector=connector, trust_env=True) as session,
        session.get(site.url + page) as response,
    ):
        config = read_configs(_configs(await response.text()), {})
    assert config is not None
    return Capture(
        credentials=Credentials(
            site=site.origin,
            ajax_url=config.ajax_url,
            page_url=site.url + page,
            cookie=cookie,
            nonce=site.nonce,
            session_id=SESSION_ID,
            post_id=config.post_id,
            user_agent="Visitor/1.0",
            source="visit",
            captured_at=NOW,
            nonce_checked_at=NOW,
        ),
        bots=config.bots,
        identity="{}",
    )


async def wait_until_idle(running: RunningProxy) -> None:
    """Wait until no request is in progress, those of disconnected clients included."""
    async with asyncio.timeout(10):
        while running.app[IN_FLIGHT].count:
            await asyncio.sleep(0.005)


def short_store_timeout(patch: pytest.MonkeyPatch) -> None:
    """Make proxies started from now on wait half a second for an unavailable or locked store."""
    patch.setattr(proxy.chat.conversations, "PATIENCE_SECONDS", 0.5)
    patch.setitem(open_sqlite.__wrapped__.__kwdefaults__, "busy_timeout", 0.5)  # type: ignore[attr-defined]


@asynccontextmanager
async def _with_upstreams(
    app: web.Application,
    store: Store,
    settings: Settings,
    edit_upstreams: Callable[[Sequence[Upstream]], Sequence[Upstream]] | None,
) -> AsyncIterator[None]:
    """Replace the upstreams of *app*."""
    if edit_upstreams is None:
        yield
        return
    upstreams = edit_upstreams(app[UPSTREAMS])
    chats = ChatService(store, upstreams, settings)
    app[CHAT], app[UPSTREAMS] = chats, upstreams
    app[RESPONSES] = Responses(store, chats, app[CONVERSATIONS])
    flushing = asyncio.create_task(chats.copies.keep_flushing())
    try:
        yield
    finally:
        flushing.cancel()
        await asyncio.wait({flushing})
        await chats.copies.flush()


@asynccontextmanager
async def running_proxy(
    site: VisitedSite,
    data_dir: Path,
    *,
    more_sites: Sequence[VisitedSite] = (),
    key: str | None = None,
    captured: bool = True,
    is_fetchable: Callable[[Address], bool] = is_elsewhere,
    edit_upstreams: Callable[[Sequence[Upstream]], Sequence[Upstream]] | None = None,
    **settings: Any,
) -> AsyncIterator[RunningProxy]:
    """A proxy on a free port, in front of *site* and then *more_sites*.

    With *captured*, the store holds what a visit of each would have brought. *is_fetchable*: where pictures may be
    fetched from. *edit_upstreams*: all upstreams in their order, of those that are these sites.
    """
    sites = (site, *more_sites)
    loaded = load(sites=tuple(parse_site(each.url) for each in sites), data_dir=data_dir, **settings)
    async with open_store(loaded.store_url) as store:
        for each in sites:
            if captured and await store.site_state(each.origin) is None:
                await store.save_capture(await capture(each), base=0)
        async with (
            open_app(loaded, store, key=key, allowed=is_fetchable) as app,
            _with_upstreams(app, store, loaded, edit_upstreams),
            aiohttp.ClientSession() as http,
        ):
            runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.2, auto_decompress=False)
            await runner.setup()
            try:
                listener = web.TCPSite(runner, "127.0.0.1", 0)
                await listener.start()
                url = f"http://127.0.0.1:{listener.port}"
                plain = openai.DefaultAsyncHttpxClient(verify=False)  # there is nothing to verify; to load how is slow
                async with openai.AsyncOpenAI(
                    base_url=f"{url}/v1", api_key="unused", max_retries=0, http_client=plain
                ) as client:
                    yield RunningProxy(url, store, loaded, http, client, app)
            finally:
                await runner.cleanup()
                web_app._cached_build_middleware.cache_clear()  # it would keep hundreds of apps, with all they hold
