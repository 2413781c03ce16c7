"""One answer in the making: which upstream gives it, where it goes on if that one fails, and what is kept of it."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from time import perf_counter, time
from typing import Literal

from proxy.chat.ask import Ask
from proxy.chat.catalog import Model
from proxy.chat.conversations import new_item_id
from proxy.chat.cutting import Cutter
from proxy.chat.errors import ServiceError, release
from proxy.chat.history import size_of
from proxy.chat.ids import random_hex
from proxy.chat.memory import Memory
from proxy.chat.offload import aside
from proxy.chat.tokens import Usage, estimate_tokens
from proxy.chat.upstream import End, Enough, Refusal, Sink, Tries
from shared.conversations import Message

MAX_ANSWER_CHARS = 4 * 1024 * 1024  # many times what any model says at once
MAX_ANSWER_PIECES = 256 * 1024

log = logging.getLogger(__name__)

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
        afterwards: Afterwards | None = None,
    ) -> None:
        """*models*: the same one on the upstreams that offer it, in the order in which they are tried.

        *afterwards* is awaited once the answer is whole, before its end is told.
        """
        self.id = f"chatcmpl-{random_hex(16)}"
        self.created = int(time())
        self.model = name
        self.message_id = new_item_id()
        self.end = End()
        self.first_text_at: float | None = None  # by `perf_counter`
        self._ask = ask
        self._memory = memory
        self._models = models
        self._current = models[0]
        self._afterwards = afterwards
        self._cutter: Cutter | None = Cutter(ask.stops, ask.max_tokens) if ask.stops or ask.max_tokens else None
        self._tries = Tries()
        self._parts: list[str] = []
        self._length = 0
        self._dropped: dict[str, int] = {}
        self._asked: int | None = None  # tokens
        self._sink: Sink

    @property
    def conversation_id(self) -> str | None:
        """The stored conversation that the answer belongs to."""
        return self._memory.conversation_id

    @property
    def upstream(self) -> str:
        """The name of the upstream that answers, or was tried last."""
        return self._current.upstream.name

    @property
    def full_text(self) -> str:
        """All of its text."""
        return "".join(self._parts)

    @property
    def message(self) -> Message:
        """The whole answer."""
        return Message(role="assistant", text=self.full_text, id=self.message_id)

    @property
    def usage(self) -> Usage:
        """Tokens of the whole history and of the answer; estimated where the upstream tells none."""
        if self.end.usage is not None:
            return self.end.usage
        asked = self._tokens_asked() if self._asked is None else self._asked
        return Usage(asked, estimate_tokens(self.full_text))

    @property
    def headers(self) -> Mapping[str, str]:
        """Response headers that tell the client what it should know of how the answer was got."""
        return {f"x-dropped-{what}": str(count) for what, count in self._dropped.items()}

    async def run(self, sink: Sink) -> None:
        """Give the text to *sink* as it comes, and commit the answer at its end. Raises `ServiceError`."""
        self._sink = sink
        await self._memory.begin()
        self._asked = await aside(size_of(self._memory.plan.messages), self._tokens_asked)
        try:
            self.end = await self._from_any()
        except Enough as enough:
            release(enough)
            self.end = End(enough.reason)
        else:
            if self._cutter is not None and (rest := self._cutter.end()):
                self._pass_on(rest)
        finally:
            del self._sink  # which leads back here: garbage that only the collector would find
        await self._memory.commit(self._current, self.end.note, self.message)
        if self._afterwards is not None:
            await self._afterwards(self)

    def text(self, text: str) -> bool:
        """As `Sink.text`."""
        cutter = self._cutter
        if cutter is None:
            return self._pass_on(text)
        kept = cutter.feed(text)
        wants_more = self._pass_on(kept) if kept else True
        if cutter.reason:
            raise Enough(cutter.reason)  # leaving drops the upstream
        return wants_more

    async def ready(self) -> None:
        """As `Sink.ready`."""
        await self._sink.ready()

    def dropped(self, what: Literal["messages", "images"], count: int) -> None:
        """As `Sink.dropped`."""
        self._dropped[what] = count
        log.warning("answer %s: the oldest %d %s were left out", self.id, count, what)

    def _tokens_asked(self) -> int:
        return sum(estimate_tokens(message.text) for message in self._memory.plan.messages)

    def _pass_on(self, text: str) -> bool:
        if not self._parts:
            self.first_text_at = perf_counter()
        self._parts.append(text)
        self._length += len(text)
        if self._length > MAX_ANSWER_CHARS or len(self._parts) > MAX_ANSWER_PIECES:
            raise _endless()
        return self._sink.text(text)

    async def _from_any(self) -> End:
        """The answer of the first upstream that gives any; what failed before its first text goes on to the next."""
        was_delivered = False
        for model in self._models:
            self._current = model
            is_last = model is self._models[-1]
            self._tries.has_alternative = not is_last
            try:
                held = await self._memory.find_held(model)
                self._dropped = {}
                return await model.upstream.answer(self._memory.asked(self._ask), model.bot, held, self, self._tries)
            except (Refusal, ServiceError) as failure:
                error = failure.error if isinstance(failure, Refusal) else failure
                may_move_on = failure.may_move_on if isinstance(failure, Refusal) else True
                was_delivered = was_delivered or self._has_begun or (isinstance(failure, Refusal) and failure.delivered)
                if self._has_begun or is_last or not may_move_on or not self._tries.may_retry:
                    if not was_delivered:
                        await self._memory.abandon()
                    raise error from failure
            log.info(
                "answer %s: %s failed (%s), going on to the next", self.id, self.upstream, error.code or error.type
            )
            if not was_delivered:
                self._memory.put_back()
        raise AssertionError("unreachable: the last upstream's failure is raised")

    @property
    def _has_begun(self) -> bool:
        return bool(self._parts) or (self._cutter is not None and self._cutter.has_fed)


def usage_of(answers: Sequence[Answer]) -> Usage:
    """What all *answers* used; the question is counted once, as OpenAI does."""
    each = [answer.usage for answer in answers]
    return Usage(each[0].asked, sum(used.answered for used in each))


def _endless() -> ServiceError:
    return ServiceError(
        502, "The site failed to answer: its answer does not end.", type="server_error", code="upstream_error"
    )
