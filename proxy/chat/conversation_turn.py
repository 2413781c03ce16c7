"""One turn of a conversation: what each upstream may continue from, and storing the answer."""

import asyncio
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
from proxy.chat.tokens import count_tokens
from proxy.chat.tools.definitions import ToolConfig
from proxy.chat.tools.prompts import instructions, messages_as_text
from proxy.chat.upstream import End, UpstreamCopy
from proxy.chat.upstream_copies import UpstreamCopies
from shared.conversations import Conversation, Message, Note, TurnResult
from shared.store import Store, StoreError


class ConversationTurn:
    """The conversation of one turn. With a stored conversation all methods raise `ServiceError` (503) while the
    store is away."""

    def __init__(
        self,
        store: Store,
        copies: UpstreamCopies,
        messages: Sequence[Message],
        stored: Conversation | None,
        tool_config: ToolConfig | None = None,
    ) -> None:
        self.conversation_id = stored.id if stored else None
        self.plan = plan_turn(stored, messages)
        self._store = store
        self._copies = copies
        self._sent_messages = tuple(messages)
        self._tool_config = tool_config
        self._instructions = instructions(tool_config) if tool_config else ""
        self._instructions_digest = (
            sha256(self._instructions.encode("utf-8", "surrogatepass")).hexdigest() if self._instructions else ""
        )
        self.is_plain = True  # messages are sent as they are: no tools, or the upstream supports them
        self._text_messages: tuple[Message, ...] | None = None  # all messages as text
        self._turn_id = token_hex(8) if stored else ""
        self._taken_copy: tuple[str, Note] | None = None  # digest and note, which no other turn can take now

    async def begin(self) -> None:
        """Mark the stored conversation, if there is one, as having a turn under way: if this process dies, no
        upstream's copy is trusted blindly."""
        conversation_id = self.conversation_id
        if conversation_id is None:
            return
        await call_store(lambda: self._store.begin_turn(conversation_id, self._turn_id, at=time()))
        stored = await call_store(lambda: self._store.conversation(conversation_id))
        if stored is None:
            raise unknown_conversation(conversation_id)
        # Read after the mark was set: what another turn changed before that is seen, and after that is noticed by
        # the store. The mark that stands is our own; one that it replaced has spoilt the upstream's copy already.
        self.plan = plan_turn(replace(stored, pending_turn=None), self._sent_messages)

    async def find_held(self, model: Model) -> UpstreamCopy | None:
        """The copy that *model*'s upstream may continue from, if any. Its messages are counted as in `as_sent`.

        Sets the upstream that the following calls are about.
        """
        plan = self.plan
        takes_all = model.upstream.takes(model.bot, self._tool_config)
        instructions_digest = "" if takes_all else self._instructions_digest
        self.is_plain = is_plain = takes_all or (not instructions_digest and not _has_calls(plan.messages))
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
        digest = await _digest(scope, instructions_digest, history)
        note = await self._copies.take(digest)
        if note is None:
            return None
        self._taken_copy = digest, note
        return UpstreamCopy(note, count + prepended)

    def as_sent(self, ask: Ask) -> Ask:
        """*ask* with the whole conversation, in the form that the upstream takes."""
        if not self.is_plain:
            return replace(ask, messages=self._as_text(), tool_config=None)
        return ask if self.conversation_id is None else replace(ask, messages=self.plan.messages)

    def count_tokens(self) -> int:
        """Estimate the tokens of all that the model is sent."""
        return count_tokens(self.plan.messages, instructions=self._instructions)

    def _as_text(self) -> tuple[Message, ...]:
        """All messages for an upstream that takes only text: one for one, after the instructions for tools."""
        if self._text_messages is None:
            instructions_message = (Message(role="system", text=self._instructions),) if self._instructions else ()
            self._text_messages = (*instructions_message, *messages_as_text(self.plan.messages, self._tool_config))
        return self._text_messages

    def put_back(self) -> None:
        """Put the copy back that was taken: nothing of the turn reached the upstream."""
        if self._taken_copy is not None:
            digest, note = self._taken_copy
            self._taken_copy = None
            self._copies.add(digest, note)

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
            self._copies.add(await _digest(scope, instructions_digest, history), note)
        if len(original.text) > LARGE_BYTES:
            await asyncio.to_thread(count_tokens, [original])  # cached for the usage that is told after this

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


def _digest(scope: Sequence[str], instructions_digest: str, messages: Sequence[Message]) -> Awaitable[str]:
    """The digest of *messages* in *scope*, sent under the instructions for tools with that digest ("": none)."""
    whole_scope = (*scope, instructions_digest) if instructions_digest else scope
    return offload(size_of(messages), lambda: history_digest(whole_scope, messages))


def _has_calls(messages: Sequence[Message]) -> bool:
    for message in messages:  # noqa: SIM110  (a generator costs more than all it looks at)
        if message.calls or message.result is not None:
            return True
    return False
