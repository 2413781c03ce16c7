"""One OpenAI-compatible server as an upstream.

It is stateless, so every turn carries the whole history; tools, response formats and sampling parameters are native.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from time import monotonic, time
from typing import Any

from proxy.chat.ask import Ask, ContentPart, Media
from proxy.chat.emulation import new_call_id
from proxy.chat.history import size_of
from proxy.chat.offload import offload
from proxy.chat.tools.definitions import ToolConfig
from proxy.chat.upstream import (
    AnswerSink,
    EmbeddingsResponse,
    End,
    Health,
    Problem,
    Refusal,
    RefusalReason,
    RetryBudget,
    UpstreamBots,
    UpstreamCopy,
)
from proxy.upstreams.gate import Gate, Permit
from proxy.upstreams.openai_server.attempt import Attempt
from proxy.upstreams.openai_server.complaints import BESIDE_PROMPT, learned_from
from proxy.upstreams.openai_server.embeddings import read_embeddings
from proxy.upstreams.openai_server.listing import InvalidListing, read_models
from proxy.upstreams.openai_server.options import has_pictures_of_before
from proxy.upstreams.openai_server.quirks import Quirks
from proxy.upstreams.openai_server.reader import ChunkReader
from proxy.upstreams.openai_server.refusals import cut_off, from_status, read_body, silent, unreachable
from proxy.upstreams.openai_server.requests import TAKEN, encoded, request_body
from shared.conversations import Message, Note
from shared.models import Bot
from shared.parsing import Server
from shared.site_client.client import USER_AGENT, Response, SiteClient, read_bounded, read_error
from shared.site_client.errors import SiteTimeout, SiteUnreachable

LISTING_SECONDS = 10.0  # longest wait for the models
LISTED_PAUSE = 60.0  # between two looks at them
AWAY_PAUSE = 5.0  # while they cannot be had
MAX_EMBEDDING_BYTES = 64 * 1024**2  # 2048 vectors of 1536 numbers as text are half of it
PATIENCE_SECONDS = 3.0  # how long a request waits for the first look
_UNKNOWN = Problem("upstream_unreachable", "its models are not known yet")

log = logging.getLogger(__name__)


class OpenAiServer:
    """The upstream behind one server. Run `keep_listing` as a task for as long as requests are served."""

    kind = "openai_server"
    supported_parameters = TAKEN

    def __init__(self, server: Server, key: str, gate: Gate, client: SiteClient, *, idle_timeout: float) -> None:
        """*key*: its API key; empty: none is sent. *idle_timeout*: the longest silence in an answer, seconds."""
        self.name = server.name
        self.gate = gate
        self._server = server
        self._key = key
        self._client = client
        self._idle_timeout = idle_timeout
        self._numbers: dict[str, int] = {}
        self._bots = UpstreamBots(server.site, (), 0.0, self, is_server=True)
        self._trouble: Problem | None = _UNKNOWN
        self._wanted, self._looked = asyncio.Event(), asyncio.Event()
        self._looked_at = -AWAY_PAUSE
        self._quirks: dict[int, Quirks] = {}

    def rank(self, bot: Bot) -> int:
        """As `Upstream.rank`."""
        return 3 if self._trouble else self.gate.rank(bot.id)

    def has_tools(self, bot: Bot) -> bool:
        """As `Upstream.has_tools`."""
        return bot.id not in self._quirks or self._quirks[bot.id].takes_tools

    def takes(self, bot: Bot, config: ToolConfig | None) -> bool:
        """As `Upstream.takes`."""
        return bot.id not in self._quirks or self._quirks[bot.id].takes(config)

    def health(self) -> Health:
        """As `Upstream.health`."""
        return self.gate.health(self.kind, self._trouble, bots=len(self._bots.bots))

    def scope(self, bot: Bot, history: Sequence[Message], note: Note | None = None) -> tuple[str, ...] | None:
        """As `Upstream.scope`: it holds no copies."""
        return None

    @property
    def is_discovered(self) -> bool:
        """As `Upstream.is_discovered`."""
        return bool(self._bots.discovered_at)

    def bots(self) -> UpstreamBots:
        """As `Upstream.bots`."""
        return self._bots

    async def discover(self) -> None:
        """As `Upstream.discover`; one look serves all who wait, and of a server that is away the last one does."""
        if not self.is_discovered and monotonic() - self._looked_at >= AWAY_PAUSE:
            looked = self._looked
            self._wanted.set()
            with suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await looked.wait()
        if not self.is_discovered:
            raise unreachable(self.name, (self._trouble or _UNKNOWN).text).error

    async def keep_listing(self) -> None:
        """Look for its models again and again; never ends by itself."""
        while True:
            await self._look()
            self._looked.set()
            self._looked, self._looked_at = asyncio.Event(), monotonic()
            with suppress(TimeoutError):
                async with asyncio.timeout(AWAY_PAUSE if self._trouble else LISTED_PAUSE):
                    await self._wanted.wait()
            self._wanted.clear()

    async def _look(self) -> None:
        """Learn what it lists. While it is away, what it listed last stays."""
        before = self._trouble
        try:
            reply = await self._client.get(f"{self._server.base_url}/models", self._headers(), timeout=LISTING_SECONDS)
            bots = self._listed(reply)
        except (SiteUnreachable, InvalidListing) as error:
            self._trouble = Problem("upstream_unreachable", f"the server cannot be reached or lists no models: {error}")
        except Refusal as refusal:
            self._trouble = Problem(refusal.error.code, refusal.error.message)
        else:
            self._trouble = None
            self.gate.revived()
            if bots != self._bots.bots or not self.is_discovered:
                at = self._bots.discovered_at or time()
                self._bots = UpstreamBots(self._server.site, bots, at, self, is_server=True)
        if self._trouble != before:
            found = self._trouble.text if self._trouble else f"{len(self._bots.bots)} models"
            log.info("server %s: %s", self.name, found)

    def _listed(self, reply: Response) -> tuple[Bot, ...]:
        if reply.status == 404:  # which elsewhere is about a model
            raise InvalidListing("HTTP 404; FREEAICHAT_SERVERS takes its base URL, as a rule with /v1 at its end")
        if reply.status != 200:
            raise from_status(self.name, reply.status, reply.headers, read_body(reply.body, self._key))
        return read_models(reply.body, self._numbers)

    async def answer(self, ask: Ask, bot: Bot, held: UpstreamCopy | None, sink: AnswerSink, budget: RetryBudget) -> End:
        """As `Upstream.answer`."""
        async with self.gate.enter(bot.id, ask.caller) as permit:
            while True:
                budget.left -= 1
                quirks = self._quirks.get(bot.id, Quirks())
                ask = _without_refused(ask, quirks, sink)
                try:
                    return await self._attempt(ask, bot, quirks, sink, permit)
                except Refusal as refusal:
                    if not budget.may_retry:
                        raise
                    if (other := self._learn(refusal, quirks, ask, bot)) is not None:
                        ask = other
                        budget.left += 1  # what was learned is no attempt in vain
                        if not self.takes(bot, ask.tool_config):
                            raise  # it is emulated from now on
                        continue
                    if not _may_be_restarting(refusal, budget):
                        raise
                async with permit.outside():
                    await asyncio.sleep(budget.pause)

    async def _attempt(self, ask: Ask, bot: Bot, quirks: Quirks, sink: AnswerSink, permit: Permit) -> End:
        size = size_of(ask.messages) + sum(map(_size, ask.media.values()))
        body = await offload(size, lambda: request_body(ask, bot.name, quirks))
        reader = self._reader(ask)
        attempt = Attempt(
            *(self._client, self._server, self._key),
            reader=reader,
            sink=sink,
            permit=permit,
            is_listed=self._trouble is None,
        )
        await attempt.run(body, self._headers(), self._idle_timeout)
        end = reader.end()
        if reader.reasoning_field:
            known = self._quirks.get(bot.id, quirks)  # others may have learnt more meanwhile
            self._quirks[bot.id] = known.after_thoughts(reader.reasoning_field)
        self._trouble = None
        return end

    def _learn(self, refusal: Refusal, quirks: Quirks, ask: Ask, bot: Bot) -> Ask | None:
        """What to ask in place of *ask*, now that the quirks are known which *refusal* tells of; None: it tells of
        none."""
        if refusal.reason is not RefusalReason.MESSAGE and refusal.error.code != "not_supported":
            return None
        complaint = refusal.error.message
        if ask.max_tokens and BESIDE_PROMPT in complaint:
            return replace(ask, max_tokens=None)  # then the server's limit is what is left
        other = learned_from(complaint, quirks, ask)
        if other is None or other == quirks:
            return None
        self._quirks[bot.id] = other
        return ask

    async def embed(self, request: Mapping[str, Any], bot: Bot, caller: str, budget: RetryBudget) -> EmbeddingsResponse:
        """As `Embedder.embed`."""
        async with self.gate.enter(bot.id, caller) as permit:
            while True:
                budget.left -= 1
                try:
                    return await self._embed(request)
                except Refusal as refusal:
                    if not budget.may_retry or not _may_be_restarting(refusal, budget):
                        raise
                async with permit.outside():
                    await asyncio.sleep(budget.pause)

    async def _embed(self, request: Mapping[str, Any]) -> EmbeddingsResponse:
        name, url = self.name, f"{self._server.base_url}/embeddings"
        try:
            body, idle_timeout = encoded(request), self._idle_timeout
            async with self._client.stream(url, self._headers(), idle_timeout=idle_timeout, body=body) as reply:
                is_made = reply.status // 100 == 2
                whole = read_bounded(reply.body, MAX_EMBEDDING_BYTES + 1) if is_made else read_error(reply.body)
                answer = await whole
        except SiteTimeout as error:
            raise silent(name, str(error), has_begun=False) from error
        except SiteUnreachable as error:
            raise unreachable(name, str(error)) from error
        if len(answer) > MAX_EMBEDDING_BYTES:
            raise cut_off(name, f"it is larger than {MAX_EMBEDDING_BYTES} bytes", has_begun=False)
        if not is_made:
            error_body = read_body(answer, self._key)
            raise from_status(name, reply.status, reply.headers, error_body, is_listed=self._trouble is None)
        made = await offload(len(answer), lambda: read_embeddings(answer, request))
        if made is None:
            raise from_status(name, 0, {}, read_body(answer, self._key))
        return made

    def _reader(self, ask: Ask) -> ChunkReader:
        return ChunkReader(
            *(self.name, ask.tool_config, new_call_id),
            key=self._key,
            wants_extras=ask.wants_extras,
            logprobs=bool(ask.parameters.get("logprobs")),
            stops=ask.stops,
        )

    def _headers(self) -> dict[str, str]:
        key = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        return {"User-Agent": USER_AGENT, "Content-Type": "application/json", **key}


def _may_be_restarting(refusal: Refusal, budget: RetryBudget) -> bool:
    """Whether the server is worth a pause: nothing listens there, and no other is asked next."""
    return refusal.error.code == "upstream_unreachable" and not budget.has_alternative


def _size(media: Media) -> int:
    return media.size if isinstance(media, ContentPart) else len(media.base64)


def _without_refused(ask: Ask, quirks: Quirks, sink: AnswerSink) -> Ask:
    """*ask* without what its model refuses and can be left out; its client is told of it."""
    if ignored := quirks.left_out(ask):
        sink.ignored(ignored)
    if not quirks.takes_pictures and has_pictures_of_before(ask):
        sink.dropped("images", ask.pictures(ask.messages, limit=0)[1])
        return replace(ask, media={})
    return ask
