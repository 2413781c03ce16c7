"""A site that goes down under load and recovers, with a server as its fallback; and a server that was away."""

import asyncio
import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from proxy.api.app_keys import UPSTREAMS
from proxy.upstreams import breaker
from tests.openai_server import OpenAiPeer
from tests.ports import a_free_port
from tests.proxy.running import RunningProxy, running_proxy, wait_until_idle
from tests.proxy.upstreams.openai_server.test_failover import MODEL
from tests.site import SimulatedSite

CLIENTS = 6  # fewer than there are slots: each of them is at the site
TURNS = 5  # of each client while the site is away
SECONDS = 30.0  # for each part of it


@dataclass
class ReceivedAnswer:
    """One answer: the expected text, the received one, and who gave it."""

    expected: str
    status: int
    text: str
    is_whole: bool
    by_server: bool

    @property
    def is_complete(self) -> bool:
        """Whether the answer is complete."""
        return self.status == 200 and self.is_whole and self.text == ("served" if self.by_server else self.expected)


@dataclass
class Traffic:
    """Clients that send one request after the other, streamed and whole in turns."""

    proxy: RunningProxy
    answers: list[ReceivedAnswer] = field(default_factory=list)
    may_ask: asyncio.Event = field(default_factory=asyncio.Event)
    is_over: bool = False

    async def run(self) -> None:
        """Ask until it is over."""
        self.may_ask.set()
        async with asyncio.TaskGroup() as group:
            for number in range(CLIENTS):
                group.create_task(self._client(number))

    async def until(self, answers: int, *, by_server: bool) -> None:
        """Wait for so many more answers of the site, or of the server."""
        before = len(self.answers)
        async with asyncio.timeout(SECONDS):
            while sum(answer.by_server == by_server for answer in self.answers[before:]) < answers:
                await asyncio.sleep(0.005)

    async def _client(self, number: int) -> None:
        turn = 0
        while not self.is_over:
            await self.may_ask.wait()
            turn += 1
            self.answers.append(await self._ask(f"turn {turn} of client {number}", stream=bool(turn % 2)))

    async def _ask(self, text: str, *, stream: bool) -> ReceivedAnswer:
        body = {"model": MODEL, "stream": stream, "messages": [{"role": "user", "content": f"[[say:{text}]]"}]}
        async with self.proxy.http.post(f"{self.proxy.url}/v1/chat/completions", json=body) as response:
            raw = await response.text()
        by_server = response.headers.get("x-fallback-model") == "mine/tiny"
        if not stream:
            output = json.loads(raw)["choices"][0]["message"]["content"] if response.status == 200 else raw
            return ReceivedAnswer(text, response.status, output, is_whole=True, by_server=by_server)
        events = [line.removeprefix("data: ") for line in raw.split("\n") if line.startswith("data: ")]
        choices = [choice for event in events if event != "[DONE]" for choice in json.loads(event).get("choices", ())]
        output = "".join(choice["delta"].get("content") or "" for choice in choices)
        return ReceivedAnswer(text, response.status, output, is_whole=events[-1:] == ["[DONE]"], by_server=by_server)


async def test_an_outage_in_the_middle_of_traffic_costs_no_request(
    gateway: RunningProxy, site: SimulatedSite, server: OpenAiPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breaker, "FIRST_PAUSE", 0.2)
    traffic = Traffic(gateway)
    running = asyncio.create_task(traffic.run())
    try:
        await traffic.until(3 * CLIENTS, by_server=False)
        assert not server.received
        # Each client waits at the site for its first word when the site goes away: what it heard of it stays honest.
        traffic.may_ask.clear()
        await wait_until_idle(gateway)
        site.behaviour.first_delta_delay = 60.0
        traffic.may_ask.set()
        async with asyncio.timeout(SECONDS):
            while site.open_streams < CLIENTS:
                await asyncio.sleep(0.005)
        await site.close()
        await traffic.until((1 + TURNS) * CLIENTS, by_server=True)
        site.behaviour.first_delta_delay = 0.0
        await site.__aenter__()
        await traffic.until(3 * CLIENTS, by_server=False)
    finally:
        traffic.is_over = True
        await running

    assert [answer for answer in traffic.answers if not answer.is_complete] == []


async def test_a_server_that_comes_later_is_found(
    site: SimulatedSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proxy.upstreams.openai_server.server.AWAY_PAUSE", 0.2)
    port, server = a_free_port(), OpenAiPeer("tiny")
    async with running_proxy(site, tmp_path, servers=f"mine=http://127.0.0.1:{port}") as proxy:
        upstream = proxy.app[UPSTREAMS][1]
        unknown = await proxy.chat("hi", model="mine/tiny")
        assert (unknown.status, unknown.code) == (404, "model_not_found")
        assert "cannot connect" in str(upstream.health().problem)
        await server.start(port)
        try:
            async with asyncio.timeout(20):
                while (await proxy.chat("hi", model="mine/tiny")).status != 200:
                    await asyncio.sleep(0.05)
        finally:
            await server.stop()
    assert server.received


async def test_a_restart_of_the_server_is_bridged(site: SimulatedSite, tmp_path: Path) -> None:
    async with (
        OpenAiPeer("tiny") as server,
        running_proxy(site, tmp_path, servers=f"mine={server.base_url}") as proxy,
    ):
        upstream = proxy.app[UPSTREAMS][1]
        await upstream.discover()
        await server.stop()
        turn = asyncio.create_task(proxy.chat("hi", model="mine/tiny"))
        async with asyncio.timeout(5):
            while not upstream.health().open_streams:
                await asyncio.sleep(0)
            while upstream.health().open_streams:  # it waits for another try without a slot
                await asyncio.sleep(0)
        await server.start(server.port)

        assert (await turn).text == "served"
