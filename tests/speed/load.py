"""The load generator: concurrent streams, each token checked, and timed by the timestamp in it.

`python -m tests.speed.load '{"port": …}'` prints one JSON object; see `Work` and `Outcome`.
"""

import asyncio
import json
import sys
from dataclasses import asdict, dataclass, field
from statistics import median, quantiles
from time import monotonic_ns
from typing import Any

import uvloop

from shared.site_client.http1 import Framing, parse_head
from tests.speed.wire import TOKEN, Order

TIMEOUT = 120.0


@dataclass(frozen=True, slots=True)
class Work:
    """What to ask for. *at_once*: requests under way, of all *requests*; *spread*: seconds until all clients began;
    *tools*: so many definitions of 2 kB go along."""

    port: int
    at_once: int
    requests: int
    tokens: int
    pause: int = 0
    stream: bool = True
    spread: float = 0.0
    model: str = "gpt-4o-mini"
    tools: int = 0


@dataclass(slots=True)
class Outcome:
    """The measured results. *whole*: requests answered with every token in order; times in ms."""

    whole: int = 0
    first_text_p50: float = 0.0
    first_text_p99: float = 0.0
    delay_p50: float = 0.0
    delay_p99: float = 0.0
    gap_p99: float = 0.0
    seconds: float = 0.0
    faults: list[str] = field(default_factory=list)


class _Client(asyncio.Protocol):
    """One connection, with one request after the other."""

    def __init__(self, work: Work, first_texts: list[int], delays: list[int], gaps: list[int]) -> None:
        self._work = work
        self._first_texts, self._delays, self._gaps = first_texts, delays, gaps
        self._transport: asyncio.Transport
        self._done: asyncio.Future[None] | None = None
        body = json.dumps(
            {
                "model": work.model,
                "stream": work.stream,
                "messages": [{"role": "user", "content": Order(work.tokens, work.pause).message}],
                **({"tools": [tool(number) for number in range(work.tools)]} if work.tools else {}),
            }
        ).encode()
        head = (
            "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            f"Authorization: Bearer sk-speed\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self._request = head.encode() + body

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    async def ask(self) -> None:
        """One request, until its answer is whole. Raises ValueError for a wrong answer."""
        self._count, self._rest, self._last = 0, b"", 0
        self._framing: Framing | None = None
        self._begun = monotonic_ns()
        self._done = done = asyncio.get_running_loop().create_future()
        self._transport.write(self._request)
        async with asyncio.timeout(TIMEOUT):
            await done

    def data_received(self, data: bytes) -> None:
        now = monotonic_ns()
        if self._framing is None:
            self._rest += data
            head, found, data = self._rest.partition(b"\r\n\r\n")
            if not found:
                return
            self._framing, self._rest = parse_head(head).framing(), b""
        data = self._rest + self._framing.feed(data)
        end = 0
        for match in TOKEN.finditer(data):
            if int(match[1]) != self._count:
                self._fail(f"token {int(match[1])} came in place of {self._count}")
                return
            if not self._count:
                self._first_texts.append(now - self._begun)
            elif self._last != now:
                self._gaps.append(now - self._last)
            self._last = now
            self._count += 1
            self._delays.append(now - int(match[2]))
            end = match.end()
        self._rest = data[max(end, len(data) - 24) :]
        if self._framing.finished:
            if self._count == self._work.tokens and self._done is not None:
                self._done.set_result(None)
            else:
                self._fail(f"{self._count} tokens of {self._work.tokens} came: {data[-200:]!r}")

    def connection_lost(self, error: Exception | None) -> None:
        self._fail("the connection was closed")

    def _fail(self, why: str) -> None:
        if self._done is not None and not self._done.done():
            self._done.set_exception(ValueError(why))


def tool(number: int) -> dict[str, Any]:
    """A definition of 2 kB, with a parameter for each 100 bytes."""
    properties = {
        f"parameter_{place}": {"type": "string", "description": "What it is for. " * 3} for place in range(18)
    }
    parameters = {"type": "object", "properties": properties, "required": ["parameter_0"]}
    function = {"name": f"tool_{number}", "description": "What it does. " * 16, "parameters": parameters}
    return {"type": "function", "function": function}


async def run(work: Work) -> Outcome:
    """Run the load."""
    outcome = Outcome()
    first_texts: list[int] = []
    delays: list[int] = []
    gaps: list[int] = []
    left = iter(range(work.requests))

    async def client(number: int) -> None:
        await asyncio.sleep(work.spread * number / work.at_once)
        loop = asyncio.get_running_loop()
        transport, connection = await loop.create_connection(
            lambda: _Client(work, first_texts, delays, gaps), "127.0.0.1", work.port
        )
        for _ in left:
            try:
                await connection.ask()
            except (ValueError, TimeoutError) as error:
                outcome.faults.append(str(error) or "timeout")
                break
            outcome.whole += 1
        transport.abort()

    started = monotonic_ns()
    await asyncio.gather(*(client(number) for number in range(work.at_once)))
    outcome.seconds = (monotonic_ns() - started) / 1e9
    outcome.first_text_p50, outcome.delay_p50 = _ms(median(first_texts or [0])), _ms(median(delays or [0]))
    outcome.first_text_p99, outcome.delay_p99, outcome.gap_p99 = _p99(first_texts), _p99(delays), _p99(gaps)
    del outcome.faults[5:]
    return outcome


def _p99(values: list[int]) -> float:
    return _ms(quantiles(values, n=100)[98]) if len(values) > 1 else 0.0


def _ms(nanoseconds: float) -> float:
    return nanoseconds / 1e6


if __name__ == "__main__":
    print(json.dumps(asdict(uvloop.run(run(Work(**json.loads(sys.argv[1])))))))
