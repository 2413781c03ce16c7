"""The simulated site as a running server: its state, and the way from a request to its answer."""

import ssl
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import TracebackType
from typing import Self

from aiohttp import web

from tests.site.admin_ajax import admin_ajax
from tests.site.behaviour import Behaviour
from tests.site.bots import DEFAULT_BOTS, SiteBot
from tests.site.control import PATH as CONTROL_PATH
from tests.site.control import control
from tests.site.history import History, Row
from tests.site.message_cache import MessageCache
from tests.site.nonces import Nonces, token_in
from tests.site.pages import inserted_chats, page
from tests.site.rates import Rates
from tests.site.records import MAX_FIELD_CHARS, Message, ModelCall, SeenRequest, StoredMessage, remember
from tests.site.resources import is_resource, resource, third_party
from tests.site.streams import OpenStreams

HOST = "127.0.0.1"
SHUTDOWN_SECONDS = 0.1

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class SimulatedSite:
    """A WordPress site with the chat plugin, for one test. Use as an async context manager.

    *page* is the form of the page at `/`. *base_path* (such as `/blog`) puts the whole site in a sub-folder. *host* is
    the address it has and listens on; *name* is another one in its own links. With *tls* it speaks TLS. `front_port`,
    where it is set, is the port of something that stands before it.
    """

    def __init__(
        self,
        bots: Sequence[SiteBot] = DEFAULT_BOTS,
        page: str = "inline",
        *,
        port: int = 0,
        base_path: str = "",
        host: str = HOST,
        name: str = "",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.bots = {bot.id: bot for bot in bots}
        self.base_path = base_path
        self.behaviour = Behaviour()
        self.behaviour.update({"page": page})
        self.nonces = Nonces(self.behaviour)
        self.cache = MessageCache(self.behaviour)
        self.history = History()
        self.rates = Rates()
        self.responses: dict[str, list[Message]] = {}  # what the models remember by their own ids
        self.requests: list[SeenRequest] = []
        self.request_counts: Counter[str] = Counter()  # by action, or by path where there is none
        self.model_calls: list[ModelCall] = []
        self.model_call_count = 0
        self.resource_hits: Counter[str] = Counter()
        self.streams = OpenStreams()
        self.unfinished_pages = OpenStreams()
        self.third_party_port = 0
        self.front_port = 0
        self._name = name or host
        self._tls = tls
        self._host = host
        self._port = port
        self._runners: list[web.ServerRunner] = []

    async def __aenter__(self) -> Self:
        self.third_party_port = await self._listen(self._answer_as_third_party, 0)
        self._port = await self._listen(self._answer, self._port, self._tls)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Stop listening and end all open answers at once."""
        self.streams.cancel_all()
        self.unfinished_pages.cancel_all()
        while self._runners:
            await self._runners.pop().cleanup()

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"http{'s' if self._tls else ''}://{self._name}:{self.front_port or self._port}"

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._port

    @property
    def other_host(self) -> str:
        """Another name, and the port, under which the site answers."""
        return f"localhost:{self._port}"

    @property
    def url(self) -> str:
        """The page with the chat."""
        return f"{self.origin}{self.base_path}/"

    @property
    def ajax_url(self) -> str:
        """The one address of the protocol."""
        return f"{self.url}wp-admin/admin-ajax.php"

    @property
    def nonce(self) -> str:
        """The nonce of all guests now."""
        return self.nonces.current()

    @property
    def logs(self) -> Mapping[Row, list[StoredMessage]]:
        """The site's conversations by bot id, session id and conversation uuid."""
        return self.history.rows

    @property
    def open_streams(self) -> int:
        """How many event streams are open."""
        return len(self.streams)

    @property
    def aborted_streams(self) -> int:
        """How many event streams ended because the client went away (or the site was closed)."""
        return self.streams.aborted

    def rotate_nonce(self, *, keep_previous: bool = False) -> None:
        """Refuse all earlier nonces from now on; with *keep_previous* the present one stays valid for a tick."""
        self.nonces.rotate(keep_previous=keep_previous)

    def forget_responses(self) -> None:
        """The models forget what they kept by their own response and interaction ids."""
        self.responses.clear()

    def clear_records(self) -> None:
        """Empty what was recorded for the tests; conversations stay."""
        self.model_call_count = 0
        for record in (self.requests, self.model_calls, self.request_counts, self.resource_hits):
            record.clear()

    def token_of(self, request: web.BaseRequest) -> str:
        """The session token the request's nonce belongs to: empty for guests of an ordinary site."""
        return token_in(request.headers.get("Cookie", "")) if self.behaviour.cookie_bound_nonce else ""

    def record(self, request: web.BaseRequest, action: str, fields: Mapping[str, str]) -> None:
        """Keep one request for the tests."""
        kept = {name: value[:MAX_FIELD_CHARS] for name, value in fields.items()}
        seen = SeenRequest(action, request.method, kept, dict(request.headers), request.path)
        self.request_counts[action or request.path] += 1
        remember(self.requests, seen)

    async def _listen(self, handler: Handler, port: int, tls: ssl.SSLContext | None = None) -> int:
        server = web.Server(handler, access_log=None, handler_cancellation=True)
        runner = web.ServerRunner(server, shutdown_timeout=SHUTDOWN_SECONDS)
        await runner.setup()
        self._runners.append(runner)
        listener = web.TCPSite(runner, self._host, port, ssl_context=tls)
        await listener.start()
        return listener.port

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        response = await self._found(request)
        if self.behaviour.compresses and not response.prepared:
            response.enable_compression(web.ContentCoding.gzip)
        return response

    async def _found(self, request: web.BaseRequest) -> web.StreamResponse:
        path = request.path
        if path == CONTROL_PATH:
            return await control(self, request)
        if not path.startswith(f"{self.base_path}/"):
            return web.Response(status=404)
        below = path.removeprefix(self.base_path)
        if below == "/wp-admin/admin-ajax.php":
            return await admin_ajax(self, request)
        if is_resource(below):
            return await resource(self, below)
        return await page(self, request, below)

    async def _answer_as_third_party(self, request: web.BaseRequest) -> web.StreamResponse:
        return inserted_chats(self, request) or third_party(self, request)
