"""The client for sites with the AI Engine plugin.

The client's messages are all the memory there is: every turn carries them, and nothing of a turn is left on the site
that another one would have to know. So a turn that gave no text may be tried again anywhere.
"""

import asyncio
import logging
from functools import partial
from time import time

from proxy.chat.ask import Ask
from proxy.chat.history import size_of
from proxy.chat.offload import offload
from proxy.chat.upstream import AnswerSink, End, Refusal, RetryBudget, UpstreamCopy
from proxy.upstreams.ai_engine.attempt import Attempt
from proxy.upstreams.ai_engine.planning import PlannedTurn, plan_turn
from proxy.upstreams.gate import Permit
from proxy.upstreams.site.plugin_site import MOVE_ON_SECONDS, TRIAL_SECONDS, PluginClient
from proxy.upstreams.site.refusals import RefusalKind, SiteRefusal, to_refusal
from shared.models import Bot

CUSTOM_SECONDS = 23 * 3600.0  # the site forgets settings of a page's own a day after it last showed them
# Before any text: what comes within one is TRUNCATED.
_MENDED = frozenset(
    {RefusalKind.NONCE, RefusalKind.CHALLENGE, RefusalKind.FIREWALL, RefusalKind.MOVED, RefusalKind.UNREACHABLE}
)

log = logging.getLogger(__name__)


class AiEngineSite(PluginClient):
    """The `PluginClient` for AI Engine."""

    async def answer(self, ask: Ask, bot: Bot, held: UpstreamCopy | None, sink: AnswerSink, budget: RetryBudget) -> End:
        """As `Upstream.answer`."""
        shown = await self._shown(bot)
        planned = await offload(size_of(ask.messages), lambda: self._plan(ask, shown))
        async with self._gate.enter(shown.id, ask.caller) as permit:
            return await self._answer(planned, shown, permit, sink, budget)

    def _plan(self, ask: Ask, bot: Bot) -> PlannedTurn:
        state = self._keeper.state(self.name)
        is_old = state is not None and not state.current.session_id  # it starts no sessions: before 2.4.4
        return plan_turn(ask, bot, max_transcript=self._limits.max_transcript, counts_bytes=is_old)

    async def _answer(
        self, planned: PlannedTurn, bot: Bot, permit: Permit, sink: AnswerSink, budget: RetryBudget
    ) -> End:
        """Run the turn, tried again where that may help."""
        credentials = await self._keeper.current(self.name)
        self._tell_dropped(sink, planned.dropped_messages, planned.dropped_images)
        files: list[str] = []  # pictures that a try before has brought to the site
        while True:
            bot = await self._shown(bot)  # a visit may have found others meanwhile
            budget.left -= 1
            used = credentials
            begun = partial(self._begun, permit, used)
            attempt = Attempt(self._client, used, planned, bot, files=files, sink=sink, begun=begun)
            patience = TRIAL_SECONDS if permit.is_trial else MOVE_ON_SECONDS
            try:
                await attempt.run(
                    self._limits.idle_timeout,
                    patience if budget.has_alternative else None,
                    is_trial=permit.is_trial,
                )
            except SiteRefusal as refusal:
                refusal.attribute(used)
                if refusal.kind not in _MENDED or not budget.may_retry:
                    raise _to_refusal(refusal, attempt) from refusal
                is_restarting = refusal.kind is RefusalKind.UNREACHABLE
                credentials = await self._recovery.recover(
                    refusal, used, permit, bot_id=bot.id, has_alternative=budget.has_alternative
                )
                log.info("turn refused by %s (%s), mended", self.name, refusal.kind.name.lower())
            else:
                return End(usage=attempt.reader.usage)
            finally:
                if attempt.new_nonce:
                    self._keeper.offer_nonce(used, attempt.new_nonce)
            if is_restarting:
                async with permit.outside():
                    await asyncio.sleep(budget.pause)

    async def _shown(self, bot: Bot) -> Bot:
        """The bot as the page showed it last. For one that it shows no more the site's default one would answer."""
        state = self._keeper.state(self.name)
        found = next((each for each in state.bots if each.id == bot.id), None) if state else None
        if state is None or found is None or not (found.key or found.custom_key):
            raise to_refusal(SiteRefusal(RefusalKind.BOT, "its page does not show it", logged=False))
        if found.custom_key and time() - state.current.captured_at > CUSTOM_SECONDS:
            why = "the site may have forgotten the settings of this chat, which its page shows it anew"
            await self._keeper.request_visit(self.name, why)
            raise to_refusal(SiteRefusal(RefusalKind.BUSY, f"{why}; a visit was asked for", logged=False))
        return found


def _to_refusal(refusal: SiteRefusal, attempt: Attempt) -> Refusal:
    """Translate *refusal*; the site keeps no history that the message could have got into."""
    neutral = to_refusal(refusal)
    neutral.has_begun = attempt.reader.has_text or (refusal.by_plugin and refusal.kind is not RefusalKind.EMPTY)
    return neutral
