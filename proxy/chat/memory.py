"""What one turn continues, on whichever site it is tried, and what is kept of it."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from time import time

from proxy.chat.branches import Branches
from proxy.chat.catalog import Model
from proxy.chat.continuation import Plan, plan_turn
from proxy.chat.conversations import named, needed, unknown_conversation
from proxy.chat.ids import random_hex
from proxy.server.bodies import aside, size_of
from proxy.upstreams.aipkit.attempts import SiteReply
from proxy.upstreams.aipkit.trust import MemoryPolicy, history_digest
from shared.conversations import Conversation, Message, TurnResult, Upstream
from shared.store import Store, StoreError


class Memory:
    """Of one turn. With a stored conversation all methods raise `ServiceError` (503) while the store is away."""

    def __init__(
        self,
        store: Store,
        branches: Branches,
        policy: MemoryPolicy,
        messages: Sequence[Message],
        stored: Conversation | None,
    ) -> None:
        self.conversation_id = stored.id if stored else None
        self.plan = plan_turn(stored, messages)
        self._store = store
        self._branches = branches
        self._policy = policy
        self._sent = tuple(messages)
        self._turn_id = random_hex(8)
        self._taken: tuple[str, Upstream] | None = None  # a copy that no other turn can continue now

    async def begin(self) -> None:
        """Mark the stored conversation, so that whatever happens to this process, its copy is not trusted blindly."""
        if self.conversation_id is None:
            return
        name = self.conversation_id
        await needed(lambda: self._store.begin_turn(name, self._turn_id, at=time()))
        stored = await needed(lambda: self._store.conversation(name))
        if stored is None:
            raise unknown_conversation(name)
        # Read after the mark was set: what another turn changed before that is seen, and after that is noticed by
        # the store. The mark that stands is our own; one that it replaced has spoilt the site's copy already.
        self.plan = plan_turn(stored.model_copy(update={"pending_turn": None}), self._sent)

    async def find_copy(self, model: Model, session_id: str) -> Plan:
        """The plan for a turn with *model* as this guest: with the site's copy, if one may be continued."""
        if self.conversation_id is None:
            return await self._find_branch(model, session_id)
        history = self.plan.messages[: len(self.plan.messages) - len(self.plan.new)]
        copy = self.plan.upstream
        if copy and not self._policy.trusts(model.bot, history, has_state=_has_state(copy)):
            return replace(self.plan, upstream=None)
        return self.plan

    def put_back(self) -> None:
        """Nothing of the turn reached the site: what was taken from it is as good as before."""
        if self._taken is not None:
            history, copy = self._taken
            self._taken = None
            self._branches.keep(history, copy)

    async def abandon(self) -> None:
        """The whole turn failed and nothing of it reached any site. If this cannot be noted, the mark stays, and the
        next turn replays the text instead."""
        self.put_back()
        if self.conversation_id is not None:
            with suppress(StoreError):
                await self._store.abandon_turn(self.conversation_id, self._turn_id)

    async def commit(self, model: Model, reply: SiteReply, answer: Message, *, is_whole: bool) -> None:
        """Keep the answer. *is_whole*: the site's copy holds all of this history and the answer."""
        copy = Upstream(
            site=reply.credentials.site,
            bot_id=reply.turn.bot_id,
            session_id=reply.turn.session_id,
            conversation_uuid=reply.turn.conversation_uuid,
            response_id=reply.reader.response_id,
            interaction_id=reply.reader.interaction_id,
        )
        if self.conversation_id is not None:
            await self._commit_turn(self.conversation_id, answer, copy if is_whole else None)
        elif is_whole:
            held = (*self.plan.messages, answer)
            if self._policy.trusts(model.bot, held, has_state=_has_state(copy)):
                self._branches.keep(await _digest(model, copy.session_id, held), copy)

    async def _find_branch(self, model: Model, session_id: str) -> Plan:
        """Without an id: the site's copy that holds exactly the history the client sent."""
        *history, last = self.plan.messages
        if not history or last.role != "user" or not self._policy.trusts(model.bot, history):
            return self.plan
        digest = await _digest(model, session_id, history)
        copy = await self._branches.take(digest)
        if copy is None:
            return self.plan
        self._taken = digest, copy
        return replace(self.plan, new=(last,), upstream=copy)

    async def _commit_turn(self, conversation_id: str, answer: Message, copy: Upstream | None) -> None:
        plan = self.plan
        result = TurnResult(
            turn_id=self._turn_id,
            at=time(),
            history=named(plan.messages[:-1]) if plan.replaces else None,
            added=named((plan.messages[-1], answer) if plan.replaces else (*plan.new, answer)),
            upstream=copy,
        )
        await needed(lambda: self._store.commit_turn(conversation_id, result))


def _has_state(copy: Upstream) -> bool:
    return bool(copy.response_id or copy.interaction_id)


async def _digest(model: Model, session_id: str, messages: Sequence[Message]) -> str:
    return await aside(size_of(messages), lambda: history_digest(model.site.origin, model.bot.id, session_id, messages))
