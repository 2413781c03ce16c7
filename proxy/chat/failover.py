"""The attempts at one answer: failover among its upstreams, and asking again where emulated tools come out wrong."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from proxy.chat.answer_writer import AnswerWriter
from proxy.chat.ask import Ask
from proxy.chat.catalog import Model
from proxy.chat.conversation_turn import ConversationTurn
from proxy.chat.emulation import Emulation, invalid_output
from proxy.chat.errors import ServiceError, drop_tracebacks, soonest
from proxy.chat.tools.call_reader import Verdict
from proxy.chat.tools.definitions import ToolConfig
from proxy.chat.tools.prompts import retry_prompt
from proxy.chat.truncation import Truncator
from proxy.chat.upstream import MAX_ATTEMPTS, End, Refusal, RefusalReason, RetryBudget, StopReading, UpstreamCopy
from shared.conversations import Message

log = logging.getLogger(__name__)

MAX_NAMED = 32  # parameters in x-ignored-params: clients bound the length of headers
ToolOutcome = Literal["valid", "mended", "retried", "failed"]


class Failover:
    """Has one answer written by the first of its models that can give it; afterwards `model` is the one that did."""

    def __init__(
        self,
        ask: Ask,
        turn: ConversationTurn,
        models: Sequence[Model],
        *,
        answer_id: str,
        fallback: Model | None,
        stands_in: bool,
        retries: int,
    ) -> None:
        """As `Answer`."""
        self.headers: dict[str, str] = {}  # for the response: how the answer was made
        self.writer = AnswerWriter(answer_id, self.headers)
        self.model = models[0]  # that is asked now, or was asked last
        self.tool_outcome: ToolOutcome | None = None  # of an answer that has, or should have, calls or JSON by a schema
        self.raw_text: str | None = None  # the answer as its upstream gave it, where that is not its text
        self._ask, self._turn, self._models, self._answer_id = ask, turn, models, answer_id
        self._fallback, self._stands_in, self._retries = fallback, stands_in, retries
        self._budget = RetryBudget()
        self._was_delivered = False  # some of it may stand in an upstream's history

    async def run(self) -> End:
        """Answer from the first upstream that can; a failure before the first text moves on to the next one.

        Raises `ServiceError` where none can, and what the writer raises.
        """
        remaining = list(self._models)
        errors: list[ServiceError] = []
        while True:
            self.model = model = remaining.pop(0)
            rank = model.upstream.rank(model.bot)
            config = self._ask.tool_config
            took = model.upstream.takes(model.bot, config)
            self._budget.has_alternative = any(each.upstream.rank(each.bot) <= rank for each in remaining)
            try:
                return await self._attempt(model)
            except asyncio.CancelledError:  # the client left
                if self._budget.left == MAX_ATTEMPTS and not self._was_delivered:  # and nothing was sent yet
                    await self._turn.abandon()
                raise
            except (Refusal, ServiceError) as failure:
                if took and not model.upstream.takes(model.bot, config) and not self.writer.has_begun:
                    remaining.insert(0, model)
                    continue
                error = failure.error if isinstance(failure, Refusal) else failure
                errors.append(error)
                remaining = self._models_after(failure, remaining)
                if not remaining:
                    if not self._was_delivered:
                        await self._turn.abandon()
                    raise soonest(errors) from failure
            log.info(
                "answer %s: %s failed (%s), going on to the next",
                *(self._answer_id, model.upstream.name, error.code or error.type),
            )
            if not self._was_delivered:
                self._turn.put_back()

    def _models_after(self, failure: Refusal | ServiceError, remaining: list[Model]) -> list[Model]:
        """Those of the *remaining* models that may still be tried after *failure*."""
        has_begun = self.writer.has_begun
        self._was_delivered |= has_begun or (isinstance(failure, Refusal) and failure.delivered)
        left = self._budget.left
        if left <= 0:
            remaining = [each for each in remaining if each.is_server and not self.model.is_server]
        if not self._budget.may_retry and remaining:  # who was not asked yet has time, and a fallback all its tries
            is_fallback = remaining[0].is_server and not self.model.is_server
            self._budget = RetryBudget() if is_fallback else RetryBudget(left=left)
        may_move_on = failure.may_move_on if isinstance(failure, Refusal) else True
        return remaining if may_move_on and not has_begun else []

    async def _attempt(self, model: Model) -> End:
        """Answer from *model*, with or without emulated tools."""
        held = await self._turn.find_held(model)
        self._begin(model)
        ask = self._turn.as_sent(self._ask)
        if model is self._fallback:
            ask = ask.for_fallback()
        tool_config = self._ask.tool_config
        if self._turn.is_plain or tool_config is None:  # None: only earlier messages have to do with tools
            return await model.upstream.answer(ask, model.bot, held, self.writer, self._budget)
        return await self._answer_emulated(ask, tool_config, model, held)

    def _begin(self, model: Model) -> None:
        """Start an attempt with *model*: set its response headers and its truncation."""
        ask, supported = self._ask, model.upstream.supported_parameters
        self.headers.clear()
        gets_options = model.is_server and model is not self._fallback and "web_search_options" in ask.extra_parameters
        may_search = model.bot.web_search or gets_options or not model.discovered  # of the last, nothing is known
        search = (ask.search_word,) if ask.web_search and not may_search else ()
        if ignored := [*(name for name in ask.parameters if name not in supported), *search, *ask.ignored]:
            self.headers["x-ignored-params"] = ", ".join(ignored[:MAX_NAMED])
        if self._stands_in or model is self._fallback:
            self.headers["x-fallback-model"] = model.id
        max_tokens = None if "max_tokens" in supported else ask.max_tokens
        self.writer.truncator = Truncator(ask.stops, max_tokens) if ask.stops or max_tokens else None

    async def _answer_emulated(self, ask: Ask, tool_config: ToolConfig, model: Model, held: UpstreamCopy | None) -> End:
        """Answer from an upstream that takes only text; ask again after an invalid call or invalid JSON."""
        writer = self.writer
        writer.truncator = Truncator(ask.stops) if ask.stops else None  # max_tokens counts the raw text
        verdict = Verdict()
        for left in range(self._retries, -1, -1):
            is_first = left == self._retries
            emulation = Emulation(
                tool_config,
                writer.show,
                writer.call,
                max_tokens=ask.max_tokens,
                earlier=None if is_first else writer.message(),
            )
            end = await self._read_emulated(emulation, ask, model, held)
            is_cut = end.reason in ("length", "content_filter")
            verdict = emulation.end(cut=is_cut)
            if not verdict.problem or is_cut or end.refusal is not None:
                if not verdict.problem and (writer.calls or tool_config.output_format is not None):
                    self.tool_outcome = "retried" if not is_first else "mended" if verdict.repaired else "valid"
                if writer.calls and not verdict.has_partial:
                    end = replace(end, reason="tool_calls")
                self.raw_text, end = emulation.raw, end.of_rewritten_text() if verdict.is_json else end
                return end if is_first else replace(end, note=None)
            self._was_delivered = True  # whatever becomes of the next try
            log.info("answer %s came out wrong, %d tries left", self._answer_id, left)
            held = UpstreamCopy(end.note, len(ask.messages) + 1) if end.note else None
            again = retry_prompt(verdict.problem, tool_config, is_json=verdict.is_json)
            ask = replace(ask, messages=(*ask.messages, Message(role="assistant", text=emulation.raw), again))
            self._budget = RetryBudget(has_alternative=self._budget.has_alternative)
        self.tool_outcome = "failed"
        raise Refusal(invalid_output(is_json=verdict.is_json), RefusalReason.MESSAGE, delivered=True, has_begun=True)

    async def _read_emulated(self, emulation: Emulation, ask: Ask, model: Model, held: UpstreamCopy | None) -> End:
        """Have *emulation* read the answer to *ask*. Once its calls are complete, the rest may fail or stay away."""
        writer = self.writer
        writer.emulation = emulation
        try:
            async with asyncio.timeout(None) as writer.linger:
                return await model.upstream.answer(ask, model.bot, held, writer, self._budget)
        except StopReading as stopped:
            if stopped.end.stop is not None:  # what came behind a stop sequence is no part of the answer
                raise
            drop_tracebacks(stopped)
            return stopped.end
        except (Refusal, TimeoutError) as failure:
            if not emulation.is_over():
                raise
            drop_tracebacks(failure)
            return End("tool_calls")
        finally:
            writer.emulation = writer.linger = None
