"""What one turn continues, on whichever upstream it is tried, and what is kept of it."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from time import time

from proxy.chat.ask import Ask
from proxy.chat.branches import Branches
from proxy.chat.catalog import Model
from proxy.chat.continuation import plan_turn
from proxy.chat.conversations import named, needed, unknown_conversation
from proxy.chat.digest import history_digest
from proxy.chat.history import size_of
from proxy.chat.ids import random_hex
from proxy.chat.offload import aside
from proxy.chat.upstream import Held
from shared.conversations import Conversation, Message, Note, TurnResult
from shared.store import Store, StoreError


class Memory:
    """Of one turn. With a stored conversation all methods raise `ServiceError` (503) while the store is away."""

    def __init__(
        self, store: Store, branches: Branches, messages: Sequence[Message], stored: Conversation | None
    ) -> None:
        self.conversation_id = stored.id if stored else None
        self.plan = plan_turn(stored, messages)
        self._store = store
        self._branches = branches
        self._sent = tuple(messages)
        self._turn_id = random_hex(8) if stored else ""
        self._taken: tuple[str, Note] | None = None  # a branch and its note, which no other turn can continue now

    async def begin(self) -> None:
        """Mark the stored conversation, so that whatever happens to this process, a copy is not trusted blindly."""
        if self.conversation_id is None:
            return
        name = self.conversation_id
        await needed(lambda: self._store.begin_turn(name, self._turn_id, at=time()))
        stored = await needed(lambda: self._store.conversation(name))
        if stored is None:
            raise unknown_conversation(name)
        # Read after the mark was set: what another turn changed before that is seen, and after that is noticed by
        # the store. The mark that stands is our own; one that it replaced has spoilt the upstream's copy already.
        self.plan = plan_turn(stored.model_copy(update={"pending_turn": None}), self._sent)

    def asked(self, ask: Ask) -> Ask:
        """*ask* with all that was said before."""
        return ask if self.conversation_id is None else replace(ask, messages=self.plan.messages)

    async def find_held(self, model: Model) -> Held | None:
        """The copy that *model*'s upstream may go on from, if any."""
        plan = self.plan
        if self.conversation_id is not None:
            return Held(plan.note, len(plan.messages) - len(plan.new)) if plan.note else None
        *history, last = plan.messages
        if not history or last.role != "user":
            return None
        scope = model.upstream.scope(model.bot, history)
        if scope is None:
            return None
        digest = await _digest(scope, history)
        note = await self._branches.take(digest)
        if note is None:
            return None
        self._taken = digest, note
        return Held(note, len(history))

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

    async def commit(self, model: Model, note: Note | None, answer: Message) -> None:
        """Keep the answer. *note*: the upstream's, where its copy holds all of this history and the answer."""
        if self.conversation_id is not None:
            await self._commit_turn(self.conversation_id, answer, note)
        elif note is not None:
            history = (*self.plan.messages, answer)
            scope = model.upstream.scope(model.bot, history, note)
            if scope is not None:
                self._branches.keep(await _digest(scope, history), note)

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


async def _digest(scope: Sequence[str], messages: Sequence[Message]) -> str:
    return await aside(size_of(messages), lambda: history_digest(scope, messages))
