"""Answers of a server in chunks of any size: what is emitted for each, and what it shows of the server."""

import asyncio
import json
from time import monotonic
from typing import Any

import pytest

from proxy.chat.extras import Extras
from proxy.chat.upstream import Refusal
from proxy.upstreams.breaker import FAILURES_TO_OPEN
from proxy.upstreams.gate import Gate
from proxy.upstreams.openai_server.attempt import Attempt
from proxy.upstreams.openai_server.reader import ChunkReader
from shared.conversations import ToolCall
from shared.parsing import Server
from shared.site_client.errors import SiteTimeout, SiteUnreachable
from tests.proxy.upstreams.aipkit.test_attempt import SplitReply

SERVER = Server("mine", "http://127.0.0.1:1/v1")
DONE = b"data: [DONE]\n\n"


def chunk(**delta: Any) -> bytes:
    return f"data: {json.dumps({'choices': [{'delta': delta}]})}\n\n".encode()


class PausingSink:
    """A sink that asks for a pause after everything if it *pauses*; counts what comes before it is ready."""

    def __init__(self, *, pauses: bool = True) -> None:
        self._pauses = pauses
        self.given: list[str] = []
        self.unasked = 0
        self._wants_pause = False

    def text(self, text: str) -> bool:
        """As `Sink.text`."""
        self.unasked += self._wants_pause
        self._wants_pause = self._pauses
        self.given.append(text)
        return not self._pauses

    def call(self, call: ToolCall) -> bool:
        """As `Sink.call`."""
        return self.text(call.name)

    def text_with_extras(self, extras: Extras) -> bool:
        """As `Sink.text_with_extras`."""
        return self.text(f"({extras.reasoning_text}){extras.text}")

    async def ready(self) -> None:
        """As `Sink.ready`."""
        self._wants_pause = False


async def read(client: SplitReply, sink: PausingSink, gate: Gate | None = None) -> None:
    """Read the answer as a turn does."""
    reader = ChunkReader("mine", None, lambda: "call_1", wants_extras=True)
    async with client, (gate or Gate("mine", 1)).enter(1, "me") as passage:
        attempt = Attempt(client, SERVER, "", reader=reader, sink=sink, permit=passage, is_listed=True)
        async with asyncio.timeout(5):
            await attempt.run(b"{}", {}, 60.0)
        reader.end()


async def test_an_answer_is_whole_at_its_end_mark_though_the_connection_stays_open() -> None:
    sink = PausingSink(pauses=False)
    await read(SplitReply([chunk(content="all") + DONE], ends=False), sink)

    assert sink.given == ["all"]


@pytest.mark.parametrize(
    ("pieces", "seen"),
    [
        ([chunk(content="a"), chunk(content="b"), chunk(content="c"), DONE], ["a", "bc"]),
        ([chunk(reasoning="hm"), chunk(content="a"), DONE], ["(hm)", "a"]),
        ([chunk(reasoning="hm") + b": alive\n\n", chunk(content="a"), DONE], ["(hm)", "a"]),
        ([chunk(reasoning="hm"), b": alive\n\n", b"event: ping\n\n", chunk(content="a"), DONE], ["(hm)", "a"]),
        ([b'{"choices":[{"message":{"content":"a","tool_calls":[{"function":{"name":"f"}}]}}]}'], ["a", "f"]),
    ],
)
async def test_backpressure_stops_output_at_once(pieces: list[bytes | None], seen: list[str]) -> None:
    sink = PausingSink()
    await read(SplitReply(pieces), sink)

    assert (sink.given, sink.unasked) == (seen, 0)


async def test_a_chunk_like_all_others_is_none_behind_the_name_of_an_error() -> None:
    sink = PausingSink(pauses=False)
    with pytest.raises(Refusal):
        await read(SplitReply([chunk(content="a"), chunk(content="b"), b"event: error\n", chunk(content="c")]), sink)

    assert sink.given == ["a", "b"]


@pytest.mark.parametrize(
    ("error", "pieces", "code"),
    [
        (SiteTimeout("nothing"), [], "upstream_timeout"),
        (SiteTimeout("nothing"), [chunk(content="a")], "upstream_timeout"),
        (SiteUnreachable("reset"), [], "upstream_unreachable"),
        (SiteUnreachable("reset"), [chunk(content="a")], "upstream_truncated"),
    ],
)
async def test_connection_errors_are_reported(error: SiteUnreachable, pieces: list[bytes | None], code: str) -> None:
    with pytest.raises(Refusal) as exc_info:
        await read(SplitReply(pieces, error=error), PausingSink())

    assert (exc_info.value.error.code, exc_info.value.has_begun) == (code, bool(pieces))


@pytest.mark.parametrize(("data", "state"), [(b": it is alive\n\n", "half_open"), (chunk(content="a"), "closed")])
async def test_a_server_counts_as_healthy_once_its_answer_starts(data: bytes, state: str) -> None:
    gate = Gate("mine", 1)
    for _ in range(FAILURES_TO_OPEN):
        gate.breaker.failed(monotonic())
    gate.revived()

    reading = asyncio.create_task(read(SplitReply([data], ends=False), PausingSink(), gate))
    while not gate.slots.open:
        await asyncio.sleep(0)
    for _ in range(10):
        await asyncio.sleep(0)
    found = gate.breaker.state(monotonic())
    reading.cancel()
    await asyncio.wait({reading})

    assert found == state
