"""Answering a chat request: which bot, which conversation, what is sent, and what is kept of it."""

import secrets
import uuid
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from time import time

from proxy.credentials import CredentialKeeper
from proxy.protocol.aipkit import Image, SiteTurn
from proxy.protocol.catalog import Catalog, Model, SiteBots
from proxy.protocol.chat_reply import Ending, annotations, usage
from proxy.protocol.chat_request import MAX_IMAGES, ChatRequest, unknown_model
from proxy.protocol.continuation import Plan, plan_turn
from proxy.protocol.errors import ServiceError, bad_request
from proxy.protocol.refusals import Kind, SiteRefusal, to_error
from proxy.protocol.transcript import EmptyMessage, guard, transcript
from proxy.protocol.usage import estimate_tokens
from proxy.upstream import SiteReply, Upstream
from shared.conversations import Conversation, Message, TurnResult
from shared.conversations import Upstream as UpstreamCopy
from shared.models import Credentials
from shared.store import Store, StoreUnavailable

STORE_RETRY_SECONDS = 5.0


class ChatService:
    """Everything between a parsed request and its answer."""

    def __init__(
        self,
        store: Store,
        keeper: CredentialKeeper,
        upstream: Upstream,
        *,
        aliases: Mapping[str, int],
        default_model: str,
    ) -> None:
        self._store = store
        self._keeper = keeper
        self._upstream = upstream
        self._aliases = aliases
        self._default_model = default_model
        self._catalog: tuple[list[SiteBots], Catalog] | None = None

    @property
    def catalog(self) -> Catalog:
        """All models that can be named now."""
        bots = self._keeper.bots()
        if self._catalog is None or self._catalog[0] != bots:
            self._catalog = (bots, Catalog(bots, self._aliases, self._default_model))
        return self._catalog[1]

    async def answer(self, request: ChatRequest) -> "Answer":
        """The answer to *request*, not begun yet. Raises `ServiceError`."""
        name, model = await self._find_model(request.model)
        if model.bot.consent_required:
            raise ServiceError(
                403,
                f"The site asks visitors to agree to its terms before they use '{name}'. Only a person may agree: "
                "run `freeaichat harvest --headed` and do so in the window.",
                type="permission_error",
                code="consent_required",
                should_retry=False,
            )
        stored = await self._find_conversation(request.conversation_id)
        plan = plan_turn(stored, request.messages)
        _refuse_empty(plan)
        return Answer(self._store, self._upstream, request, name=name, model=model, stored=stored, plan=plan)

    async def create_conversation(self, metadata: dict[str, str], messages: tuple[Message, ...]) -> Conversation:
        """A new, stored conversation. Raises `ServiceError` (503)."""
        now = time()
        conversation = Conversation(
            id=f"conv_{secrets.token_hex(24)}", created_at=now, updated_at=now, metadata=metadata, messages=messages
        )
        with store_needed():
            await self._store.create_conversation(conversation)
        return conversation

    async def _find_model(self, name: str) -> tuple[str, Model]:
        found = self.catalog.find(name)
        for site in self._keeper.sites:
            if found is None and self._keeper.state(site.origin) is None:
                await self._upstream.credentials(site.origin)  # the name may belong to a bot not discovered yet
                found = self.catalog.find(name)
        if found is None:
            raise unknown_model(name)
        return found

    async def _find_conversation(self, conversation_id: str | None) -> Conversation | None:
        if conversation_id is None:
            return None
        with store_needed():
            stored = await self._store.conversation(conversation_id)
        if stored is None:
            raise unknown_conversation(conversation_id)
        return stored


class Answer:
    """One answer: `texts` yields it; afterwards `ending` and `usage` describe it."""

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
    ) -> None:
        self.id = f"chatcmpl-{secrets.token_hex(16)}"
        self.created = int(time())
        self.model = name
        self.conversation_id = stored.id if stored else None
        self._store = store
        self._upstream = upstream
        self._request = request
        self._bot_model = model
        self._plan = plan
        self._reply: SiteReply
        self._parts: list[str] = []

    @property
    def ending(self) -> Ending:
        """How the answer ended."""
        reader = self._reply.reader
        return Ending(reader.finish_reason, reader.refusal, annotations(reader.citations))

    @property
    def usage(self) -> dict[str, object]:
        """Estimated tokens of the whole history and of the answer."""
        asked = sum(estimate_tokens(message.text) for message in self._plan.messages)
        return usage(asked, estimate_tokens("".join(self._parts)))

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
                            self._parts.append(text)
                            yield text
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
        await self._commit(turn_id)

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
        return self._turn(credentials, self._plan.messages, fresh)

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
        if self.conversation_id is None:
            return
        with store_needed():
            await self._store.begin_turn(self.conversation_id, turn_id, at=time())
            stored = await self._store.conversation(self.conversation_id)
        if stored is None:
            raise unknown_conversation(self.conversation_id)
        # Read after the mark was set: what another turn changed before that is seen, and after that is noticed by
        # the store. The mark that stands is our own; one that it replaced has spoilt the site's copy already.
        self._plan = plan_turn(stored.model_copy(update={"pending_turn": None}), self._request.messages)

    async def _abandon(self, turn_id: str) -> None:
        if self.conversation_id is None:
            return
        with store_needed():
            await self._store.abandon_turn(self.conversation_id, turn_id)

    async def _commit(self, turn_id: str) -> None:
        if self.conversation_id is None:
            return
        turn, reader = self._reply.turn, self._reply.reader
        answer = Message(role="assistant", text="".join(self._parts))
        plan = self._plan
        result = TurnResult(
            turn_id=turn_id,
            at=time(),
            history=plan.messages[: len(plan.messages) - 1] if plan.replaces else None,
            added=(plan.messages[-1], answer) if plan.replaces else (*plan.new, answer),
            upstream=UpstreamCopy(
                site=self._reply.credentials.site,
                bot_id=turn.bot_id,
                session_id=turn.session_id,
                conversation_uuid=turn.conversation_uuid,
                response_id=reader.response_id,
                interaction_id=reader.interaction_id,
            ),
        )
        with store_needed():
            await self._store.commit_turn(self.conversation_id, result)


def unknown_conversation(conversation_id: str) -> ServiceError:
    """The error for an id that names no stored conversation."""
    return ServiceError(
        404,
        f"No conversation '{conversation_id}' is stored here.",
        code="conversation_not_found",
        param="conversation_id",
    )


def _refuse_empty(plan: Plan) -> None:
    """Raise `ServiceError` (400) before anything is begun where the site would see no message at all."""
    images = sum(len(message.images) for message in plan.new)
    try:
        guard(transcript(plan.new), images=images)
    except EmptyMessage as error:
        raise bad_request("The message is empty.", param="messages", code="empty_message") from error


class store_needed:  # noqa: N801  (reads as a word in a with statement)
    """What needs stored state cannot go on without the store: 503, and the client may try again."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        if isinstance(error, StoreUnavailable):
            raise ServiceError(
                503,
                f"The store cannot be used just now: {error}",
                type="server_error",
                code="store_unavailable",
                retry_after=STORE_RETRY_SECONDS,
            ) from error
