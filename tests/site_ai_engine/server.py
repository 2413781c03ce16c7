"""The simulated AI Engine site as a running server: its state, and the way from a request to its answer."""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Any, Self, cast

from aiohttp import web

from tests.site import Behaviour as OtherBehaviour
from tests.site import SimulatedSite
from tests.site.admin_ajax import admin_ajax
from tests.site.nonces import Nonces
from tests.site.records import Message, remember
from tests.site.streams import OpenStreams
from tests.site_ai_engine.behaviour import Behaviour
from tests.site_ai_engine.bots import DEFAULT_BOTS, EngineBot
from tests.site_ai_engine.control import PATH as CONTROL_PATH
from tests.site_ai_engine.control import control
from tests.site_ai_engine.pages import REST_PAGES, page, rest_pages
from tests.site_ai_engine.records import ModelCall, SeenRequest
from tests.site_ai_engine.rest import RestCall, rest, start_session, upload
from tests.site_ai_engine.submit import submit

HOST = "127.0.0.1"
SHUTDOWN_SECONDS = 0.1


class SimulatedAiEngine:
    """A WordPress site with the AI Engine plugin, for one test. Use as an async context manager.

    *base_path* (such as `/blog`) puts the whole site in a sub-folder. *plain_permalinks*: its REST API is only under
    `index.php?rest_route=`. *also*: another plugin on the same site, which answers what is posted to admin-ajax.
    """

    def __init__(
        self,
        bots: Sequence[EngineBot] = DEFAULT_BOTS,
        *,
        port: int = 0,
        base_path: str = "",
        plain_permalinks: bool = False,
        also: SimulatedSite | None = None,
    ) -> None:
        self.everything = tuple(bots)
        self.bots = {bot.id: bot for bot in bots if bot.custom_id is None}
        self.custom_bots = {bot.custom_id: bot for bot in bots if bot.custom_id}
        self.shown: Sequence[EngineBot] = [bot for bot in bots if bot.custom_id is None]
        self.base_path = base_path
        self.also = also
        self.more_markup = ""
        self.behaviour = Behaviour()
        self.nonces = Nonces(cast(OtherBehaviour, self.behaviour))
        self.rendered: dict[str, float] = {}  # when a shortcode's own settings were last shown
        self.files: dict[str, bytes] = {}
        self.requests: list[SeenRequest] = []  # to the REST API
        self.php_sessions: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self.pages: list[SeenRequest] = []
        self.route_counts: Counter[str] = Counter()  # requests, by route or path
        self.model_calls: list[ModelCall] = []
        self.model_call_count = 0
        self.overrides: list[str] = []  # keys of submitted bodies that change what the operator set
        self.reply_changes: dict[str, Any] = {}  # put over the object that ends each answer
        self.responses: dict[str, list[Message]] = {}  # what the provider remembers: the last turn, by its own id
        self.streams = OpenStreams()
        self.unfinished_pages = OpenStreams()
        self.routes: dict[str, Callable[[RestCall], Awaitable[web.StreamResponse]]] = {
            "/mwai/v1/start_session": start_session,
            "/mwai-ui/v1/chats/submit": submit,
            "/mwai-ui/v1/files/upload": upload,
        }
        self._plain = plain_permalinks
        self._port = port
        self._runner: web.ServerRunner | None = None

    async def __aenter__(self) -> Self:
        server = web.Server(self._answer, access_log=None, handler_cancellation=True)
        self._runner = web.ServerRunner(server, shutdown_timeout=SHUTDOWN_SECONDS)
        await self._runner.setup()
        listener = web.TCPSite(self._runner, HOST, self._port)
        await listener.start()
        self._port = listener.port
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Stop listening and end all open answers at once."""
        self.streams.cancel_all()
        self.unfinished_pages.cancel_all()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"http://{HOST}:{self._port}"

    @property
    def url(self) -> str:
        """The page with the chats."""
        return f"{self.origin}{self.base_path}/"

    @property
    def rest_url(self) -> str:
        """What routes are put behind, as they are."""
        return f"{self.url}index.php?rest_route=" if self._plain else f"{self.url}wp-json"

    @property
    def nonce(self) -> str:
        """The nonce of all guests now."""
        return self.nonces.current()

    def render(self, custom_id: str) -> None:
        """A page shows the shortcode whose settings have this name: they live for another day."""
        self.rendered[custom_id] = time.time()

    def rotate_nonce(self, *, keep_previous: bool = False) -> None:
        """Refuse all earlier nonces from now on; with *keep_previous* the present one stays valid for a tick."""
        self.nonces.rotate(keep_previous=keep_previous)

    def requests_to(self, route: str) -> list[SeenRequest]:
        """The requests to *route* so far."""
        return [seen for seen in self.requests if route in seen.path]

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path == CONTROL_PATH:
            return await control(self, request)
        below = request.path.removeprefix(self.base_path)
        if below == "/wp-admin/admin-ajax.php" and self.also is not None:
            return await admin_ajax(self.also, request)
        route = self._route(request, below)
        if route is None:
            self.route_counts[below] += 1
            remember(self.pages, SeenRequest(request.method, request.path_qs, dict(request.headers)))
            return await page(self, request, below)
        if request.method == "GET" and route.startswith(f"{REST_PAGES}/"):
            return rest_pages(self, request, route.removeprefix(f"{REST_PAGES}/"))
        return await rest(self, request, route)

    def _route(self, request: web.BaseRequest, below: str) -> str | None:
        if "rest_route" in request.query:
            return request.query["rest_route"]
        return below.removeprefix("/wp-json") if below.startswith("/wp-json/") and not self._plain else None
