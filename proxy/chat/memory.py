"""What one turn continues, on whichever upstream it is tried, and what is kept of it."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from secrets import token_hex
from time import time

from proxy.chat.ask import Ask
from proxy.chat.catalog import Model
from proxy.chat.conversations import named, needed, unknown_conversation
from proxy.chat.history import history_digest, plan_turn, size_of
from proxy.chat.offload import aside
from proxy.chat.tokens import estimate_tokens
from proxy.chat.tools.cache import Cache
from proxy.chat.tools.definitions import Offer
from proxy.chat.tools.rendering import as_text, instructions
from proxy.chat.upstream import End, Held
from shared.conversations import Conversation, Message, Note, TurnResult
from shared.store import Store, StoreError

FLUSH_SECONDS = 0.1  # until then another worker does not know of a copy, and an agent may go on there
LOOK_UP_SECONDS = 0.5  # longest wait for the store; the transcript serves as well
MAX_PENDING = 10_000  # above it, while the store is away, the oldest are forgotten
RETRY_SECONDS = 1.0
WORTH_KEEPING = 100  # characters of a text whose tokens were counted
COUNT_BYTES = 250  # that one count takes
IMAGE_TOKENS = 85  # of a picture: what OpenAI's models take for one at least

_COUNTS: Cache[tuple[int, int], int] = Cache(2 * 1024 * 1024)

log = logging.getLogger(__name__)


class Branches:
    """The upstreams' copies that clients without a conversation id may continue, kept in memory first and stored in
    batches. A turn never waits for the disk because of them: what cannot be looked up in a moment is sent whole.

    Run `keep_flushing` as a task for as long as requests are served, and `flush` at the end.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._pending: OrderedDict[str, list[tuple[Note, float]]] = OrderedDict()
        self._count = 0
        self._storing: asyncio.Task[None] | None = None  # the batch that is being stored
        self._added = asyncio.Event()

    def keep(self, history: str, copy: Note) -> None:
        """Note that *copy* holds exactly the history with this digest."""
        self._pending.setdefault(history, []).append((copy, time()))
        self._count += 1
        self._added.set()
        if self._count > MAX_PENDING:
            _, forgotten = self._pending.popitem(last=False)
            self._count -= len(forgotten)

    async def take(self, history: str) -> Note | None:
        """Take the newest copy that holds this history: no two turns ever share one."""
        pending = self._pending.get(history)
        if pending:
            copy, _ = pending.pop()
            self._count -= 1
            if not pending:
                del self._pending[history]
            return copy
        with suppress(StoreError, TimeoutError):
            async with asyncio.timeout(LOOK_UP_SECONDS):
                if self._storing is not None:  # agents go on at once: it may be on its way there
                    await asyncio.wait({self._storing})
                return await self._store.take_branch(history)
        return None

    async def keep_flushing(self) -> None:
        """Store what was kept, a batch at a time, until cancelled."""
        while True:
            await self._added.wait()
            await asyncio.sleep(FLUSH_SECONDS)
            try:
                await self.flush()
            except StoreError as error:
                log.warning("%d continued conversations not stored yet: %s", self._count, error)
                await asyncio.sleep(RETRY_SECONDS)

    async def flush(self) -> None:
        """Store what was kept until now. Raises `StoreError`; then it is kept still."""
        batch, self._pending = self._pending, OrderedDict()
        count, self._count = self._count, 0
        self._added.clear()
        if not batch:
            return
        rows = [(history, copy, at) for history, copies in batch.items() for copy, at in copies]
        storing = self._storing = asyncio.create_task(self._store.keep_branches(rows))
        try:
            await asyncio.shield(storing)
        finally:
            # Whoever is cancelled waits too: it must be known what is stored, since no copy may stand there twice.
            await asyncio.wait({storing})
            self._storing = None
            if storing.cancelled() or storing.exception() is not None:
                for history, copies in self._pending.items():
                    batch.setdefault(history, []).extend(copies)
                self._pending, self._count = batch, count + self._count
                self._added.set()


class Memory:
    """Of one turn. With a stored conversation all methods raise `ServiceError` (503) while the store is away."""

    def __init__(
        self,
        store: Store,
        branches: Branches,
        messages: Sequence[Message],
        stored: Conversation | None,
        offer: Offer | None = None,
    ) -> None:
        self.conversation_id = stored.id if stored else None
        self.plan = plan_turn(stored, messages)
        self._store = store
        self._branches = branches
        self._sent = tuple(messages)
        self._offer = offer
        self._told = instructions(offer) if offer else ""
        self._told_name = sha256(self._told.encode("utf-8", "surrogatepass")).hexdigest() if self._told else ""
        self.is_plain = True  # the upstream is asked with what the client said as it is: no tools, or it has them
        self._shown: tuple[Message, ...] | None = None  # all messages as text
        self._turn_id = token_hex(8) if stored else ""
        self._taken: tuple[str, Note] | None = None  # a branch and its note, which no other turn can continue now

    async def begin(self) -> None:
        """Mark the stored conversation, where there is one, so that whatever happens to this process, a copy is not
        trusted blindly."""
        name = self.conversation_id
        if name is None:
            return
        await needed(lambda: self._store.begin_turn(name, self._turn_id, at=time()))
        stored = await needed(lambda: self._store.conversation(name))
        if stored is None:
            raise unknown_conversation(name)
        # Read after the mark was set: what another turn changed before that is seen, and after that is noticed by
        # the store. The mark that stands is our own; one that it replaced has spoilt the upstream's copy already.
        self.plan = plan_turn(replace(stored, pending_turn=None), self._sent)

    async def find_held(self, model: Model) -> Held | None:
        """The copy that *model*'s upstream may go on from, if any. It counts messages as `asked` gives them.

        What follows is about this model, until the next one is asked.
        """
        plan, has_tools = self.plan, model.upstream.has_tools
        told = "" if has_tools else self._told_name
        self.is_plain = is_plain = has_tools or (not told and not _has_calls(plan.messages))
        before = 1 if told else 0
        if self.conversation_id is not None:
            if plan.note is None or plan.note.told != told:
                return None
            return Held(plan.note, len(plan.messages) - len(plan.new) + before)
        count = len(plan.messages)
        while count and plan.messages[count - 1].role != "assistant":
            count -= 1
        if not 0 < count < len(plan.messages):
            return None
        history = plan.messages[:count]
        scope = model.upstream.scope(model.bot, history if is_plain else self._as_text()[: count + before])
        if scope is None:
            return None
        digest = await _digest((*scope, told) if told else scope, history)
        note = await self._branches.take(digest)
        if note is None:
            return None
        self._taken = digest, note
        return Held(note, count + before)

    def asked(self, ask: Ask) -> Ask:
        """*ask* with all that was said before, as the upstream takes it."""
        if not self.is_plain:
            return replace(ask, messages=self._as_text(), offer=None)
        return ask if self.conversation_id is None else replace(ask, messages=self.plan.messages)

    def count_tokens(self) -> int:
        """About as many tokens as all that the model is told."""
        return _tokens_told(self.plan.messages, self._told)

    def _as_text(self) -> tuple[Message, ...]:
        """All messages as an upstream is told them that takes nothing but text: one for one, after what is told
        beside them."""
        if self._shown is None:
            told = (Message(role="system", text=self._told),) if self._told else ()
            self._shown = (*told, *as_text(self.plan.messages, self._offer))
        return self._shown

    def put_back(self) -> None:
        """Nothing of the turn reached the upstream: what was taken from it is as good as before."""
        if self._taken is not None:
            digest, note = self._taken
            self._taken = None
            self._branches.keep(digest, note)

    async def abandon(self) -> None:
        """The whole turn failed and nothing of it reached any upstream. If this cannot be noted, the mark stays, and
        the next turn replays the text instead."""
        self.put_back()
        if self.conversation_id is not None:
            with suppress(StoreError):
                await self._store.abandon_turn(self.conversation_id, self._turn_id)

    async def commit(self, model: Model, end: End, answer: Message, raw: str | None = None) -> None:
        """Keep the *answer*. The note of its *end* is the upstream's, where its copy holds all of this history and the
        answer. *raw*: the answer as the copy holds it, where that is not its text."""
        said, answer = answer, end.kept(answer)
        note = end.note if answer is said else None
        told = "" if self.is_plain else self._told_name
        history = shown = (*self.plan.messages, answer)
        if not self.is_plain:
            shown = (*self._as_text(), Message(role="assistant", text=raw or answer.text))
        scope = model.upstream.scope(model.bot, shown, note) if note else None
        if self.conversation_id is not None:
            await self._commit_turn(self.conversation_id, answer, replace(note, told=told) if note and scope else None)
        elif note and scope:
            self._branches.keep(await _digest((*scope, told) if told else scope, history), note)

    async def _commit_turn(self, conversation_id: str, answer: Message, note: Note | None) -> None:
        plan = self.plan
        result = TurnResult(
            turn_id=self._turn_id,
            at=time(),
            history=named(plan.messages[:-1]) if plan.replaces else None,
            added=named((plan.messages[-1], answer) if plan.replaces else (*plan.new, answer)),
            note=note,
        )
        await needed(lambda: self._store.commit_turn(conversation_id, result))


def count_tokens(messages: Sequence[Message], offer: Offer | None) -> int:
    """About as many tokens as all that a model would be told."""
    return _tokens_told(messages, instructions(offer) if offer else "")


def _digest(scope: Sequence[str], messages: Sequence[Message]) -> Awaitable[str]:
    return aside(size_of(messages), lambda: history_digest(scope, messages))


def _tokens_told(messages: Sequence[Message], told: str) -> int:
    count = _tokens_of(told) if told else 0
    for message in messages:
        count += _tokens_of(message.text) + IMAGE_TOKENS * len(message.images)
        for call in message.calls:
            count += estimate_tokens(call.name) + _tokens_of(call.arguments)
    return count


def _tokens_of(text: str) -> int:
    """As `estimate_tokens`. Clients send again what was said, which is counted once."""
    if len(text) < WORTH_KEEPING:
        return estimate_tokens(text)
    name = hash(text), len(text)  # and no text is kept for it
    count = _COUNTS.get(name)
    if count is None:
        count = estimate_tokens(text)
        _COUNTS.put(name, count, COUNT_BYTES)
    return count


def _has_calls(messages: Sequence[Message]) -> bool:
    for message in messages:  # noqa: SIM110  (a generator costs more than all it looks at)
        if message.calls or message.result is not None:
            return True
    return False
