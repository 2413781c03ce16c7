"""One answer in the making: which upstream gives it, where it goes on if that one fails, and what is kept of it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from random import getrandbits
from time import perf_counter, time
from typing import Literal

from proxy.chat.ask import Ask
from proxy.chat.catalog import Model
from proxy.chat.cutting import Cutter
from proxy.chat.emulation import Emulation, failed
from proxy.chat.errors import ServiceError, release
from proxy.chat.extras import Extra
from proxy.chat.history import size_of
from proxy.chat.memory import Memory, count_tokens
from proxy.chat.offload import LARGE_BYTES
from proxy.chat.tokens import Usage
from proxy.chat.tools.reader import Verdict
from proxy.chat.tools.rendering import retry
from proxy.chat.upstream import MAX_TRIES, About, End, Enough, Held, Refusal, Sink, Tries
from shared.conversations import Call, Message

MAX_ANSWER_CHARS = 4 * 1024 * 1024  # many times what any model says at once
MAX_ANSWER_PIECES = 256 * 1024
LINGER_SECONDS = 5.0  # for the end of an answer whose calls are whole: with it, the upstream's copy can be gone on from

log = logging.getLogger(__name__)

ToolOutcome = Literal["valid", "mended", "retried", "failed"]
Afterwards = Callable[["Answer"], Awaitable[None]]


class Answer:
    """One answer: `run` gives it to a sink; afterwards `message`, `end` and `usage` describe it.

    It is the sink of its upstreams itself: text is cut where the client wants it to end, kept, and passed on.
    """

    def __init__(
        self,
        ask: Ask,
        memory: Memory,
        models: Sequence[Model],
        *,
        name: str,
        fallback: Model | None,
        afterwards: Afterwards | None,
        retries: int,
    ) -> None:
        """*models*: the same one on the upstreams that offer it, in the order in which they are tried; *fallback* is
        the server's among them (`FREEAICHAT_FALLBACK_MODEL`), which the client did not name.

        *afterwards* is awaited once the answer is whole, before its end is told. *retries*: how often a model is asked
        once more for a call or JSON that came out wrong.
        """
        name_of_it = f"{getrandbits(192):048x}"  # no secret, so that the system is not asked for each
        self.id = f"chatcmpl-{name_of_it[:32]}"
        self.created = int(time())
        self.model = name
        self.message_id = f"msg_{name_of_it}"
        self.conversation_id = memory.conversation_id  # the stored conversation that the answer belongs to
        self.end = End()
        self.first_text_at: float | None = None  # by `perf_counter`
        self.headers: dict[str, str] = {}  # of the response: what the client should know of how it was got
        self._ask = ask
        self._memory = memory
        self._models, self._model = models, models[0]  # that answers, or was tried last
        self._fallback = fallback
        self._afterwards, self._retries = afterwards, retries
        self.stands_in = False  # for a model that was asked for and is not known
        self.calls: list[Call] = []
        self.tool_outcome: ToolOutcome | None = None  # where it holds calls or JSON by a schema, or should
        self._cutter: Cutter | None = None  # of this try
        self._emulation: Emulation | None = None  # reads the text of this try
        self._linger: asyncio.Timeout | None = None  # how long it may go on once its calls are whole
        self._raw: str | None = None  # the answer as its upstream gave it, where that is not its text
        self._tries = Tries()
        self._parts: list[str] = []
        self._length = self._pieces = 0  # of what all tries gave
        self._thoughts: list[str] = []  # of each piece that the client was shown with what was told beside it
        self._was_delivered = False  # some of it may stand in an upstream's history
        self._asked = 0  # tokens; 0: not counted yet
        self._sink: Sink

    @property
    def upstream(self) -> str:
        """Name of the one that answers, or was tried last."""
        return self._model.upstream.name

    @property
    def message(self) -> Message:
        """The whole answer."""
        text, thoughts = "".join(self._parts), "".join(self._thoughts) if self.calls else ""
        return Message(role="assistant", text=text, id=self.message_id, calls=tuple(self.calls), thoughts=thoughts)

    @property
    def usage(self) -> Usage:
        """Tokens of the whole history and of the answer; estimated where the upstream tells none."""
        if self.end.usage is not None:
            return self.end.usage
        self._asked = self._asked or self._memory.count_tokens()
        return Usage(self._asked, count_tokens([self.message], None) or 1)  # cut before its first character

    async def run(self, sink: Sink) -> None:
        """Give the text to *sink* as it comes, and commit the answer at its end. Raises `ServiceError`."""
        self._sink = sink
        memory = self._memory
        await memory.begin()
        if size_of(memory.plan.messages) > LARGE_BYTES:
            self._asked = await asyncio.to_thread(memory.count_tokens)
        try:
            self.end = await self._from_any()
        except Enough as enough:
            release(enough)
            self.end = enough.end
        else:
            self._release_held()
            if self._cutter is not None and self._cutter.reason == "length":  # met in what was held back
                self.end = replace(self.end, reason="length", note=None)
        finally:
            del self._sink  # which leads back here: garbage that only the collector would find
        await memory.commit(self._model, self.end, self.message, self._raw)
        if self._afterwards is not None:
            await self._afterwards(self)

    def text(self, text: str) -> bool:
        """As `Sink.text`."""
        self._length += len(text)
        self._pieces += 1
        if self._length > MAX_ANSWER_CHARS or self._pieces > MAX_ANSWER_PIECES:
            raise _endless()
        if self._emulation is None:
            return self._show(text)
        wants_more = self._emulation.feed(text)
        if self._linger is not None and self._emulation.is_over():
            self._linger.reschedule(asyncio.get_running_loop().time() + LINGER_SECONDS)
            self._linger = None
        return wants_more

    def call(self, call: Call) -> bool:
        """As `Sink.call`."""
        self._release_held()
        if self.first_text_at is None:
            self.first_text_at = perf_counter()
        self.calls.append(call)
        return self._sink.call(call)

    def beside(self, extra: Extra) -> bool:
        """As `Sink.beside`. Text that may be cut comes after what was told beside it."""
        self._thoughts.append(extra.thought)
        self._length += len(extra.text) + len(self._thoughts[-1])
        self._pieces += 1
        if self._length > MAX_ANSWER_CHARS or self._pieces > MAX_ANSWER_PIECES:
            raise _endless()
        if self._cutter is not None:
            wants_more = self._sink.beside(replace(extra, text=""))
            return self._show(extra.text) and wants_more
        if extra.text:
            self.first_text_at = self.first_text_at or perf_counter()
            self._parts.append(extra.text)
        return self._sink.beside(extra)

    def _show(self, text: str) -> bool:
        """Pass *text* on to the client, up to where it is to be cut."""
        cutter = self._cutter
        if cutter is not None:
            if cutter.reason:
                return True
            text = cutter.feed(text)
        wants_more = True
        if text:
            if self.first_text_at is None:
                self.first_text_at = perf_counter()
            self._parts.append(text)
            wants_more = self._sink.text(text)
        if cutter is not None and cutter.reason:
            raise Enough(cutter.reason, cutter.stop)  # leaving drops the upstream
        return wants_more

    def _release_held(self) -> None:
        """Show what might have begun a stop sequence: the text is over, or goes on behind a call."""
        cutter, self._cutter = self._cutter, None
        if cutter is not None and (rest := cutter.end()):
            self._show(rest)
        self._cutter = cutter

    async def ready(self) -> None:
        """As `Sink.ready`."""
        await self._sink.ready()

    def dropped(self, what: Literal["messages", "images"], count: int) -> None:
        """As `Sink.dropped`."""
        self.headers[f"x-dropped-{what}"] = str(count)
        log.warning("answer %s: the oldest %d %s were left out", self.id, count, what)

    async def _from_any(self) -> End:
        """The answer of the first upstream that gives any; what failed before its first text goes on to the next."""
        left = list(self._models)
        while True:
            self._model = model = left.pop(0)
            rank = model.upstream.rank(model.bot)
            self._tries.has_alternative = any(each.upstream.rank(each.bot) <= rank for each in left)
            try:
                held = await self._memory.find_held(model)
                self._begin(model)
                ask = self._memory.asked(self._ask)
                if model is self._fallback:
                    ask = ask.for_fallback()
                if self._memory.is_plain:
                    return await model.upstream.answer(ask, model.bot, held, self, self._tries)
                return await self._emulated(ask, model, held)
            except asyncio.CancelledError:  # the client left
                if self._tries.left == MAX_TRIES and not self._was_delivered:  # and nothing was sent yet
                    await self._memory.abandon()
                raise
            except (Refusal, ServiceError) as failure:
                error = failure.error if isinstance(failure, Refusal) else failure
                may_move_on = failure.may_move_on if isinstance(failure, Refusal) else True
                has_begun = bool(self._parts or self.calls or self._thoughts)
                has_begun = has_begun or (self._cutter is not None and self._cutter.has_fed)
                self._was_delivered |= has_begun or (isinstance(failure, Refusal) and failure.delivered)
                if not self._tries.may_retry:  # the server behind the sites is asked however often they were
                    left = [each for each in left if each.is_server and not model.is_server]
                    self._tries = Tries()
                if has_begun or not left or not may_move_on:
                    if not self._was_delivered:
                        await self._memory.abandon()
                    raise error from failure
            log.info(
                "answer %s: %s failed (%s), going on to the next", self.id, self.upstream, error.code or error.type
            )
            if not self._was_delivered:
                self._memory.put_back()

    def _begin(self, model: Model) -> None:
        """Begin a try with *model*: what the client is told, and what is to be cut here."""
        ask, takes = self._ask, model.upstream.takes
        self.headers.clear()
        is_told = model.is_server and model is not self._fallback and "web_search_options" in ask.extras
        may_search = model.bot.web_search or is_told or not model.discovered  # of the last, nothing is known
        if ignored := ask.not_told(takes, may_search=may_search):
            self.headers["x-ignored-params"] = ", ".join(ignored)
        if self.stands_in or model is self._fallback:
            self.headers["x-fallback-model"] = model.id
        most = None if "max_tokens" in takes else ask.max_tokens
        self._cutter = Cutter(ask.stops, most) if ask.stops or most else None

    async def _emulated(self, ask: Ask, model: Model, held: Held | None) -> End:
        """The answer of an upstream that takes nothing but text, asked again where a call or JSON came out wrong."""
        offer = self._ask.offer
        if offer is None:  # only earlier messages have to do with tools
            return await model.upstream.answer(ask, model.bot, held, self, self._tries)
        self._cutter = Cutter(ask.stops) if ask.stops else None  # of what is shown; the whole counts towards max_tokens
        verdict = Verdict()
        for left in range(self._retries, -1, -1):
            is_first = left == self._retries
            self._emulation = reading = Emulation(
                offer, self._show, self.call, max_tokens=ask.max_tokens, earlier=None if is_first else self.message
            )
            try:
                async with asyncio.timeout(None) as self._linger:
                    end = await model.upstream.answer(ask, model.bot, held, self, self._tries)
            except Enough as enough:
                if enough.end.stop is not None:  # what came behind a stop sequence is no part of the answer
                    raise
                release(enough)
                end = enough.end
            except (Refusal, TimeoutError) as failure:
                if not (reading.is_over() and self.calls):
                    raise
                release(failure)  # the calls are whole: what became of the rest matters to nobody
                end = End("tool_calls")
            finally:
                self._emulation = self._linger = None
            is_cut = end.reason in ("length", "content_filter")
            verdict = reading.end(cut=is_cut)
            if not verdict.trouble or is_cut or end.refusal is not None:
                if not verdict.trouble and (self.calls or offer.wanted is not None):
                    self.tool_outcome = "retried" if not is_first else "mended" if verdict.mended else "valid"
                if self.calls and not verdict.has_half:
                    end = replace(end, reason="tool_calls")
                self._raw, end = reading.raw, end.of_json() if verdict.of_json else end
                return end if is_first else replace(end, note=None)
            self._was_delivered = True  # whatever becomes of the next try
            log.info("answer %s came out wrong, %d tries left", self.id, left)
            held = Held(end.note, len(ask.messages) + 1) if end.note else None
            again = retry(verdict.trouble, offer, of_json=verdict.of_json)
            ask = replace(ask, messages=(*ask.messages, Message(role="assistant", text=reading.raw), again))
            self._tries = Tries(has_alternative=self._tries.has_alternative)
        self.tool_outcome = "failed"
        raise Refusal(failed(of_json=verdict.of_json), About.MESSAGE, delivered=True, has_begun=True)


def _endless() -> Refusal:
    told = "The site failed to answer: its answer does not end."
    error = ServiceError(502, told, type="server_error", code="upstream_error")
    return Refusal(error, About.MESSAGE, delivered=True, has_begun=True)
