"""The conversation of one turn: what each upstream may continue from, and storing the answer."""

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
from proxy.chat.conversations import call_store, unknown_conversation, with_ids
from proxy.chat.history import history_digest, plan_turn, size_of
from proxy.chat.offload import LARGE_BYTES, offload
from proxy.chat.tokens import estimate_tokens
from proxy.chat.tools.cache import Cache
from proxy.chat.tools.definitions import ToolConfig
from proxy.chat.tools.prompts import instructions, messages_as_text
from proxy.chat.upstream import End, UpstreamCopy
from shared.conversations import Conversation, Message, Note, TurnResult
from shared.store import Store, StoreError

FLUSH_SECONDS = 0.1  # until then other workers cannot continue a copy
LOOK_UP_SECONDS = 0.5  # longest wait for the store; otherwise the whole text is sent
MAX_PENDING = 10_000  # above it, while the store is away, the oldest are forgotten
RETRY_SECONDS = 1.0
MIN_CACHED_CHARS = 100  # shorter texts are counted each time
COUNT_ENTRY_BYTES = 250  # memory of one cached count
IMAGE_TOKENS = 85  # of a picture: what OpenAI's models take for one at least

_COUNTS: Cache[tuple[int, int], int] = Cache(2 * 1024 * 1024)

log = logging.getLogger(__name__)


class Branches:
    """The upstreams' copies of conversations without an id, by history digest: kept in memory first, stored in
    batches.

    A turn never waits for the disk: what cannot be looked up within `LOOK_UP_SECONDS` is sent as a whole. Run
    `keep_flushing` as a task while requests are served, and `flush` at the end.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._pending: OrderedDict[str, list[tuple[Note, float]]] = OrderedDict()
        self._count = 0
        self._storing: asyncio.Task[None] | None = None  # the batch that is being written
        self._added = asyncio.Event()

    def keep(self, history: str, copy: Note) -> None:
        """Record that *copy* holds exactly the history with this digest."""
        self._pending.setdefault(history, []).append((copy, time()))
        self._count += 1
        self._added.set()
        if self._count > MAX_PENDING:
            _, forgotten = self._pending.popitem(last=False)
            self._count -= len(forgotten)

    async def take(self, history: str) -> Note | None:
        """Remove and return the newest copy that holds this history, so that two turns never share one."""
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
                return await self._store.pop_branch(history)
        return None

    async def keep_flushing(self) -> None:
        """Store new copies in batches, until cancelled."""
        while True:
            await self._added.wait()
            await asyncio.sleep(FLUSH_SECONDS)
            try:
                await self.flush()
            except StoreError as error:
                log.warning("%d continued conversations not stored yet: %s", self._count, error)
                await asyncio.sleep(RETRY_SECONDS)

    async def flush(self) -> None:
        """Store all new copies. Raises `StoreError`; then they are kept."""
        batch, self._pending = self._pending, OrderedDict()
        count, self._count = self._count, 0
        self._added.clear()
        if not batch:
            return
        rows = [(history, copy, at) for history, copies in batch.items() for copy, at in copies]
        task = self._storing = asyncio.create_task(self._store.add_branches(rows))
        try:
            await asyncio.shield(task)
        finally:
            # Whoever is cancelled waits too: it must be known what is stored, since no copy may stand there twice.
            await asyncio.wait({task})
            self._storing = None
            if task.cancelled() or task.exception() is not None:
                for history, copies in self._pending.items():
                    batch.setdefault(history, []).extend(copies)
                self._pending, self._count = batch, count + self._count
                self._added.set()


class Memory:
    """The conversation of one turn. With a stored conversation all methods raise `ServiceError` (503) while the
    store is away."""

    def __init__(
        self,
        store: Store,
        branches: Branches,
        messages: Sequence[Message],
        stored: Conversation | None,
        tool_config: ToolConfig | None = None,
    ) -> None:
        self.conversation_id = stored.id if stored else None
        self.plan = plan_turn(stored, messages)
        self._store = store
        self._branches = branches
        self._sent_messages = tuple(messages)
        self._tool_config = tool_config
        self._instructions = instructions(tool_config) if tool_config else ""
        self._instructions_digest = (
            sha256(self._instructions.encode("utf-8", "surrogatepass")).hexdigest() if self._instructions else ""
        )
        self.is_plain = True  # messages are sent as they are: no tools, or the upstream supports them
        self._text_messages: tuple[Message, ...] | None = None  # all messages as text
        self._turn_id = token_hex(8) if stored else ""
        self._taken_branch: tuple[str, Note] | None = None  # digest and note, which no other turn can take now

    async def begin(self) -> None:
        """Mark the stored conversation, if there is one, as having a turn under way: if this process dies, no
        upstream's copy is trusted blindly."""
        name = self.conversation_id
        if name is None:
            return
        await call_store(lambda: self._store.begin_turn(name, self._turn_id, at=time()))
        stored = await call_store(lambda: self._store.conversation(name))
        if stored is None:
            raise unknown_conversation(name)
        # Read after the mark was set: what another turn changed before that is seen, and after that is noticed by
        # the store. The mark that stands is our own; one that it replaced has spoilt the upstream's copy already.
        self.plan = plan_turn(replace(stored, pending_turn=None), self._sent_messages)

    async def find_held(self, model: Model) -> UpstreamCopy | None:
        """The copy that *model*'s upstream may continue from, if any. Its messages are counted as in `as_sent`.

        Sets the upstream that the following calls are about.
        """
        plan, has_tools = self.plan, model.upstream.has_tools
        instructions_digest = "" if has_tools else self._instructions_digest
        self.is_plain = is_plain = has_tools or (not instructions_digest and not _has_calls(plan.messages))
        prepended = 1 if instructions_digest else 0
        if self.conversation_id is not None:
            if plan.note is None or plan.note.told != instructions_digest:
                return None
            return UpstreamCopy(plan.note, len(plan.messages) - len(plan.new) + prepended)
        count = len(plan.messages)
        while count and plan.messages[count - 1].role != "assistant":
            count -= 1
        if not 0 < count < len(plan.messages):
            return None
        history = plan.messages[:count]
        scope = model.upstream.scope(model.bot, history if is_plain else self._as_text()[: count + prepended])
        if scope is None:
            return None
        digest = await _digest((*scope, instructions_digest) if instructions_digest else scope, history)
        note = await self._branches.take(digest)
        if note is None:
            return None
        self._taken_branch = digest, note
        return UpstreamCopy(note, count + prepended)

    def as_sent(self, ask: Ask) -> Ask:
        """*ask* with the whole conversation, in the form that the upstream takes."""
        if not self.is_plain:
            return replace(ask, messages=self._as_text(), tool_config=None)
        return ask if self.conversation_id is None else replace(ask, messages=self.plan.messages)

    def count_tokens(self) -> int:
        """Estimate the tokens of all that the model is sent."""
        return _count_tokens(self.plan.messages, self._instructions)

    def _as_text(self) -> tuple[Message, ...]:
        """All messages for an upstream that takes only text: one for one, after the instructions for tools."""
        if self._text_messages is None:
            instructions_message = (Message(role="system", text=self._instructions),) if self._instructions else ()
            self._text_messages = (*instructions_message, *messages_as_text(self.plan.messages, self._tool_config))
        return self._text_messages

    def put_back(self) -> None:
        """Put the copy back that was taken: nothing of the turn reached the upstream."""
        if self._taken_branch is not None:
            digest, note = self._taken_branch
            self._taken_branch = None
            self._branches.keep(digest, note)

    async def abandon(self) -> None:
        """End a turn that failed before anything of it reached an upstream. If the store cannot be told, the mark
        stays, and the next turn sends the whole text."""
        self.put_back()
        if self.conversation_id is not None:
            with suppress(StoreError):
                await self._store.abandon_turn(self.conversation_id, self._turn_id)

    async def commit(self, model: Model, end: End, answer: Message, raw: str | None = None) -> None:
        """Store the *answer*. *end* has the upstream's note, if its copy holds the whole history and the answer.
        *raw*: the answer as that copy holds it, where that differs from its text."""
        original, answer = answer, end.kept(answer)
        note = end.note if answer.text == original.text else None
        instructions_digest = "" if self.is_plain else self._instructions_digest
        history = seen = (*self.plan.messages, answer)
        if not self.is_plain:
            seen = (*self._as_text(), Message(role="assistant", text=raw or answer.text))
        scope = model.upstream.scope(model.bot, seen, note) if note else None
        if self.conversation_id is not None:
            await self._commit_turn(
                self.conversation_id, answer, replace(note, told=instructions_digest) if note and scope else None
            )
        elif note and scope:
            self._branches.keep(
                await _digest((*scope, instructions_digest) if instructions_digest else scope, history), note
            )
        if len(original.text) > LARGE_BYTES:
            await asyncio.to_thread(_cached_estimate, original.text)  # for the usage that is told after this

    async def _commit_turn(self, conversation_id: str, answer: Message, note: Note | None) -> None:
        plan = self.plan
        result = TurnResult(
            turn_id=self._turn_id,
            at=time(),
            history=with_ids(plan.messages[:-1]) if plan.replaces else None,
            added=with_ids((plan.messages[-1], answer) if plan.replaces else (*plan.new, answer)),
            note=note,
        )
        await call_store(lambda: self._store.commit_turn(conversation_id, result))


def count_tokens(messages: Sequence[Message], tool_config: ToolConfig | None) -> int:
    """Estimate the tokens of *messages* and of the instructions for tools."""
    return _count_tokens(messages, instructions(tool_config) if tool_config else "")


def _digest(scope: Sequence[str], messages: Sequence[Message]) -> Awaitable[str]:
    return offload(size_of(messages), lambda: history_digest(scope, messages))


def _count_tokens(messages: Sequence[Message], instructions_text: str) -> int:
    count = _cached_estimate(instructions_text) if instructions_text else 0
    for message in messages:
        count += _cached_estimate(message.text) + IMAGE_TOKENS * len(message.images)
        for call in message.calls:
            count += estimate_tokens(call.name) + _cached_estimate(call.arguments)
    return count


def _cached_estimate(text: str) -> int:
    """As `estimate_tokens`, cached: clients send earlier messages again with each request."""
    if len(text) < MIN_CACHED_CHARS:
        return estimate_tokens(text)
    name = hash(text), len(text)  # and no text is kept for it
    count = _COUNTS.get(name)
    if count is None:
        count = estimate_tokens(text)
        _COUNTS.put(name, count, COUNT_ENTRY_BYTES)
    return count


def _has_calls(messages: Sequence[Message]) -> bool:
    for message in messages:  # noqa: SIM110  (a generator costs more than all it looks at)
        if message.calls or message.result is not None:
            return True
    return False
