"""One answer in the making: what is sent to the site, what comes back, and what is kept of it."""

import logging
import secrets
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing, suppress
from dataclasses import replace
from time import time

from proxy.conversations import named, new_item_id, store_needed, unknown_conversation
from proxy.protocol.aipkit import Image, SiteTurn
from proxy.protocol.catalog import Model
from proxy.protocol.chat_reply import Ending, annotations
from proxy.protocol.chat_request import MAX_IMAGES, ChatRequest
from proxy.protocol.continuation import Plan, plan_turn
from proxy.protocol.cutting import Cutter
from proxy.protocol.errors import ServiceError
from proxy.protocol.memory import MemoryPolicy, history_digest
from proxy.protocol.refusals import Kind, SiteRefusal, to_error
from proxy.protocol.transcript import guard, shorten, transcript
from proxy.protocol.usage import Usage, estimate_tokens
from proxy.upstream import SiteReply, Upstream
from shared.conversations import Conversation, Message, TurnResult
from shared.conversations import Upstream as UpstreamCopy
from shared.models import Credentials
from shared.store import Store, StoreUnavailable

log = logging.getLogger(__name__)

Afterwards = Callable[["Answer"], Awaitable[None]]


class Answer:
    """One answer: `texts` yields it; afterwards `message`, `ending` and `usage` describe it."""

    def __init__(
        self,
        store: Store,
        upstream: Upstream,
        request: ChatRequest,
        *,
        name: str,
        model: Model,
        stored: Conversation | None,
        plan: Plan,
        policy: MemoryPolicy,
        session_id: str,
        max_transcript: int,
        afterwards: Afterwards | None = None,
    ) -> None:
        """*max_transcript*: characters. *afterwards* is awaited once the answer is whole, before its end is told."""
        self.id = f"chatcmpl-{secrets.token_hex(16)}"
        self.created = int(time())
        self.model = name
        self.conversation_id = stored.id if stored else None
        self.message_id = new_item_id()
        self.left_out = 0  # messages that the site was not sent, since the transcript would have been too long
        self._store = store
        self._upstream = upstream
        self._request = request
        self._bot_model = model
        self._plan = plan
        self._policy = policy
        self._session_id = session_id
        self._max_transcript = max_transcript
        self._afterwards = afterwards
        self._cutter = Cutter(request.stops, request.max_tokens)
        self._reply: SiteReply
        self._parts: list[str] = []

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
        asked = sum(estimate_tokens(message.text) for message in self._plan.messages)
        return Usage(asked, estimate_tokens("".join(self._parts)))

    @property
    def headers(self) -> dict[str, str]:
        """Response headers that tell what the client should know of how the answer was got."""
        return {"x-dropped-messages": str(self.left_out)} if self.left_out else {}

    async def texts(self) -> AsyncGenerator[str, None]:
        """The answer's text as it comes, committed to its conversation at the end. Raises `ServiceError`."""
        turn_id = secrets.token_hex(8)
        await self._begin(turn_id)
        try:
            for build in (self._continue, self._start_anew):
                self._reply = self._upstream.reply(self._bot_model.site.origin, build)
                try:
                    async with aclosing(self._reply.texts()) as texts:
                        async for text in texts:
                            if kept := self._cutter.feed(text):
                                self._parts.append(kept)
                                yield kept
                            if self._cutter.reason:
                                break  # the rest is not wanted: leaving drops the upstream
                    break
                except SiteRefusal as refusal:
                    if refusal.kind is not Kind.PREVIOUS or self._parts or build == self._start_anew:
                        raise
        except SiteRefusal as refusal:
            if not refusal.logged and not self._parts:
                await self._abandon(turn_id)
            raise to_error(refusal) from refusal
        except ServiceError:
            await self._abandon(turn_id)
            raise
        if rest := self._cutter.end():
            self._parts.append(rest)
            yield rest
        await self._commit(turn_id)
        if self._afterwards is not None:
            await self._afterwards(self)

    def _continue(self, credentials: Credentials) -> SiteTurn:
        """The turn that continues the site's copy where there is one."""
        copy = self._plan.continues(
            site=credentials.site, bot_id=self._bot_model.bot.id, session_id=credentials.session_id
        )
        if copy is None:
            return self._start_anew(credentials)
        return self._turn(credentials, self._plan.new, copy)

    def _start_anew(self, credentials: Credentials) -> SiteTurn:
        """The turn that carries the whole text into a fresh upstream conversation."""
        fresh = UpstreamCopy(
            site=credentials.site,
            bot_id=self._bot_model.bot.id,
            session_id=credentials.session_id,
            conversation_uuid=str(uuid.uuid4()),
        )
        kept, self.left_out = shorten(self._plan.messages, self._max_transcript)
        if self.left_out:
            log.warning("answer %s: the oldest %d messages were left out of its transcript", self.id, self.left_out)
        return self._turn(credentials, tuple(kept), fresh)

    def _turn(self, credentials: Credentials, messages: tuple[Message, ...], copy: UpstreamCopy) -> SiteTurn:
        bot = self._bot_model.bot
        images = self._images(messages)
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

    def _images(self, messages: tuple[Message, ...]) -> tuple[Image, ...]:
        """The newest images that came with *messages*; the site takes four. Earlier turns' images are not stored."""
        digests = [digest for message in messages for digest in message.images]
        pictures = self._request.pictures
        return tuple(pictures[digest] for digest in digests if digest in pictures)[-MAX_IMAGES:]

    async def _begin(self, turn_id: str) -> None:
        """Find what is continued, and take it for this turn alone."""
        if self.conversation_id is None:
            await self._find_branch()
        else:
            await self._mark_turn(self.conversation_id, turn_id)
        history = self._plan.messages[: len(self._plan.messages) - len(self._plan.new)]
        if not self._policy.trusts(self._bot_model.bot, history):
            self._plan = replace(self._plan, upstream=None)

    async def _mark_turn(self, conversation_id: str, turn_id: str) -> None:
        with store_needed():
            await self._store.begin_turn(conversation_id, turn_id, at=time())
            stored = await self._store.conversation(conversation_id)
        if stored is None:
            raise unknown_conversation(conversation_id)
        # Read after the mark was set: what another turn changed before that is seen, and after that is noticed by
        # the store. The mark that stands is our own; one that it replaced has spoilt the site's copy already.
        self._plan = plan_turn(stored.model_copy(update={"pending_turn": None}), self._request.messages)

    async def _find_branch(self) -> None:
        """Without an id: the site's copy that holds exactly the history the client sent."""
        *history, last = self._plan.messages
        if not history or last.role != "user" or not self._policy.trusts(self._bot_model.bot, history):
            return
        with suppress(StoreUnavailable):  # the transcript serves as well
            branch = await self._store.take_branch(self._digest(history))
            if branch is not None:
                self._plan = replace(self._plan, new=(last,), upstream=branch)

    async def _keep_branch(self, held: Sequence[Message], copy: UpstreamCopy) -> None:
        if self._policy.trusts(self._bot_model.bot, held):
            with suppress(StoreUnavailable):
                await self._store.keep_branch(self._digest(held), copy, at=time())

    def _digest(self, messages: Sequence[Message]) -> str:
        return history_digest(self._bot_model.site.origin, self._bot_model.bot.id, self._session_id, messages)

    async def _abandon(self, turn_id: str) -> None:
        """Nothing reached the site: what it holds is as good as before. If this cannot be noted, the mark stays,
        and the next turn replays the text instead."""
        if self.conversation_id is not None:
            with suppress(StoreUnavailable):
                await self._store.abandon_turn(self.conversation_id, turn_id)

    async def _commit(self, turn_id: str) -> None:
        turn, reader, plan = self._reply.turn, self._reply.reader, self._plan
        answer = self.message
        copy = UpstreamCopy(
            site=self._reply.credentials.site,
            bot_id=turn.bot_id,
            session_id=turn.session_id,
            conversation_uuid=turn.conversation_uuid,
            response_id=reader.response_id,
            interaction_id=reader.interaction_id,
        )
        # The site does not log an answer that was dropped, nor does it hold what it was not sent.
        is_whole = self._cutter.reason is None and not self.left_out
        if self.conversation_id is None:
            if is_whole and turn.session_id == self._session_id:
                await self._keep_branch((*plan.messages, answer), copy)
            return
        result = TurnResult(
            turn_id=turn_id,
            at=time(),
            history=named(plan.messages[:-1]) if plan.replaces else None,
            added=named((plan.messages[-1], answer) if plan.replaces else (*plan.new, answer)),
            upstream=copy if is_whole else None,
        )
        with store_needed():
            await self._store.commit_turn(self.conversation_id, result)
