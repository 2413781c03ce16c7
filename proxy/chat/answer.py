"""One answer to a request: failover among the upstreams, emulated tools, and storing the result."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from random import getrandbits
from time import perf_counter, time
from typing import Literal

from proxy.chat.ask import Ask
from proxy.chat.catalog import Model
from proxy.chat.emulation import Emulation, invalid_output
from proxy.chat.errors import ServiceError, drop_tracebacks
from proxy.chat.extras import Extra, Extras
from proxy.chat.history import size_of
from proxy.chat.memory import Memory, count_tokens
from proxy.chat.offload import LARGE_BYTES
from proxy.chat.tokens import Usage, estimate_tokens
from proxy.chat.tools.call_reader import Verdict
from proxy.chat.tools.prompts import retry_prompt
from proxy.chat.truncation import Truncator
from proxy.chat.upstream import MAX_ATTEMPTS, End, Refusal, RefusalReason, RetryBudget, Sink, StopReading, UpstreamCopy
from shared.conversations import Message, ToolCall

MAX_ANSWER_CHARS = 4 * 1024 * 1024  # many times what any model writes in one answer
MAX_ANSWER_CHUNKS = 256 * 1024
LINGER_SECONDS = 5.0  # after complete calls: with the answer's end the upstream's copy can be continued

log = logging.getLogger(__name__)

ToolOutcome = Literal["valid", "mended", "retried", "failed"]
OnComplete = Callable[["Answer"], Awaitable[None]]


class Answer:
    """One answer: `run` writes it to a sink; afterwards `message`, `end` and `usage` describe it.

    It is the sink of its upstreams itself: it truncates, keeps and passes on what they send.
    """

    def __init__(
        self,
        ask: Ask,
        memory: Memory,
        models: Sequence[Model],
        *,
        name: str,
        fallback: Model | None,
        on_complete: OnComplete | None,
        retries: int,
    ) -> None:
        """*models*: the same model on all upstreams that have it, in the order in which they are tried; *fallback*
        is the server's among them (`FREEAICHAT_FALLBACK_MODEL`), which the client did not name.

        *on_complete* is awaited once the answer is complete, before its end is sent. *retries*: how often a model is
        asked again after an invalid call or invalid JSON.
        """
        random_hex = f"{getrandbits(192):048x}"  # no secret, so that the system is not asked for each
        self.id = f"chatcmpl-{random_hex[:32]}"
        self.created = int(time())
        self.model = name
        self.message_id = f"msg_{random_hex}"
        self.conversation_id = memory.conversation_id  # the stored conversation that the answer belongs to
        self.end = End()
        self.first_text_at: float | None = None  # by `perf_counter`; of its reasoning, where that is shown
        self.extras: Extras | None = None  # set before `run` where they are to be part of the end, joined
        self.headers: dict[str, str] = {}  # for the response: how the answer was made
        self._ask, self._memory = ask, memory
        self._models, self._model = models, models[0]  # answers now, or was tried last
        self._fallback, self._on_complete, self._retries = fallback, on_complete, retries
        self.stands_in = False  # for a model that was asked for and is not known
        self.calls: list[ToolCall] = []
        self.tool_outcome: ToolOutcome | None = None  # of an answer that has, or should have, calls or JSON by a schema
        self._truncator: Truncator | None = None  # of this attempt
        self._emulation: Emulation | None = None  # reads the text of this attempt
        self._linger: asyncio.Timeout | None = None  # until its end, once its calls are complete
        self._raw_text: str | None = None  # the answer as its upstream gave it, where that is not its text
        self._budget = RetryBudget()
        self._parts: list[str] = []
        self._length = self._chunks = 0  # of all attempts together
        self._thoughts: list[str] = []  # texts of the reasoning that was passed on
        self._was_delivered = False  # some of it may stand in an upstream's history
        self._prompt_tokens = 0  # 0: not counted yet
        self._sink: Sink

    @property
    def upstream(self) -> str:
        """Name of the upstream that answers, or was tried last."""
        return self._model.upstream.name

    @property
    def message(self) -> Message:
        """The answer as a message, as far as it has come."""
        text, thoughts = "".join(self._parts), "".join(self._thoughts) if self.calls else ""
        return Message(role="assistant", text=text, id=self.message_id, calls=tuple(self.calls), thoughts=thoughts)

    @property
    def usage(self) -> Usage:
        """Tokens of the whole history and of the answer; estimated where the upstream reports none."""
        if self.end.usage is not None:
            return self.end.usage
        self._prompt_tokens = self._prompt_tokens or self._memory.count_tokens()
        count = count_tokens([self.message], None) + estimate_tokens("".join(self._thoughts))
        return Usage(self._prompt_tokens, count or 1)  # 1: cut before its first character

    async def run(self, sink: Sink) -> None:
        """Stream the answer to *sink*, and commit it at its end. Raises `ServiceError`."""
        self._sink = sink
        memory = self._memory
        await memory.begin()
        if size_of(memory.plan.messages) > LARGE_BYTES:
            self._prompt_tokens = await asyncio.to_thread(memory.count_tokens)
        try:
            self.end = await self._run_with_failover()
        except StopReading as stopped:
            drop_tracebacks(stopped)
            self.end = stopped.end
        else:
            self._release_held()
            if self._truncator is not None and self._truncator.reason == "length":  # met in what was held back
                self.end = replace(self.end, reason="length", note=None)
        finally:
            del self._sink  # which leads back here: garbage that only the collector would find
        self.end = replace(self.end, extra=self.extras.whole() if self.extras else None)
        await memory.commit(self._model, self.end, self.message, self._raw_text)
        if self._on_complete is not None:
            await self._on_complete(self)

    def text(self, text: str) -> bool:
        """As `Sink.text`."""
        self._length += len(text)
        self._chunks += 1
        if self._length > MAX_ANSWER_CHARS or self._chunks > MAX_ANSWER_CHUNKS:
            raise _answer_too_long()
        if self._emulation is None:
            return self._show(text)
        wants_more = self._emulation.feed(text)
        if self._linger is not None and self._emulation.is_over():
            self._linger.reschedule(asyncio.get_running_loop().time() + LINGER_SECONDS)
            self._linger = None
        return wants_more

    def call(self, call: ToolCall) -> bool:
        """As `Sink.call`."""
        self._release_held()
        self.first_text_at = self.first_text_at or perf_counter()
        self.calls.append(call)
        return self._sink.call(call)

    def text_with_extra(self, extra: Extra) -> bool:
        """As `Sink.text_with_extra`. Where text may be truncated, it is passed on after the extra that came with it."""
        self._thoughts.append(extra.reasoning_text)
        self._length += len(extra.text) + len(self._thoughts[-1])
        self._chunks += 1
        if self._length > MAX_ANSWER_CHARS or self._chunks > MAX_ANSWER_CHUNKS:
            raise _answer_too_long()
        self.first_text_at = self.first_text_at or perf_counter()
        if self.extras is not None:
            self.extras.add(extra)
        if self._truncator is not None:
            wants_more = self._sink.text_with_extra(replace(extra, text=""))
            return self._show(extra.text) and wants_more
        if extra.text:
            self._parts.append(extra.text)
        return self._sink.text_with_extra(extra)

    def _show(self, text: str) -> bool:
        """Pass *text* on to the client, up to where it is truncated."""
        truncator = self._truncator
        if truncator is not None:
            if truncator.reason:
                return True
            text = truncator.feed(text)
        wants_more = True
        if text:
            if self.first_text_at is None:
                self.first_text_at = perf_counter()
            self._parts.append(text)
            wants_more = self._sink.text(text)
        if truncator is not None and truncator.reason:
            raise StopReading(truncator.reason, truncator.stop)  # leaving drops the upstream
        return wants_more

    def _release_held(self) -> None:
        """Pass on what was held back as a possible stop sequence: the text is over, or goes on after a call."""
        truncator, self._truncator = self._truncator, None
        if truncator is not None and (rest := truncator.end()):
            self._show(rest)
        self._truncator = truncator

    async def ready(self) -> None:
        """As `Sink.ready`."""
        await self._sink.ready()

    def dropped(self, what: Literal["messages", "images"], count: int) -> None:
        """As `Sink.dropped`."""
        self.headers[f"x-dropped-{what}"] = str(count)
        log.warning("answer %s: the oldest %d %s were left out", self.id, count, what)

    async def _run_with_failover(self) -> End:
        """Answer from the first upstream that can; a failure before the first text moves on to the next one."""
        remaining = list(self._models)
        while True:
            self._model = model = remaining.pop(0)
            rank = model.upstream.rank(model.bot)
            self._budget.has_alternative = any(each.upstream.rank(each.bot) <= rank for each in remaining)
            try:
                held = await self._memory.find_held(model)
                self._begin(model)
                ask = self._memory.as_sent(self._ask)
                if model is self._fallback:
                    ask = ask.for_fallback()
                if self._memory.is_plain:
                    return await model.upstream.answer(ask, model.bot, held, self, self._budget)
                return await self._run_emulated(ask, model, held)
            except asyncio.CancelledError:  # the client left
                if self._budget.left == MAX_ATTEMPTS and not self._was_delivered:  # and nothing was sent yet
                    await self._memory.abandon()
                raise
            except (Refusal, ServiceError) as failure:
                error = failure.error if isinstance(failure, Refusal) else failure
                may_move_on = failure.may_move_on if isinstance(failure, Refusal) else True
                has_begun = bool(self._parts or self.calls or self._thoughts)
                has_begun = has_begun or (self._truncator is not None and self._truncator.has_fed)
                self._was_delivered |= has_begun or (isinstance(failure, Refusal) and failure.delivered)
                if not self._budget.may_retry:  # a fallback server has its own budget
                    remaining = [each for each in remaining if each.is_server and not model.is_server]
                    self._budget = RetryBudget()
                if has_begun or not remaining or not may_move_on:
                    if not self._was_delivered:
                        await self._memory.abandon()
                    raise error from failure
            log.info("answer %s: %s failed (%s), trying the next", self.id, self.upstream, error.code or error.type)
            if not self._was_delivered:
                self._memory.put_back()

    def _begin(self, model: Model) -> None:
        """Start an attempt with *model*: set its response headers and its truncation."""
        ask, supported = self._ask, model.upstream.supported_parameters
        self.headers.clear()
        gets_options = model.is_server and model is not self._fallback and "web_search_options" in ask.extras
        may_search = model.bot.web_search or gets_options or not model.discovered  # of the last, nothing is known
        if ignored := ask.ignored_by(supported, may_search=may_search):
            self.headers["x-ignored-params"] = ", ".join(ignored)
        if self.stands_in or model is self._fallback:
            self.headers["x-fallback-model"] = model.id
        max_tokens = None if "max_tokens" in supported else ask.max_tokens
        self._truncator = Truncator(ask.stops, max_tokens) if ask.stops or max_tokens else None

    async def _run_emulated(self, ask: Ask, model: Model, held: UpstreamCopy | None) -> End:
        """Answer from an upstream that takes only text; ask again after an invalid call or invalid JSON."""
        tool_config = self._ask.tool_config
        if tool_config is None:  # only earlier messages have to do with tools
            return await model.upstream.answer(ask, model.bot, held, self, self._budget)
        self._truncator = Truncator(ask.stops) if ask.stops else None  # max_tokens counts the raw text
        verdict = Verdict()
        for left in range(self._retries, -1, -1):
            is_first = left == self._retries
            earlier = None if is_first else self.message
            self._emulation = emulation = Emulation(
                tool_config, self._show, self.call, max_tokens=ask.max_tokens, earlier=earlier
            )
            try:
                async with asyncio.timeout(None) as self._linger:
                    end = await model.upstream.answer(ask, model.bot, held, self, self._budget)
            except StopReading as stopped:
                if stopped.end.stop is not None:  # what came behind a stop sequence is no part of the answer
                    raise
                drop_tracebacks(stopped)
                end = stopped.end
            except (Refusal, TimeoutError) as failure:
                if not (emulation.is_over() and self.calls):
                    raise
                drop_tracebacks(failure)  # the calls are complete: the rest is not needed
                end = End("tool_calls")
            finally:
                self._emulation = self._linger = None
            is_cut = end.reason in ("length", "content_filter")
            verdict = emulation.end(cut=is_cut)
            if not verdict.problem or is_cut or end.refusal is not None:
                if not verdict.problem and (self.calls or tool_config.output_format is not None):
                    self.tool_outcome = "retried" if not is_first else "mended" if verdict.repaired else "valid"
                if self.calls and not verdict.has_partial:
                    end = replace(end, reason="tool_calls")
                self._raw_text, end = emulation.raw, end.of_rewritten_text() if verdict.is_json else end
                return end if is_first else replace(end, note=None)
            self._was_delivered = True  # whatever becomes of the next try
            log.info("answer %s came out wrong, %d tries left", self.id, left)
            held = UpstreamCopy(end.note, len(ask.messages) + 1) if end.note else None
            again = retry_prompt(verdict.problem, tool_config, is_json=verdict.is_json)
            ask = replace(ask, messages=(*ask.messages, Message(role="assistant", text=emulation.raw), again))
            self._budget = RetryBudget(has_alternative=self._budget.has_alternative)
        self.tool_outcome = "failed"
        raise Refusal(invalid_output(is_json=verdict.is_json), RefusalReason.MESSAGE, delivered=True, has_begun=True)


def _answer_too_long() -> Refusal:
    message = "The site failed to answer: its answer does not end."
    error = ServiceError(502, message, type="server_error", code="upstream_error")
    return Refusal(error, RefusalReason.MESSAGE, delivered=True, has_begun=True)
