"""Usage of requests is counted, neither lost nor doubled."""

import asyncio
import signal
from pathlib import Path
from time import time
from typing import cast

import aiohttp
import pytest

import proxy.usage.recorder
from proxy.access.rules import OPEN
from proxy.chat.tokens import Usage
from proxy.usage.recorder import GAP, SUM, RequestRecord, UsageRecorder
from shared.admin.usage import Counters, UsageBatch, UsageGroup, add
from shared.store import Store, StoreUnavailable, open_store
from tests.proxy.running import RunningProxy, running_proxy, wait_until_idle
from tests.proxy.serving import ask, serving
from tests.site import SimulatedSite

MODEL = "gpt-4o-mini-helper"


async def stored_counters(store_url: str) -> dict[tuple[str, str, str], Counters]:
    """All counters of the store, by key, model and site."""
    found: dict[tuple[str, str, str], Counters] = {}
    async with open_store(store_url) as store:
        for group, counters in await store.usage(since=0.0, until=time() + 3600):
            add(found.setdefault((group.key, group.model, group.site), {}), counters)
    return found


async def flushed_counters(proxy: RunningProxy) -> dict[tuple[str, str, str], Counters]:
    """Flush, then return all counters of the store."""
    await proxy.write_usage()
    return await stored_counters(proxy.settings.store_url)


def plain(counters: Counters) -> Counters:
    """Counters without the time buckets."""
    return {name: count for name, count in counters.items() if ":" not in name or name.startswith("error:")}


async def test_requests_whole_and_streamed_are_counted_with_their_tokens(
    proxy: RunningProxy, site: SimulatedSite
) -> None:
    answers = [await proxy.chat("[[tokens:20]]"), await proxy.chat("[[tokens:20]]")]
    async with proxy.http.post(
        f"{proxy.url}/v1/chat/completions",
        json={"model": MODEL, "stream": True, "messages": [{"role": "user", "content": "[[tokens:20]]"}]},
    ) as streamed:
        await streamed.read()

    found = (await flushed_counters(proxy))["open", MODEL, site.origin]
    used = answers[0].body["usage"]
    assert plain(found) == {
        "requests": 3,
        "tokens_in": 3 * used["prompt_tokens"],
        "tokens_out": 3 * used["completion_tokens"],
    }
    assert sum(count for name, count in found.items() if name.startswith("seconds:")) == 3
    assert sum(count for name, count in found.items() if name.startswith("first_text:")) == 3


async def test_errors_are_counted_by_kind_before_and_after_the_first_text(
    proxy: RunningProxy, site: SimulatedSite
) -> None:
    answer = await proxy.chat("[[mode:err429]]")
    assert "tokens_in" not in (await flushed_counters(proxy))["open", MODEL, site.origin]
    await proxy.chat("hi", model="no-such-model")
    async with proxy.http.post(
        f"{proxy.url}/v1/chat/completions",
        json={"model": MODEL, "stream": True, "messages": [{"role": "user", "content": "[[mode:cut]]"}]},
    ) as streamed:
        await streamed.read()

    found = await flushed_counters(proxy)
    assert plain(found["open", "", ""]) == {"requests": 1, "error:model_not_found": 1}
    counters = found["open", MODEL, site.origin]
    assert answer.code == "rate_limit_exceeded"
    assert (counters["requests"], counters["error:rate_limit_exceeded"], counters["error:upstream_error"]) == (2, 1, 1)
    assert "refused" not in counters  # it was the site that refused, not a limit of our own


async def test_the_time_between_tokens_is_that_after_the_first_text() -> None:
    request = RequestRecord(OPEN)
    request.seconds, request.first_text_seconds, request.usage = 3.0, 1.0, Usage(7, 5)
    recorder = UsageRecorder(cast("Store", None))
    recorder.record(request)

    assert recorder.totals["", ""][SUM + GAP] == 500_000  # microseconds


async def test_what_is_no_request_to_a_model_is_not_counted(proxy: RunningProxy) -> None:
    async with proxy.http.get(f"{proxy.url}/v1/models") as response:
        assert response.status == 200

    assert await flushed_counters(proxy) == {}


async def test_a_client_that_leaves_is_counted_with_what_it_got(proxy: RunningProxy, site: SimulatedSite) -> None:
    body = {"model": MODEL, "stream": True, "messages": [{"role": "user", "content": "[[tokens:50]] [[delay:0.05]]"}]}
    async with proxy.http.post(f"{proxy.url}/v1/chat/completions", json=body) as response:
        await response.content.readany()
        response.close()
    await wait_until_idle(proxy)

    found = plain((await flushed_counters(proxy))["open", MODEL, site.origin])
    assert found["requests"] == 1
    assert found["tokens_out"] > 0
    assert set(found) == {"requests", "tokens_in", "tokens_out"}


async def test_a_killed_proxy_loses_at_most_the_last_second_of_usage(
    site: SimulatedSite, tmp_path: Path, free_port: int
) -> None:
    async with serving(site, tmp_path, free_port) as process, aiohttp.ClientSession() as http:
        for _ in range(5):
            assert (await ask(http, free_port, "hi"))[0] == 200
        await asyncio.sleep(1)
        process.kill()
        await process.wait()

    assert (await stored_counters(f"sqlite:///{tmp_path}/freeaichat.db"))["open", MODEL, site.origin]["requests"] == 5


async def test_a_proxy_that_is_stopped_loses_none(site: SimulatedSite, tmp_path: Path, free_port: int) -> None:
    async with serving(site, tmp_path, free_port) as process, aiohttp.ClientSession() as http:
        for _ in range(5):
            assert (await ask(http, free_port, "hi"))[0] == 200
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0

    assert (await stored_counters(f"sqlite:///{tmp_path}/freeaichat.db"))["open", MODEL, site.origin]["requests"] == 5


async def test_while_the_store_is_unavailable_usage_waits(
    site: SimulatedSite, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "freeaichat.db"
    async with running_proxy(site, tmp_path) as running:
        path.rename(tmp_path / "away.db")
        path.mkdir()
        assert (await running.chat("hi")).status == 200
        async with asyncio.timeout(10):
            while "usage is written later" not in caplog.text:
                await asyncio.sleep(0.02)
        assert (await running.chat("hi")).status == 200
        path.rmdir()
        (tmp_path / "away.db").rename(path)
        async with asyncio.timeout(10):
            while not (found := await stored_counters(running.settings.store_url)):
                await asyncio.sleep(0.05)
        await running.write_usage()
        found = await stored_counters(running.settings.store_url)

    assert found["open", MODEL, site.origin]["requests"] == 2


class UnconfirmedStore:
    """A store that writes and then reports that it could not be reached."""

    def __init__(self) -> None:
        self.batches: list[UsageBatch] = []
        self.is_doubtful = True

    async def add_usage(self, batch: UsageBatch) -> None:
        self.batches.append(batch)
        if self.is_doubtful:
            raise StoreUnavailable("away")


async def test_a_batch_of_doubtful_fate_is_sent_again_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxy.usage.recorder, "LAST_SECONDS", 0.3)
    store = UnconfirmedStore()
    recorder = UsageRecorder(cast(Store, store))
    recorder.record(RequestRecord(OPEN))
    await recorder.close()
    recorder.record(RequestRecord(OPEN))
    store.is_doubtful = False
    await recorder.close()

    ids = [batch.id for batch in store.batches]
    assert len({*ids}) == 2
    assert store.batches[0] == store.batches[-2]
    assert store.batches[-1] != store.batches[0]


async def test_the_usage_buffer_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxy.usage.recorder, "MAX_GROUPS", 2)
    store = UnconfirmedStore()
    store.is_doubtful = False
    recorder = UsageRecorder(cast(Store, store))
    for name in ("a", "b", "c", "a"):
        turn = RequestRecord(OPEN)
        turn.model = name
        turn.usage = Usage(1, 2)
        recorder.record(turn)
    await recorder.close()

    groups: dict[UsageGroup, Counters] = dict(store.batches[0].groups)
    assert {group.model: counters["requests"] for group, counters in groups.items()} == {"a": 2, "b": 1}
