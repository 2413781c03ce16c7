"""One site with the AIPKit plugin, as an upstream: what a turn sends, what can be mended on the way, and what is noted.

Mended without the client noticing: a refused nonce at either step, a message that the site lost, a connection that
was not made. Never retried: anything after the site may have put the message into its history.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic

from proxy.chat.ask import Ask
from proxy.chat.history import size_of
from proxy.chat.offload import aside
from proxy.chat.upstream import About, AnswerSink, End, Health, Held, Refusal, SiteBots, Tries
from proxy.upstreams.aipkit.copy import Copy, read_copy
from proxy.upstreams.aipkit.credentials import CredentialKeeper
from proxy.upstreams.aipkit.mojibake import Repair
from proxy.upstreams.aipkit.pictures import PictureLimit
from proxy.upstreams.aipkit.planning import Plan, Planned
from proxy.upstreams.aipkit.reader import OldBots, ReplyReader, sources
from proxy.upstreams.aipkit.recovery import Recovery
from proxy.upstreams.aipkit.refusals import Kind, SiteRefusal
from proxy.upstreams.aipkit.requests import SiteTurn
from proxy.upstreams.aipkit.telling import to_refusal
from proxy.upstreams.aipkit.trust import MemoryPolicy
from proxy.upstreams.aipkit.turn import Attempt
from proxy.upstreams.gate import Gate, Passage
from shared.conversations import Message, Note
from shared.models import Bot, Credentials
from shared.parsing import Site
from shared.site_client.client import SiteClient

TRIAL_SECONDS = 5.0  # for connecting and step 1, where another site answers if this one does not

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """*max_transcript*: characters. *idle_timeout*: the longest silence in a stream, seconds."""

    max_transcript: int
    idle_timeout: float


class AipkitSite:
    """The upstream behind one site."""

    def __init__(
        self,
        site: Site,
        gate: Gate,
        keeper: CredentialKeeper,
        client: SiteClient,
        *,
        policy: MemoryPolicy,
        limits: Limits,
    ) -> None:
        self.site = site
        self.gate = gate
        self._keeper = keeper
        self._client = client
        self._policy = policy
        self._limits = limits
        self._recovery = Recovery(keeper, site.origin)
        self._pictures = PictureLimit(client)
        self._old_bots = OldBots()
        self._bots = SiteBots(site, (), 0.0, self)
        self._double_encodes: bool | None = None  # what replies have shown of the site's text encoding

    @property
    def name(self) -> str:
        """As `Upstream.name`."""
        return self.site.origin

    def rank(self, bot: Bot) -> int:
        """As `Upstream.rank`."""
        return 3 if self._keeper.trouble(self.name) else self.gate.rank(bot.id)

    def health(self) -> Health:
        """As `Upstream.health`."""
        state, gate = self._keeper.state(self.name), self.gate
        return Health(
            name=self.name,
            trouble=self._keeper.trouble(self.name) or gate.trouble(),
            breaker=gate.breaker.state(monotonic()),
            cooldown_until=gate.cooldown_until,
            open_streams=gate.limit.open,
            queued=gate.limit.queued,
            credentials=state.current if state else None,
            bots=len(state.bots) if state else 0,
        )

    def scope(self, bot: Bot, history: Sequence[Message], note: Note | None = None) -> tuple[str, ...] | None:
        """As `Upstream.scope`."""
        copy = read_copy(note) if note else None
        if not self._policy.trusts(bot, history, has_state=copy is None or copy.has_state):
            return None
        return self.name, str(bot.id), copy.session_id if copy else self._session_id

    @property
    def _session_id(self) -> str:
        """The guest as which the site is visited now; empty before the first visit."""
        state = self._keeper.state(self.name)
        return state.current.session_id if state else ""

    @property
    def is_known(self) -> bool:
        """As `Upstream.is_known`."""
        return self._keeper.state(self.name) is not None

    async def discover(self) -> None:
        """As `Upstream.discover`."""
        await self._recovery.credentials()

    def bots(self) -> SiteBots:
        """As `Upstream.bots`."""
        state = self._keeper.state(self.name)
        bots, at = (state.bots, state.current.captured_at) if state else ((), 0.0)
        if (self._bots.bots, self._bots.discovered_at) != (bots, at):
            self._bots = SiteBots(self.site, bots, at, self)
        return self._bots

    async def answer(self, ask: Ask, bot: Bot, held: Held | None, sink: AnswerSink, tries: Tries) -> End:
        """As `Upstream.answer`."""
        copy = read_copy(held.note) if held else None
        if copy is not None and held is not None:
            history = ask.messages[: held.messages]
            if self._policy.trusts(bot, history, has_state=copy.has_state):
                try:
                    plan = Plan(ask, bot, copy, ask.messages[held.messages :])
                    return await self._answer(plan, sink, tries)
                except Refusal as refusal:
                    if refusal.about is not About.COPY or not tries.may_retry:
                        raise
        return await self._answer(Plan(ask, bot), sink, tries)

    async def _answer(self, plan: Plan, sink: AnswerSink, tries: Tries) -> End:
        """Run the turn, tried again where that may help: before the site put the message into its history."""
        await self._recovery.credentials()  # the first ones are waited for without a slot
        async with self.gate.enter(plan.bot.id, plan.ask.caller) as passage:
            credentials = await self._recovery.credentials()
            while True:
                tries.take()
                planned = await self._planned(plan, credentials, sink)
                attempt = self._attempt(planned.turn, credentials, passage, sink)
                patience = TRIAL_SECONDS if passage.is_trial and tries.has_alternative else None
                try:
                    await attempt.run(self._limits.idle_timeout, patience)
                    self._old_bots.learn(planned.turn.bot_id, attempt.reader)
                    attempt.reader.end()
                except SiteRefusal as refusal:
                    refusal.hide(credentials.secrets)
                    if refusal.logged or attempt.has_begun or not tries.may_retry:
                        raise to_refusal(refusal) from refusal
                    is_restarting = refusal.kind is Kind.UNREACHABLE
                    credentials = await self._recovery.recover(
                        refusal, credentials, passage, bot_id=plan.bot.id, has_alternative=tries.has_alternative
                    )
                    log.info("turn refused by %s (%s), mended", self.name, refusal.kind.value)
                else:
                    if attempt.verdict is not None:
                        self._double_encodes = attempt.verdict
                    self._recovery.succeeded(credentials)
                    return _end(attempt.reader, planned, credentials)
                if is_restarting:
                    async with passage.outside():
                        await asyncio.sleep(tries.pause)

    async def _planned(self, plan: Plan, credentials: Credentials, sink: AnswerSink) -> Planned:
        limit = self._limits.max_transcript

        def build() -> Planned:
            return plan.turn(credentials, max_transcript=limit, max_images=self._pictures.most)

        size = size_of(plan.ask.messages)
        planned = await aside(size, build)
        if len(planned.turn.images) > 1:
            await self._pictures.learn(credentials)
            planned = await aside(size, build)
        if planned.dropped_messages:
            sink.dropped("messages", planned.dropped_messages)
        if planned.dropped_images:
            sink.dropped("images", planned.dropped_images)
        return planned

    def _attempt(self, turn: SiteTurn, credentials: Credentials, passage: Passage, sink: AnswerSink) -> Attempt:
        def begun() -> None:
            # Known now, since the answer may be left at any time: cut, or without its client.
            passage.answered()
            self._recovery.succeeded(credentials)

        reader = ReplyReader(turn.provider)
        reader.needs_id = self._old_bots.needs_id(turn.bot_id)
        repair = Repair(self._double_encodes)
        return Attempt(self._client, credentials, turn, reader=reader, repair=repair, sink=sink, begun=begun)


def _end(reader: ReplyReader, planned: Planned, credentials: Credentials) -> End:
    note, turn = None, planned.turn
    if not planned.dropped_messages and not reader.warning:  # with a warning in it, it stands there with other words
        note = Copy(
            site=credentials.site,
            bot_id=turn.bot_id,
            session_id=turn.session_id,
            conversation_uuid=turn.conversation_uuid,
            response_id=reader.response_id,
            interaction_id=reader.interaction_id,
        ).to_note()
    return End(reader.finish_reason, reader.refusal, sources(reader.citations), note=note)
