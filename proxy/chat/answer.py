"""One answer to a request: it is written by an upstream and stored."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from random import getrandbits
from time import time

from proxy.chat.ask import Ask
from proxy.chat.catalog import Model
from proxy.chat.conversation_turn import ConversationTurn
from proxy.chat.errors import drop_tracebacks
from proxy.chat.extras import ExtrasJoiner
from proxy.chat.failover import Failover, ToolOutcome
from proxy.chat.history import size_of
from proxy.chat.offload import LARGE_BYTES
from proxy.chat.tokens import Usage, count_tokens, estimate_tokens
from proxy.chat.upstream import End, Sink, StopReading
from shared.conversations import Message

OnComplete = Callable[["Answer"], Awaitable[None]]


class Answer:
    """One answer: `run` writes it to a sink; afterwards `message`, `end` and `usage` describe it."""

    def __init__(
        self,
        ask: Ask,
        turn: ConversationTurn,
        models: Sequence[Model],
        *,
        name: str,
        fallback: Model | None,
        stands_in: bool,
        on_complete: OnComplete | None,
        retries: int,
    ) -> None:
        """*models*: the same model on all upstreams that have it, in the order in which they are tried; *fallback*
        is the server's among them (`FREEAICHAT_FALLBACK_MODEL`), which the client did not name. *stands_in*: they
        stand in for a model that was asked for and is not known.

        *on_complete* is awaited once the answer is complete, before its end is sent. *retries*: how often a model is
        asked again after an invalid call or invalid JSON.
        """
        random_hex = f"{getrandbits(192):048x}"  # no secret, so that the system is not asked for each
        self.id = f"chatcmpl-{random_hex[:32]}"
        self.created = int(time())
        self.model = name
        self.message_id = f"msg_{random_hex}"
        self.conversation_id = turn.conversation_id  # the stored conversation that the answer belongs to
        self.end = End()
        self._turn = turn
        self._failover = Failover(
            ask, turn, models, answer_id=self.id, fallback=fallback, stands_in=stands_in, retries=retries
        )
        self._writer = self._failover.writer
        self._on_complete = on_complete
        self._prompt_tokens = 0  # 0: not counted yet

    @property
    def upstream(self) -> str:
        """Name of the upstream that answers, or was tried last."""
        return self._failover.model.upstream.name

    @property
    def headers(self) -> dict[str, str]:
        """Headers for the response: how the answer was made. The same object for all attempts."""
        return self._failover.headers

    @property
    def tool_outcome(self) -> ToolOutcome | None:
        """What became of calls or JSON by a schema; None where the answer has none and need not have."""
        return self._failover.tool_outcome

    @property
    def first_text_at(self) -> float | None:
        """When the first text, call or reasoning was passed on, by `perf_counter`."""
        return self._writer.first_text_at

    def keep_extras(self) -> None:
        """Have the end hold the answer's extras, joined. Called before `run`."""
        self._writer.extras = ExtrasJoiner()

    @property
    def message(self) -> Message:
        """The answer as a message, as far as it has come."""
        return self._writer.message(self.message_id)

    @property
    def usage(self) -> Usage:
        """Tokens of the whole history and of the answer; estimated where the upstream reports none."""
        if self.end.usage is not None:
            return self.end.usage
        self._prompt_tokens = self._prompt_tokens or self._turn.count_tokens()
        count = count_tokens([self.message]) + estimate_tokens(self._writer.thoughts)
        return Usage(self._prompt_tokens, count or 1)  # 1: cut before its first character

    async def run(self, sink: Sink) -> None:
        """Stream the answer to *sink*, and commit it at its end. Raises `ServiceError`."""
        turn, writer = self._turn, self._writer
        await turn.begin()
        if size_of(turn.plan.messages) > LARGE_BYTES:
            self._prompt_tokens = await asyncio.to_thread(turn.count_tokens)
        writer.sink = sink
        try:
            self.end = await self._failover.run()
        except StopReading as stopped:
            drop_tracebacks(stopped)
            self.end = stopped.end
        else:
            writer.release_held()
            if writer.is_truncated:  # met in what was held back
                self.end = replace(self.end, reason="length", note=None)
        finally:
            del writer.sink  # which leads back here: garbage that only the collector would find
        if writer.extras is not None and (extras := writer.extras.joined()) is not None:
            self.end = replace(self.end, extras=extras)
        await turn.commit(self._failover.model, self.end, self.message, self._failover.raw_text)
        if self._on_complete is not None:
            await self._on_complete(self)
