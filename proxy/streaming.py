"""Writing an answer to the client as OpenAI's event stream.

The headers wait for the first text, so that every earlier failure has a real status; at the latest after
`HOLD_SECONDS` they go out, and keep-alives fill silences. After that a failure can only be an error event, and no end
mark follows it.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Any, Literal, Protocol

from aiohttp import ClientConnectionResetError, web

from proxy.answer import Answer
from proxy.protocol.chat_reply import KEEPALIVE_COMMENT, Ending, event
from proxy.protocol.errors import ServiceError

HOLD_SECONDS = 10.0
SILENCE_SECONDS = 10.0
SSE_HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-cache",
    "X-Accel-Buffering": "no",  # reverse proxies must not hold events back
}

Keepalive = Literal["comment", "chunk", "off"]
log = logging.getLogger(__name__)


class Reply(Protocol):
    """Builds the objects of one answer in one of OpenAI's shapes."""

    includes_usage: bool

    def opening(self) -> bytes:
        """What comes before the first text."""

    def text(self, text: str) -> bytes:
        """One piece of text."""

    def silence(self) -> bytes:
        """An event that adds nothing."""

    def closing(self, ending: Ending, used: dict[str, Any] | None) -> bytes:
        """The last events of a whole answer, and the end mark."""

    def whole(self, text: str, ending: Ending, used: dict[str, Any]) -> dict[str, Any]:
        """The answer in one piece."""


class AnswerStream:
    """One answer on its way to one client."""

    def __init__(self, answer: Answer, reply: Reply, keepalive: Keepalive, headers: Mapping[str, str]) -> None:
        self._answer = answer
        self._reply = reply
        self._filler = {"comment": KEEPALIVE_COMMENT, "chunk": reply.silence(), "off": b""}[keepalive]
        self._response = web.StreamResponse(headers={**headers, **SSE_HEADERS})

    async def send(self, request: web.Request) -> web.StreamResponse:
        """Send the answer as it comes. Raises `ServiceError` as long as no header was sent."""
        async with aclosing(self._answer.texts()) as texts:
            first = asyncio.ensure_future(_first(texts))
            try:
                if (await asyncio.wait({first}, timeout=HOLD_SECONDS))[0]:
                    first.result()  # a failure leaves here, with its own status
                with suppress(ClientConnectionResetError):  # the client left; there is nobody to tell
                    await self._response.prepare(request)
                    await self._write_body(first, texts)
                    await self._response.write_eof()
            finally:
                await _cancel(first)
        return self._response

    async def _write_body(self, first: asyncio.Task[str], texts: AsyncGenerator[str, None]) -> None:
        try:
            await self._write_texts(first, texts)
            used = self._answer.usage if self._reply.includes_usage else None
            await self._response.write(self._reply.closing(self._answer.ending, used))
        except ServiceError as error:
            log.warning("answer %s broke off: %s", self._answer.id, error.message)
            await self._response.write(event(error.body))
        except ClientConnectionResetError:
            raise
        except Exception:
            log.exception("answer %s broke off", self._answer.id)
            failure = ServiceError(
                500, "The proxy failed; its log says more.", type="server_error", code="internal_error"
            )
            await self._response.write(event(failure.body))

    async def _write_texts(self, first: asyncio.Task[str], texts: AsyncGenerator[str, None]) -> None:
        write, as_chunk = self._response.write, self._reply.text
        opening = self._reply.opening()
        if first.done():
            await write(opening + as_chunk(first.result()))
        else:
            await write(opening)
        async with self._filled_silences() as written:
            if not first.done():
                await write(as_chunk(await first))
            async for text in texts:
                written.set()
                await write(as_chunk(text))

    @asynccontextmanager
    async def _filled_silences(self) -> AsyncIterator[asyncio.Event]:
        """Write a keep-alive whenever the yielded event was not set for a while."""
        written = asyncio.Event()

        async def fill() -> None:
            while True:
                await asyncio.sleep(SILENCE_SECONDS)
                if not written.is_set():
                    await self._response.write(self._filler)
                written.clear()

        task = asyncio.create_task(fill()) if self._filler else None
        try:
            yield written
        finally:
            if task is not None:
                await _cancel(task)


async def _first(texts: AsyncGenerator[str, None]) -> str:
    """The first text; empty where a whole answer has none (a refusal, for one)."""
    return await anext(texts, "")


async def _cancel(task: asyncio.Task[str] | asyncio.Task[None]) -> None:
    """End *task* and wait until it is gone. What it failed with was told already, or has nobody to hear it."""
    if not task.done():
        task.cancel()
    await asyncio.wait({task})
    if not task.cancelled():
        task.exception()
