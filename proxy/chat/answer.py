"""One answer in the making: what is sent to a site, what comes back, and where it goes on if that fails."""

import logging
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from time import time

from proxy.api.chat_completions.reply import Ending, annotations
from proxy.api.chat_completions.request import ChatRequest
from proxy.api.images.reading import to_send
from proxy.chat.catalog import Model
from proxy.chat.conversations import new_item_id
from proxy.chat.cutting import Cutter
from proxy.chat.errors import ServiceError
from proxy.chat.ids import random_hex
from proxy.chat.memory import Memory
from proxy.chat.tokens import Usage, estimate_tokens
from proxy.server.bodies import aside, size_of
from proxy.upstreams.aipkit.attempts import Attempts, SiteReply
from proxy.upstreams.aipkit.client import Upstream
from proxy.upstreams.aipkit.direct import Direct
from proxy.upstreams.aipkit.refusals import Kind, SiteRefusal, may_move_on, to_error
from proxy.upstreams.aipkit.requests import SiteTurn
from proxy.upstreams.aipkit.transcript import guard, shorten, transcript
from shared.conversations import Message
from shared.conversations import Upstream as UpstreamCopy
from shared.models import Credentials

MAX_ANSWER_CHARS = 4 * 1024 * 1024  # many times what any model says at once
MAX_ANSWER_PIECES = 256 * 1024

log = logging.getLogger(__name__)

Afterwards = Callable[["Answer"], Awaitable[None]]


class Answer:
    """One answer: `texts` yields it; afterwards `message`, `ending` and `usage` describe it."""

    def __init__(
        self,
        upstream: Upstream,
        request: ChatRequest,
        memory: Memory,
        models: Sequence[Model],
        *,
        name: str,
        max_transcript: int,
        afterwards: Afterwards | None = None,
    ) -> None:
        """*models*: the same one on the sites that offer it, in the order in which they are tried.

        *max_transcript*: characters. *afterwards* is awaited once the answer is whole, before its end is told.
        """
        self.id = f"chatcmpl-{random_hex(16)}"
        self.created = int(time())
        self.model = name
        self.message_id = new_item_id()
        self.left_out = 0  # messages that the site was not sent, since the transcript would have been too long
        self.lost_images = 0  # pictures that the site was not sent, since it takes fewer in one message
        self._upstream = upstream
        self._request = request
        self._memory = memory
        self._models = models
        self._model = models[0]
        self._plan = memory.plan
        self._max_transcript = max_transcript
        self._afterwards = afterwards
        self._cutter = Cutter(request.stops, request.max_tokens)
        self._attempts = Attempts()
        self._reply: SiteReply
        self._parts: list[str] = []
        self.direct: Direct | None = None  # the short way to the client, where there is one
        self._length = 0
        self._asked: int | None = None  # tokens
        self._shortened: tuple[list[Message], int]

    @property
    def conversation_id(self) -> str | None:
        """The stored conversation that the answer belongs to."""
        return self._memory.conversation_id

    @property
    def site(self) -> str:
        """The origin of the site that answers, or was tried last."""
        return self._model.site.origin

    @property
    def message(self) -> Message:
        """The whole answer."""
        return Message(role="assistant", text="".join(self._parts), id=self.message_id)

    @property
    def ending(self) -> Ending:
        """How the answer ended."""
        reader = self._reply.reader
        if self._cutter.reason:
            return Ending(self._cutter.reason, None, [])
        return Ending(reader.finish_reason, reader.refusal, annotations(reader.citations))

    @property
    def usage(self) -> Usage:
        """Estimated tokens of the whole history and of the answer."""
        asked = self._tokens_asked() if self._asked is None else self._asked
        return Usage(asked, estimate_tokens("".join(self._parts)))

    @property
    def headers(self) -> dict[str, str]:
        """Response headers that tell what the client should know of how the answer was got."""
        dropped = {"x-dropped-messages": self.left_out, "x-dropped-images": self.lost_images}
        return {name: str(number) for name, number in dropped.items() if number}

    async def texts(self) -> AsyncGenerator[str, None]:
        """The answer's text as it comes, committed to its conversation at the end. Raises `ServiceError`."""
        await self._memory.begin()
        self._asked = await aside(size_of(self._memory.plan.messages), self._tokens_asked)
        try:
            async with aclosing(self._from_any()) as texts:
                async for text in texts:
                    if kept := self._cutter.feed(text):
                        self._keep(kept)
                        yield kept
                    if self._cutter.reason:
                        break  # the rest is not wanted: leaving drops the upstream
        finally:
            if self.direct is not None:
                self._parts.append(self.direct.drain())  # what the client had got when it left
        if rest := self._cutter.end():
            self._parts.append(rest)
            yield rest
        # The site does not log an answer that was dropped, nor does it hold what it was not sent.
        # With a warning in it, an answer stands there with other words.
        is_whole = self._cutter.reason is None and not self.left_out and not self._reply.reader.warning
        await self._memory.commit(self._model, self._reply, self.message, is_whole=is_whole)
        if self._afterwards is not None:
            await self._afterwards(self)

    def _tokens_asked(self) -> int:
        return sum(estimate_tokens(message.text) for message in self._memory.plan.messages)

    def _keep(self, text: str) -> None:
        """Hold *text* until the answer is whole. Raises `ServiceError` for an answer without end."""
        self._parts.append(text)
        self._length += len(text)
        if self._length > MAX_ANSWER_CHARS or len(self._parts) > MAX_ANSWER_PIECES:
            raise to_error(SiteRefusal(Kind.UPSTREAM, "its answer does not end", logged=True))

    async def _from_any(self) -> AsyncGenerator[str, None]:
        """The text from the first site that gives any; what failed before its first text goes on to the next."""
        may_have_logged = False
        for model in self._models:
            self._model = model
            is_last = model is self._models[-1]
            begun = False
            try:
                async with aclosing(self._from_site(has_alternative=not is_last)) as texts:
                    async for text in texts:
                        begun = True
                        yield text
                return
            except SiteRefusal as refusal:
                may_have_logged = may_have_logged or refusal.logged or begun
                if begun or is_last or not may_move_on(refusal) or not self._attempts.may_retry:
                    if not may_have_logged:
                        await self._memory.abandon()
                    raise to_error(refusal) from refusal
                reason = refusal.kind.value
            except ServiceError as error:
                if begun or is_last or not self._attempts.may_retry:
                    if not may_have_logged:
                        await self._memory.abandon()
                    raise
                reason = error.code or error.type
            log.info("answer %s: %s failed (%s), going on to the next site", self.id, self.site, reason)
            if not may_have_logged:
                self._memory.put_back()

    async def _from_site(self, *, has_alternative: bool) -> AsyncGenerator[str, None]:
        """The text from the current model's site; anew if its provider forgot what was to be continued."""
        session_id = self._upstream.session_id(self.site)
        self._plan = plan = await self._memory.find_copy(self._model, session_id)
        self._shortened = await aside(size_of(plan.messages), lambda: shorten(plan.messages, self._max_transcript))
        for build in (self._continue, self._start_anew):
            self._reply = SiteReply(self._upstream, self.site, self._model.bot.id, self._attempts)
            begun = False
            direct = self.direct if self._cutter.is_idle else None
            try:
                async with aclosing(
                    self._reply.texts(build, self._request.caller, has_alternative=has_alternative, direct=direct)
                ) as texts:
                    async for text in texts:
                        begun = True
                        yield text
                return
            except SiteRefusal as refusal:
                if refusal.kind is not Kind.PREVIOUS or begun or build == self._start_anew:
                    raise

    def _continue(self, credentials: Credentials) -> SiteTurn:
        """The turn that continues the site's copy where there is one."""
        copy = self._plan.continues(site=credentials.site, bot_id=self._model.bot.id, session_id=credentials.session_id)
        if copy is None:
            return self._start_anew(credentials)
        self.left_out = 0
        return self._turn(credentials, self._plan.new, copy)

    def _start_anew(self, credentials: Credentials) -> SiteTurn:
        """The turn that carries the whole text into a fresh upstream conversation."""
        fresh = UpstreamCopy(
            site=credentials.site,
            bot_id=self._model.bot.id,
            session_id=credentials.session_id,
            conversation_uuid=str(uuid.uuid4()),
        )
        kept, self.left_out = self._shortened
        if self.left_out:
            log.warning("answer %s: the oldest %d messages were left out of its transcript", self.id, self.left_out)
        return self._turn(credentials, tuple(kept), fresh)

    def _turn(self, credentials: Credentials, messages: tuple[Message, ...], copy: UpstreamCopy) -> SiteTurn:
        bot = self._model.bot
        most = self._upstream.most_pictures(credentials.site)
        images, self.lost_images = to_send(messages, self._request.pictures, most=most)
        return SiteTurn(
            bot_id=bot.id,
            provider=bot.provider,
            message=guard(transcript(messages), images=len(images)),
            images=images,
            session_id=credentials.session_id,
            conversation_uuid=copy.conversation_uuid,
            post_id=credentials.post_id,
            response_id=copy.response_id if bot.keeps_state else "",
            interaction_id=copy.interaction_id if bot.keeps_state else "",
            web_search=self._request.web_search,
        )
