"""`/metrics`: the numbers after real requests, who may read them, and what is never in them."""

import asyncio
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from time import time

import pytest
from prometheus_client.parser import text_string_to_metric_families

from proxy.upstreams.breaker import FAILURES_TO_OPEN
from proxy.usage.metrics import MetricsSnapshot, SiteStats
from proxy.usage.metrics import text as rendered
from proxy.usage.recorder import REJECTED, SUM
from proxy.usage.worker_stats import SiteLoad, WorkerStats
from shared.admin.usage import ERROR, REFUSED, REQUESTS, SECONDS, TOKENS_IN, TOKENS_OUT, Counters, bucket
from shared.models import Outcome, Visit
from shared.processes import heartbeat
from tests.proxy.running import SESSION_ID, RunningProxy, running_proxy
from tests.site import SimulatedSite

MASTER = "sk-the-master-key"
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


async def scrape(proxy: RunningProxy, **headers: str) -> str:
    """Return the metrics' text."""
    async with proxy.http.get(f"{proxy.url}/metrics", headers=headers) as response:
        assert response.status == 200
        assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        return await response.text()


async def send(proxy: RunningProxy, text: str, *, stream: bool) -> None:
    """Send a turn and read the whole answer."""
    body = {"model": "gpt-4o-mini-helper", "stream": stream, "messages": [{"role": "user", "content": text}]}
    async with proxy.http.post(f"{proxy.url}/v1/chat/completions", json=body) as response:
        assert response.status == 200
        await response.read()


def samples(text: str) -> Samples:
    """Every sample by name and labels."""
    families = text_string_to_metric_families(text)
    return {(each.name, frozenset(each.labels.items())): each.value for family in families for each in family.samples}


def sample_sum(text: str, name: str, **labels: str) -> float:
    """The sum of all samples of that name with these labels."""
    found = [each for (sample, by), each in samples(text).items() if sample == name and labels.items() <= set(by)]
    assert found, f"{name}{labels} is not there"
    return sum(found)


async def test_answers_and_their_times_are_counted(proxy: RunningProxy, site: SimulatedSite) -> None:
    for stream in (True, False):
        await send(proxy, "a private text [[tokens:20]] [[delay:0.01]]", stream=stream)
    text = await scrape(proxy)

    by = {"model": "gpt-4o-mini-helper", "site": site.origin}
    assert sample_sum(text, "freeaichat_requests_total", outcome="ok", **by) == 2
    assert sample_sum(text, "freeaichat_requests_total", outcome="error") == 0
    assert sample_sum(text, "freeaichat_tokens_total", type="input", **by) > 0
    assert sample_sum(text, "freeaichat_tokens_total", type="output", **by) > 20
    for name in ("request_duration", "time_to_first_token", "time_per_output_token"):
        series = f"gen_ai_server_{name}_seconds"
        assert sample_sum(text, f"{series}_count", **by) == 2
        assert sample_sum(text, f"{series}_bucket", le="+Inf", **by) == 2
        assert sample_sum(text, f"{series}_bucket", le="0.64", **by) <= 2  # the bounds are doublings of 10 ms
        assert 0 < sample_sum(text, f"{series}_sum", **by) < 20
    assert sample_sum(text, "gen_ai_server_request_duration_seconds_sum") >= 0.4
    assert sample_sum(text, "freeaichat_store_up") == 1
    assert sample_sum(text, "freeaichat_build_info") == 1
    for secret in ("private text", SESSION_ID, site.nonce):
        assert secret not in text


async def test_failures_are_counted_by_kind_and_an_open_breaker_shows(proxy: RunningProxy, site: SimulatedSite) -> None:
    before = await scrape(proxy)
    site.behaviour.ajax_status = 500
    for _ in range(FAILURES_TO_OPEN):
        assert (await proxy.chat("hi")).code == "upstream_error"
    assert (await proxy.chat("hi")).code == "site_unavailable"
    after = await scrape(proxy)

    assert sample_sum(before, "freeaichat_breaker_state", state="closed") == 1
    assert sample_sum(after, "freeaichat_breaker_state", state="closed") == 0
    assert sample_sum(after, "freeaichat_breaker_state", state="open", site=site.origin) == 1
    assert sample_sum(after, "freeaichat_errors_total", kind="upstream_error") == FAILURES_TO_OPEN
    assert sample_sum(after, "freeaichat_errors_total", kind="site_unavailable") == 1
    assert sample_sum(after, "freeaichat_requests_total", outcome="error") == FAILURES_TO_OPEN + 1


async def test_a_used_up_quota_shows_as_cooldown(proxy: RunningProxy) -> None:
    assert sample_sum(await scrape(proxy), "freeaichat_cooldown_seconds") == 0

    answers = [(await proxy.chat("hi", model="quota-bot")).status for _ in range(5)]
    assert answers[-1] == 429

    assert 500 < sample_sum(await scrape(proxy), "freeaichat_cooldown_seconds") <= 600


async def test_open_streams_show_while_they_are_open(proxy: RunningProxy, site: SimulatedSite) -> None:
    stream = asyncio.create_task(send(proxy, "[[tokens:20]] [[delay:0.03]]", stream=True))
    while not site.open_streams:
        await asyncio.sleep(0.005)
    during = await scrape(proxy)
    await stream

    assert sample_sum(during, "freeaichat_open_streams") == 1
    assert sample_sum(await scrape(proxy), "freeaichat_open_streams") == 0


async def test_counters_never_go_backwards_and_no_name_is_made_up_by_clients(proxy: RunningProxy) -> None:
    texts = [await scrape(proxy)]
    for say, model in (("hi", "gpt-4o-mini-helper"), ("hi", "made-up"), ("[[mode:err500]]", "gpt-4o-mini-helper")):
        await proxy.chat(say, model=model)
        texts.append(await scrape(proxy))

    for earlier, later in pairwise(texts):
        now = samples(later)
        assert all(now[key] >= count for key, count in counters(earlier))
    assert "made-up" not in texts[-1]
    assert sample_sum(texts[-1], "freeaichat_errors_total", model="none", kind="model_not_found") == 1


async def test_client_errors_are_counted_apart_from_failures(site: SimulatedSite, tmp_path: Path) -> None:
    async with running_proxy(site, tmp_path, max_body=1000) as proxy:
        assert (await proxy.chat("hi", model="made-up")).status == 404
        assert (await proxy.chat("x" * 1000)).code == "request_too_large"  # by a limit of ours: no request served
        site.behaviour.ajax_status = 500
        assert (await proxy.chat("hi")).code == "upstream_error"
        text = await scrape(proxy)

    assert sample_sum(text, "freeaichat_requests_total", outcome="rejected", site="none") == 1
    assert sample_sum(text, "freeaichat_requests_total", outcome="refused", site="none") == 1
    assert sample_sum(text, "freeaichat_requests_total", outcome="error", site="none") == 0
    assert sample_sum(text, "freeaichat_requests_total", outcome="error", site=site.origin) == 1
    assert sample_sum(text, "freeaichat_requests_total", outcome="rejected", site=site.origin) == 0


def counters(text: str) -> Iterator[tuple[tuple[str, frozenset[tuple[str, str]]], float]]:
    for (name, labels), count in samples(text).items():
        if name.endswith(("_total", "_count", "_sum", "_bucket")):
            yield (name, labels), count


async def test_visits_credentials_and_the_harvesters_sign_of_life_show(
    proxy: RunningProxy, site: SimulatedSite
) -> None:
    start = time() - 60
    for number, outcome in enumerate((Outcome.CAPTURED, Outcome.CHALLENGE, Outcome.CHALLENGE)):
        visit = Visit(id=str(number), site=site.origin, started_at=start + number, seconds=2.5, outcome=outcome)
        assert await proxy.store.begin_visit(site.origin, "harvester", at=start + number, ttl=60)
        await proxy.store.end_visit(visit, "harvester")
    await heartbeat.beat(proxy.store, time() - 5)
    text = await scrape(proxy)

    assert sample_sum(text, "freeaichat_latest_visits", outcome="challenge", site=site.origin) == 2
    assert sample_sum(text, "freeaichat_failed_visits_in_a_row") == 2
    assert sample_sum(text, "freeaichat_last_visit_duration_seconds") == 2.5
    assert sample_sum(text, "freeaichat_last_visit_timestamp_seconds") == pytest.approx(start + 2, abs=1)
    assert 4 <= sample_sum(text, "freeaichat_harvester_heartbeat_age_seconds") < 15
    assert sample_sum(text, "freeaichat_credentials_age_seconds") >= 0
    assert sample_sum(text, "freeaichat_nonce_age_seconds") >= 0


def replace_store(path: Path) -> None:
    """Replace the file with one that is not a database."""
    for file in path.parent.glob(f"{path.name}*"):
        file.unlink()
    path.mkdir()


async def test_while_the_store_is_unavailable_everything_else_is_reported(proxy: RunningProxy, tmp_path: Path) -> None:
    assert (await proxy.chat("hi")).status == 200
    replace_store(tmp_path / "freeaichat.db")
    text = await scrape(proxy)

    assert sample_sum(text, "freeaichat_store_up") == 0
    assert sample_sum(text, "freeaichat_requests_total", outcome="ok") == 1


async def test_the_administrators_key_is_asked_for(site: SimulatedSite, tmp_path: Path) -> None:
    master = {"Authorization": f"Bearer {MASTER}"}
    async with running_proxy(site, tmp_path, key=MASTER) as proxy:
        async with proxy.http.get(f"{proxy.url}/metrics") as refused:
            assert refused.status == 401
            assert (await refused.json())["error"]["code"] == "invalid_api_key"
        async with proxy.http.post(f"{proxy.url}/admin/keys", json={"name": "guest"}, headers=master) as created:
            key = (await created.json())["key"]
        async with proxy.http.get(f"{proxy.url}/metrics", headers={"Authorization": f"Bearer {key}"}) as refused:
            assert refused.status == 403
            assert (await refused.json())["error"]["code"] == "admin_required"
        text = await scrape(proxy, **master)

    assert MASTER not in text
    assert key not in text


def test_a_snapshot_is_rendered_number_by_number() -> None:
    totals: list[tuple[str, str, Counters]] = [
        (
            "m",
            "s",
            {REQUESTS: 5, ERROR + "a": 2, ERROR + "b": 1, REJECTED: 1, REFUSED: 3, TOKENS_IN: 70, TOKENS_OUT: 9},
        ),
        ("", "", {REQUESTS: 1, SECONDS + str(bucket(0.5)): 1, SUM + SECONDS: 500_000}),
    ]
    load = SiteLoad(site="s", open=2, queued=7, breaker="half_open", cooldown=4.5)
    visits = [
        Visit(id=str(number), site="s", started_at=90.0 - number, seconds=2.5 + number, outcome=outcome)
        for number, outcome in enumerate((Outcome.CHALLENGE, Outcome.CAPTURED, Outcome.CHALLENGE))
    ]
    sites = [SiteStats("s", 60.0, 30.0, visits), SiteStats("new", None, None, [])]
    worker = WorkerStats(worker="w", totals=totals, sites=[load])
    found = samples(rendered(MetricsSnapshot("1.2", [worker], sites, True, 5.0, {"s": "aipkit", "new": None})).decode())

    def told(name: str) -> dict[frozenset[str], float]:
        return {frozenset(label for _, label in by): value for (each, by), value in found.items() if each == name}

    known, unknown = ("m", "s", "w"), ("none", "w")
    outcomes = {"ok": (2, 1), "error": (2, 0), "rejected": (1, 0), "refused": (3, 0)}
    assert told("freeaichat_requests_total") == {
        frozenset({*labels, outcome}): counts[number]
        for outcome, counts in outcomes.items()
        for number, labels in enumerate((known, unknown))
    }
    assert told("freeaichat_errors_total") == {frozenset({*known, "a"}): 2, frozenset({*known, "b"}): 1}
    assert told("freeaichat_tokens_total") == {
        frozenset({*labels, name}): count
        for labels, counts in ((known, (70, 9)), (unknown, (0, 0)))
        for name, count in zip(("input", "output"), counts, strict=True)
    }
    assert told("freeaichat_tool_answers_total") == {}
    assert told("gen_ai_server_request_duration_seconds_sum") == {frozenset(known): 0.0, frozenset(unknown): 0.5}
    assert told("gen_ai_server_request_duration_seconds_count") == {frozenset(known): 0, frozenset(unknown): 1}
    for name, value in {"open_streams": 2, "queued_requests": 7, "cooldown_seconds": 4.5}.items():
        assert told(f"freeaichat_{name}") == {frozenset({"s", "w"}): value}
    assert told("freeaichat_breaker_state") == {
        frozenset({"s", "w", state}): float(state == "half_open") for state in ("closed", "half_open", "open")
    }
    assert told("freeaichat_credentials_age_seconds") == {frozenset({"s"}): 60}
    assert told("freeaichat_nonce_age_seconds") == {frozenset({"s"}): 30}
    assert told("freeaichat_latest_visits") == {frozenset({"s", "challenge"}): 2, frozenset({"s", "captured"}): 1}
    assert told("freeaichat_last_visit_duration_seconds") == {frozenset({"s"}): 2.5}
    assert told("freeaichat_last_visit_timestamp_seconds") == {frozenset({"s"}): 90}
    assert told("freeaichat_failed_visits_in_a_row") == {frozenset({"s"}): 1, frozenset({"new"}): 0}
    assert told("freeaichat_site_info") == {frozenset({"s", "aipkit"}): 1}
    assert told("freeaichat_build_info") == {frozenset({"1.2"}): 1}
    assert told("freeaichat_harvester_heartbeat_age_seconds") == {frozenset(): 5}
    assert told("freeaichat_store_up") == {frozenset(): 1}
