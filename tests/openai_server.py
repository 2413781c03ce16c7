"""A simulated OpenAI-compatible server on a real socket: it streams the given answers and records requests.

The shapes are those of OpenAI's API reference, and of servers that differ where the tests say so.
"""

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web

USAGE = {
    "prompt_tokens": 11,
    "completion_tokens": 7,
    "total_tokens": 18,
    "prompt_tokens_details": {"cached_tokens": 5},
    "completion_tokens_details": {"reasoning_tokens": 3},
}


@dataclass
class Answer:
    """One answer. *calls*: names and arguments. *end*: finish reason. *thoughts* come in *reasoning_field*."""

    pieces: Sequence[str] = ("served",)
    calls: Sequence[tuple[str, str]] = ()
    end: str = ""
    usage: Mapping[str, Any] | None = field(default_factory=lambda: USAGE)
    thoughts: str = ""
    reasoning_field: str = "reasoning_content"
    error: Mapping[str, Any] | None = None  # an event in place of the end
    has_end: bool = True
    holds: bool = False  # before the end, until `OpenAiPeer.resume` is set

    @property
    def reason(self) -> str:
        """Its finish reason."""
        return self.end or ("tool_calls" if self.calls else "stop")


@dataclass
class HttpError:
    """An error response. *holds*: what comes behind its body, until `OpenAiPeer.resume` is set."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    holds: bool = False


@dataclass
class ReceivedRequest:
    """One request, as received."""

    body: dict[str, Any]
    headers: Mapping[str, str]

    @property
    def texts(self) -> list[Any]:
        """The content of all its messages."""
        return [message.get("content") for message in self.body["messages"]]


class OpenAiPeer:
    """The server. It gives `answers` in order, and repeats the last one."""

    def __init__(self, *models: str, key: str = "") -> None:
        self.models = list(models or ("tiny",))
        self.key = key
        self.answers: list[Answer | HttpError | bytes] = [Answer()]
        self.received: list[ReceivedRequest] = []
        self.listed = 0
        self.listing: HttpError | None = None
        self.resume = asyncio.Event()
        self.disconnected = asyncio.Event()  # a client was gone before the end
        self.drops_connection = False  # its connections, at the end of an answer that is given as bytes
        self._runner: web.AppRunner

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self, port: int = 0) -> None:
        """Listen on *port*; 0: any free one."""
        app = web.Application(client_max_size=64 * 1024**2)
        app.router.add_routes(self.routes())
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        self.port = int(site.port)
        self.base_url = f"http://127.0.0.1:{self.port}/v1"

    def routes(self) -> Iterable[web.RouteDef]:
        """Its routes."""
        yield web.get("/v1/models", self._list)
        yield web.post("/v1/chat/completions", self._complete)
        yield web.post("/v1/embeddings", self._embed)

    async def stop(self) -> None:
        """Close the listener and the open connections."""
        await self._runner.cleanup()

    def _refuses(self, request: web.Request) -> web.Response | None:
        if self.key and request.headers.get("Authorization") != f"Bearer {self.key}":
            sent = request.headers.get("Authorization", "")
            return as_response(HttpError(401, _error(f"Incorrect API key provided: {sent}", "invalid_api_key")))
        return None

    async def _list(self, request: web.Request) -> web.Response:
        self.listed += 1
        if refusal := self._refuses(request):
            return refusal
        if self.listing is not None:
            return as_response(self.listing)
        data = [{"id": name, "object": "model", "created": 1, "owned_by": "Library"} for name in self.models]
        return web.json_response({"object": "list", "data": data})

    async def _held(self, request: web.Request, error: HttpError) -> web.StreamResponse:
        whole = as_response(error)
        response = web.StreamResponse(status=whole.status, headers={"Content-Type": "application/json"})
        await response.prepare(request)
        await response.write(bytes(whole.body or b""))  # type: ignore[arg-type]
        await self.resume.wait()
        return response

    async def _embed(self, request: web.Request) -> web.StreamResponse:
        if refusal := self._refuses(request):
            return refusal
        recorded = ReceivedRequest({"messages": [], **await request.json()}, request.headers)
        self.received.append(recorded)
        answer = self.answers[0]
        if isinstance(answer, HttpError):
            return await self._held(request, answer) if answer.holds else as_response(answer)
        vectors = [{"object": "embedding", "index": 0, "embedding": [0.25, -1.0]}]
        usage = {"prompt_tokens": 5, "total_tokens": 5}
        return web.json_response({"object": "list", "data": vectors, "model": recorded.body["model"], "usage": usage})

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        if refusal := self._refuses(request):
            return refusal
        recorded = ReceivedRequest(await request.json(), request.headers)
        self.received.append(recorded)
        if recorded.body["model"] not in self.models:
            return as_response(HttpError(404, _error("The model does not exist", "model_not_found")))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, HttpError):
            return await self._held(request, answer) if answer.holds else as_response(answer)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8"})
        await response.prepare(request)
        try:
            if isinstance(answer, bytes):
                await response.write(answer)
                if self.drops_connection and request.transport is not None:
                    request.transport.close()
            else:
                for event in events(answer, recorded.body):
                    if event is None:
                        await self.resume.wait()
                    else:
                        await response.write(event)
        except (asyncio.CancelledError, ConnectionError):
            self.disconnected.set()
            raise
        return response


def events(answer: Answer, body: Mapping[str, Any]) -> Iterable[bytes | None]:
    """Yield the events of an answer; None: wait for `OpenAiPeer.resume`."""
    yield _event(_chunk({"role": "assistant", "content": ""}))
    if answer.thoughts:
        yield _event(_chunk({answer.reasoning_field: answer.thoughts}))
    for piece in answer.pieces:
        yield _event(_chunk({"content": piece}, logprobs=_logprobs(piece, body)))
    for index, (name, arguments) in enumerate(answer.calls):
        function = {"name": name, "arguments": ""}
        yield _event(
            _chunk({"tool_calls": [{"index": index, "id": f"call_{index}x", "type": "function", "function": function}]})
        )
        half = len(arguments) // 2
        for part in (arguments[:half], arguments[half:]):
            yield _event(_chunk({"tool_calls": [{"index": index, "function": {"arguments": part}}]}))
    if answer.holds:
        yield None
    if answer.error is not None:
        yield _event({"error": answer.error})
        return
    if not answer.has_end:
        return
    yield _event(_chunk({}, answer.reason))
    if answer.usage is not None and (body.get("stream_options") or {}).get("include_usage"):
        yield _event({**_chunk({}), "choices": [], "usage": answer.usage})
    yield b"data: [DONE]\n\n"


def _logprobs(piece: str, body: Mapping[str, Any]) -> dict[str, Any] | None:
    if not body.get("logprobs"):
        return None
    others = [
        {"token": f"{piece}{number}", "logprob": -2.5, "bytes": None} for number in range(body.get("top_logprobs") or 0)
    ]
    token = {"token": piece, "logprob": -0.25, "bytes": list(piece.encode()), "top_logprobs": others}
    return {"content": [token], "refusal": None}


def _chunk(delta: dict[str, Any], reason: str | None = None, *, logprobs: Any = None) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "whatever",
        "choices": [{"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": reason}],
    }


def _event(value: Any) -> bytes:
    return f"data: {json.dumps(value)}\n\n".encode()


def _error(message: str, code: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": code}}


def as_response(error: HttpError) -> web.Response:
    """Build the HTTP response: OpenAI's error object if *error* has no body, an HTML page if its body is a text."""
    body = error.body if error.body is not None else _error("It failed", "failed")
    if isinstance(body, bytes):
        return web.Response(status=error.status, body=body, headers=error.headers)
    if isinstance(body, str):
        return web.Response(status=error.status, text=body, content_type="text/html", headers=error.headers)
    return web.json_response(body, status=error.status, headers=error.headers)
