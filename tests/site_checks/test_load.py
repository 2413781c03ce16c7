"""Many streams at once, clients that go away, and the site in a process of its own."""

import asyncio
import os
import time

import pytest

from tests.site import SimulatedSite
from tests.site.process import running_site
from tests.site_checks.visitor import Visitor

STREAMS = 200


async def test_two_hundred_streams_run_at_once() -> None:
    async with SimulatedSite() as site:
        visitor = Visitor(site)
        keys = [await visitor.key("[[tokens:20]][[delay:0.1]]") for _ in range(STREAMS)]
        started = time.monotonic()
        answers = [
            asyncio.create_task(visitor.stream(key, conversation_uuid=f"c{number}")) for number, key in enumerate(keys)
        ]
        while site.open_streams < STREAMS:
            await asyncio.sleep(0.05)
        texts = [answer.text for answer in await asyncio.gather(*answers)]
        took = time.monotonic() - started

    assert all("word20 " in text and '"finished":true' in text for text in texts)
    assert (site.open_streams, site.aborted_streams) == (0, 0)
    assert took < 20  # 2 s of them are delays


async def test_closing_ends_open_streams_at_once() -> None:
    async with SimulatedSite() as site:
        visitor = Visitor(site)
        answer = asyncio.create_task(visitor.send("[[mode:stall]] x"))
        while not site.open_streams:
            await asyncio.sleep(0.01)
        started = time.monotonic()
    took = time.monotonic() - started
    with pytest.raises(asyncio.IncompleteReadError):
        await answer

    assert took < 1
    assert site.open_streams == 0


async def test_a_client_that_goes_away_ends_its_stream_at_once() -> None:
    async with SimulatedSite() as site:
        answer = asyncio.create_task(Visitor(site).send("[[mode:stall]] x"))
        while not site.open_streams:
            await asyncio.sleep(0.01)
        answer.cancel()
        started = time.monotonic()
        while site.open_streams:
            await asyncio.sleep(0.01)

    assert time.monotonic() - started < 1
    assert site.aborted_streams == 1


async def test_a_site_of_its_own_process_is_controlled_over_http() -> None:
    async with running_site("--page", "popup", "--option", "late_ms=5") as site:
        before = await site.state()
        after = await site.control(rotate_nonce=True, page="blank", banned_words=["x"])
        with pytest.raises(AssertionError, match="unknown switch"):
            await site.control(no_such_switch=1)
        os.kill(site.pid, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(site.pid, 0)

    assert (before["behaviour"]["page"], before["behaviour"]["late_ms"]) == ("popup", 5)
    assert (after["behaviour"]["page"], after["behaviour"]["banned_words"]) == ("blank", ["x"])
    assert before["nonce"] != after["nonce"]
    assert before["requests"] == {}
    assert before["model_calls"] == []
