"""A client that disconnects ends its turn on the site at once, as slots and guests' quotas are few."""

import asyncio
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from tests.proxy.running import RunningProxy, running_proxy, wait_until_idle
from tests.proxy.wire import connected
from tests.site import SimulatedSite

MODEL = "gpt-4o-mini-helper"
ASKED: dict[str, tuple[str, dict[str, Any]]] = {
    "chat": ("/v1/chat/completions", {"messages": [{"role": "user", "content": "[[tokens:500]]"}]}),
    "completions": ("/v1/completions", {"prompt": "[[tokens:500]]"}),
    "responses": ("/v1/responses", {"input": "[[tokens:500]]"}),
    "messages": ("/v1/messages", {"max_tokens": 4096, "messages": [{"role": "user", "content": "[[tokens:500]]"}]}),
}
WINDOWS = {  # when the client leaves: what is slow then, and what the site sees of the turn by that time
    "while the message is handed over": {"ajax_delay": 3.0},
    "before the first text": {"first_delta_delay": 30.0},
    "in the middle of the text": {"delta_delay": 0.2},
}


async def wait_for_window(site: SimulatedSite, window: str) -> None:
    """Wait until the turn is in *window*."""
    async with asyncio.timeout(10):
        while not (site.requests if "ajax_delay" in WINDOWS[window] else site.open_streams):
            await asyncio.sleep(0.01)
    if "delta_delay" in WINDOWS[window]:
        await asyncio.sleep(0.3)  # some text has come


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("api", ASKED)
async def test_the_turn_ends_when_the_client_is_gone(
    proxy: RunningProxy, site: SimulatedSite, api: str, window: str, stream: bool
) -> None:
    """People press stop, and coding agents abort by closing the connection; nobody tells the proxy in any other way."""
    site.requests.clear()
    site.behaviour.update(WINDOWS[window])
    path, body = ASKED[api]
    async with connected(proxy.url, "POST", path, {"model": MODEL, "stream": stream, **body}):
        await wait_for_window(site, window)

    left = monotonic()
    async with asyncio.timeout(5):
        while site.open_streams:
            await asyncio.sleep(0.01)
    assert monotonic() - left < 1.0
    site.behaviour.update({"ajax_delay": 0.0, "first_delta_delay": 0.0, "delta_delay": 0.0})
    await wait_until_idle(proxy)
    assert not site.open_streams, "the turn went on without its client"
    assert sum(request.action == "aipkit_cache_sse_message" for request in site.requests) == 1


async def test_two_hundred_disconnects_leave_no_slot_taken(site: SimulatedSite, tmp_path: Path) -> None:
    """An editor's completion is aborted with almost every key; the next request must be answered as the first was."""
    site.behaviour.first_delta_delay = 0.3
    path, body = ASKED["chat"]

    async def leave(url: str, number: int) -> None:
        async with connected(url, "POST", path, {"model": MODEL, "stream": number % 2 == 0, **body}):
            await asyncio.sleep(0.005 * (number % 40))

    async with running_proxy(site, tmp_path, max_upstream=4) as proxy:
        await asyncio.gather(*(leave(proxy.url, number) for number in range(200)))
        start = monotonic()
        site.behaviour.first_delta_delay = 0.0
        answers = await asyncio.gather(*(proxy.chat(f"hi {number}") for number in range(8)))

    assert [answer.status for answer in answers] == [200] * 8
    assert monotonic() - start < 5.0
    assert site.open_streams == 0
