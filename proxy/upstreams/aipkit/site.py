"""The client for sites with the AIPKit plugin: plan a turn, run it, recover, and note what the next one needs.

Recovered from unnoticed: a refused nonce at either step, a message that the site lost, a connection that
was not made. Never retried: anything after the site may have put the message into its history.
"""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

from proxy.chat.ask import Ask
from proxy.chat.history import is_empty, size_of
from proxy.chat.offload import LARGE_BYTES
from proxy.chat.upstream import MAX_ATTEMPTS, AnswerSink, End, Refusal, RefusalReason, RetryBudget, UpstreamCopy
from proxy.upstreams.aipkit.attempt import Attempt
from proxy.upstreams.aipkit.planning import MemoryPolicy, PlannedTurn, SiteCopy, TurnPlanner, read_copy
from proxy.upstreams.aipkit.reader import OldBots, ReplyReader, sources
from proxy.upstreams.gate import Gate
from proxy.upstreams.site.credentials import CredentialKeeper
from proxy.upstreams.site.plugin_site import MOVE_ON_SECONDS, TRIAL_SECONDS, Limits, PluginClient
from proxy.upstreams.site.refusals import RefusalKind, SiteRefusal, to_refusal
from shared.conversations import Message, Note
from shared.models import Bot, Credentials
from shared.plugins.aipkit.probe import accepts_several_images, probe_request
from shared.site_client.client import SiteClient
from shared.site_client.errors import SiteUnreachable

MAX_IMAGES = 4  # no plugin takes more in one message
PROBE_SECONDS = 15.0

log = logging.getLogger(__name__)


class AipkitSite(PluginClient):
    """The `PluginClient` for AIPKit."""

    def __init__(
        self,
        gate: Gate,
        keeper: CredentialKeeper,
        client: SiteClient,
        *,
        policy: MemoryPolicy,
        limits: Limits,
    ) -> None:
        super().__init__(gate, keeper, client, limits=limits)
        self._policy = policy
        self._max_pictures = MAX_IMAGES  # in one message, as far as is known
        self._asked_of = 0.0  # the visit after which it was asked how many
        self._old_bots = OldBots()
        self._double_encodes: bool | None = None  # what replies have shown of the site's text encoding

    def scope(self, bot: Bot, history: Sequence[Message], note: Note | None = None) -> tuple[str, ...] | None:
        """As `Upstream.scope`."""
        copy = read_copy(note) if note else None
        if not self._policy.trusts(bot, history, has_state=copy is None or copy.has_state):
            return None
        if copy is not None:
            return self.name, str(bot.id), copy.session_id
        state = self._keeper.state(self.name)
        return self.name, str(bot.id), state.current.session_id if state else ""

    async def answer(self, ask: Ask, bot: Bot, held: UpstreamCopy | None, sink: AnswerSink, budget: RetryBudget) -> End:
        """As `Upstream.answer`."""
        copy = read_copy(held.note) if held else None
        if copy is not None and held is not None:
            history, new = ask.messages[: held.messages], ask.messages[held.messages :]
            if not is_empty(new) and self._policy.trusts(bot, history, has_state=copy.has_state):
                try:
                    planner = TurnPlanner(ask, bot, copy, new)
                    return await self._answer(planner, sink, budget)
                except Refusal as refusal:
                    if refusal.reason is not RefusalReason.COPY or not budget.may_retry:
                        raise
        return await self._answer(TurnPlanner(ask, bot), sink, budget)

    async def _answer(self, planner: TurnPlanner, sink: AnswerSink, budget: RetryBudget) -> End:
        """Run the turn, tried again where that may help: before the site put the message into its history."""
        async with self._gate.enter(planner.bot.id, planner.ask.caller) as permit:
            credentials = await self._keeper.current(self.name)
            while True:
                budget.left -= 1
                longest = TRIAL_SECONDS if permit.is_trial else MOVE_ON_SECONDS
                patience = longest if budget.has_alternative else None
                planned = await self._planned(planner, credentials, sink, patience)
                turn = planned.turn
                reader = ReplyReader(turn.provider, needs_id=self._old_bots.needs_id(turn.bot_id))
                attempt = Attempt(
                    *(self._client, credentials, turn),
                    reader=reader,
                    double_encodes=self._double_encodes,
                    sink=sink,
                    begun=partial(self._begun, permit, credentials),
                )
                try:
                    await attempt.run(self._limits.idle_timeout, patience)
                    self._old_bots.learn(turn.bot_id, reader)
                    reader.end()
                except SiteRefusal as refusal:
                    refusal.attribute(credentials)
                    if refusal.logged or reader.has_begun or not budget.may_retry:
                        raise to_refusal(refusal) from refusal
                    is_restarting = refusal.kind is RefusalKind.UNREACHABLE
                    # A message that was lost once is sent once more before another site is asked.
                    is_first_loss = refusal.kind is RefusalKind.CACHE_KEY and budget.left == MAX_ATTEMPTS - 1
                    has_alternative = budget.has_alternative and not is_first_loss
                    credentials = await self._recovery.recover(
                        refusal, credentials, permit, bot_id=planner.bot.id, has_alternative=has_alternative
                    )
                    log.info("turn refused by %s (%s), mended", self.name, refusal.kind.name.lower())
                else:
                    if attempt.verdict is not None:
                        self._double_encodes = attempt.verdict
                    self._keeper.mark_good(credentials)
                    is_held = attempt.is_logged or (planner.bot.keeps_state and reader.has_state)
                    return _end(reader, planned, credentials, is_held=is_held)
                if is_restarting:
                    async with permit.outside():
                        await asyncio.sleep(budget.pause)

    async def _planned(
        self, planner: TurnPlanner, credentials: Credentials, sink: AnswerSink, patience: float | None
    ) -> PlannedTurn:
        def plan_now() -> PlannedTurn:
            most = self._limits.max_transcript
            return planner.plan(credentials, max_transcript=most, max_images=self._max_pictures)

        is_large = size_of(planner.ask.messages) > LARGE_BYTES
        planned = await asyncio.to_thread(plan_now) if is_large else plan_now()
        if len(planned.turn.images) + planned.dropped_images > 1:
            await self._learn_pictures(credentials, min(PROBE_SECONDS, patience or PROBE_SECONDS))
            planned = plan_now()
        self._tell_dropped(sink, planned.dropped_messages, planned.dropped_images)
        return planned

    async def _learn_pictures(self, credentials: Credentials, timeout: float) -> None:
        """Ask once after each visit whether it takes several: plugins before 2.4.21 pass the rest over."""
        if self._asked_of == credentials.captured_at:
            return
        request = probe_request(credentials.ajax_url, credentials.nonce)
        with suppress(SiteUnreachable):
            reply = await self._client.ask(credentials, request, timeout=timeout)
            if (several := accepts_several_images(reply.body)) is not None:
                self._asked_of, self._max_pictures = credentials.captured_at, MAX_IMAGES if several else 1


def _end(reader: ReplyReader, planned: PlannedTurn, credentials: Credentials, *, is_held: bool) -> End:
    """*is_held*: the site, or the model's provider, has the answer."""
    note, turn = None, planned.turn
    if is_held and not planned.dropped_messages and not reader.warning:  # with one, it stands there in other words
        note = SiteCopy(
            site=credentials.site,
            bot_id=turn.bot_id,
            session_id=turn.session_id,
            conversation_uuid=turn.conversation_uuid,
            response_id=reader.response_id,
            interaction_id=reader.interaction_id,
        ).to_note()
    cited = sources(reader.citations) if reader.citations else ()
    return End(reader.finish_reason, reader.refusal, cited, note=note)
