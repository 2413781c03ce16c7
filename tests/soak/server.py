"""The third kind of upstream in the soak: an OpenAI-compatible server as a process, with the model of the sites.

It prints one JSON line with its url when it listens, and takes switches at `/_control` as the simulated sites do.
"""

import argparse
import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

from aiohttp import web

from tests.openai_server import Answer, HttpError, OpenAiPeer, as_response, events
from tests.site.__main__ import serve
from tests.site.model import Script, respond
from tests.site.streams import OpenStreams

MODEL = "tiny"
PAGE = "<html><body>Bad Gateway</body></html>"
# How the model's endings look: by the status of an error, or by what comes in place of the end.
_STATUSES = {"err400": 400, "err401": 401, "err403": 403, "err404": 404, "err429": 429, "err500": 500, "err503": 503}
_BREAKS = frozenset({"cut", "reset", "refused"})  # the connection does
_ENDLESS = frozenset({"cut_clean", "empty"})
_TOLD = frozenset({"late_error", "failed", "error_event"})


@dataclass
class Switches:
    """How the server fails. Times are in seconds."""

    status: int = 0  # of every answer; 0: it works
    status_times: int = -1  # ... only so many times; -1: always
    page: bool = False  # of a server in front, with status 200
    listing_status: int = 0
    delay: float = 0.0  # before each answer
    first_delta_delay: float = 0.0
    cut_after: int = -1  # events; -1: never
    drop_end: bool = False
    garbage: bool = False  # after the text
    error_event: bool = False  # after the text

    def update(self, values: dict[str, Any]) -> None:
        """Set fields by name. Raises ValueError for an unknown name or a value of another type."""
        for name, value in values.items():
            current = getattr(self, name, None)
            if callable(current) or type(value) is not type(current):
                raise ValueError(f"no such switch: {name}={value!r}")
            setattr(self, name, value)


class SoakServer(OpenAiPeer):
    """The server; `url` is what its base URL begins with."""

    def __init__(self) -> None:
        super().__init__(MODEL)
        self.switches = Switches()
        self.streams = OpenStreams()
        self.requests: Counter[str] = Counter()

    @property
    def url(self) -> str:
        """Its address, with a slash at the end."""
        return self.base_url.removesuffix("v1")

    def routes(self) -> Iterator[web.RouteDef]:
        """As `OpenAiPeer.routes`, and the control address."""
        yield from super().routes()
        yield web.route("*", "/_control", self._control)

    async def _control(self, request: web.Request) -> web.Response:
        if request.method == "POST":
            try:
                self.switches.update(await request.json())
            except ValueError as error:
                return web.json_response({"error": str(error)}, status=400)
        state = {"open_streams": len(self.streams), "requests": self.requests, "switches": asdict(self.switches)}
        return web.json_response(state)

    async def _list(self, request: web.Request) -> web.Response:
        self.requests["list"] += 1
        self.listing = HttpError(self.switches.listing_status) if self.switches.listing_status else None
        return await super()._list(request)

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        self.requests["complete"] += 1
        body, switches = await request.json(), self.switches
        await asyncio.sleep(switches.delay)
        if switches.status and switches.status_times:
            switches.status_times -= switches.status_times > 0
            return as_response(HttpError(switches.status))
        if switches.page:
            return as_response(HttpError(200, PAGE))
        messages = [{"role": each["role"], "content": each["content"] or ""} for each in body["messages"]]
        script = respond(messages, model=MODEL, images=0, web_search=False)
        if script.ending in _STATUSES:
            return as_response(HttpError(_STATUSES[script.ending]))
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        with self.streams.counted() as stream, suppress(ConnectionError):
            await response.prepare(request)
            await self._say(request, response, script, body)
            await response.write_eof()
            stream.finished = True
        return response

    async def _say(
        self, request: web.Request, response: web.StreamResponse, script: Script, body: dict[str, Any]
    ) -> None:
        switches, ending = self.switches, script.ending
        has_error = switches.error_event or ending in _TOLD
        is_short = switches.drop_end or switches.garbage or ending in _ENDLESS or ending in _BREAKS or ending == "stall"
        completion = Answer(
            script.pieces,
            end={"incomplete": "length", "refusal": "content_filter"}.get(ending, ""),
            error={"message": "The server broke", "code": "server_error"} if has_error else None,
            has_end=not is_short,
        )
        wait = switches.first_delta_delay
        for number, event in enumerate(events(completion, body) if ending != "empty" else ()):
            await asyncio.sleep(wait)
            wait = script.delay or 0.0
            if number == switches.cut_after:
                ending = "cut"
                break
            await response.write(event or b"")
        if ending == "stall":
            await asyncio.Event().wait()
        if switches.garbage:
            await response.write(b"data: {nothing\n\n")
        if ending in _BREAKS and request.transport is not None:
            request.transport.abort()
            raise ConnectionResetError


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak.server", description="A simulated server.")
    parser.add_argument("--with-stdin", action="store_true", help="end when standard input ends")
    options = parser.parse_args()
    asyncio.run(serve(SoakServer(), with_stdin=options.with_stdin))


if __name__ == "__main__":
    main()
