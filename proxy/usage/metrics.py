"""`/metrics`: renders a snapshot of the counters in Prometheus' text format. Pure.

Counters belong to a process and have the label `worker`, so that processes which share a port stay apart and series
never decrease but by a restart. What comes from the store is the same for all of them, and has no `worker`.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from proxy.chat.upstream import BREAKER_STATES
from proxy.usage.recorder import GAP, REJECTED, SUM
from proxy.usage.worker_stats import WorkerStats
from shared.admin.usage import (
    ERROR,
    FIRST_TEXT,
    LAST_BUCKET,
    REFUSED,
    REQUESTS,
    SECONDS,
    STEPS,
    TOKENS_IN,
    TOKENS_OUT,
    TOOL_OUTCOMES,
    TOOLS,
    histogram,
    upper_bound,
)
from shared.models import Outcome, Visit

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
BY = ("model", "site", "worker")
UNKNOWN = "none"  # the request named no known model, or reached no site
TIMES = (
    ("gen_ai_server_request_duration_seconds", SECONDS, "Time from a request's arrival to its end"),
    ("gen_ai_server_time_to_first_token_seconds", FIRST_TEXT, "Time from a request's arrival to its first text"),
    ("gen_ai_server_time_per_output_token_seconds", GAP, "Average time between tokens, one value for each answer"),
)


class SiteStats(NamedTuple):
    """One site now. Ages are in seconds, None where nothing was captured yet."""

    site: str
    credentials_age: float | None
    nonce_age: float | None
    visits: Sequence[Visit]  # newest first


class MetricsSnapshot(NamedTuple):
    """All that is rendered. `heartbeat_age`: seconds; None where the store is unavailable or the harvester never
    ran."""

    version: str
    workers: Sequence[WorkerStats]
    sites: Sequence[SiteStats]
    store_up: bool
    heartbeat_age: float | None
    kinds: Mapping[str, str | None]  # of each site and server


def text(snapshot: MetricsSnapshot) -> bytes:
    """Render *snapshot* in Prometheus' text format."""
    families = [*_usage(snapshot.workers), *_load(snapshot.workers), *_ages(snapshot.sites), *_store(snapshot)]
    return generate_latest(_Collector(families))


class _Collector:
    def __init__(self, families: Sequence[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def _usage(workers: Sequence[WorkerStats]) -> Iterator[Metric]:
    requests = CounterMetricFamily("freeaichat_requests", "Requests of this worker by outcome", labels=[*BY, "outcome"])
    errors = CounterMetricFamily("freeaichat_errors", "Failed requests of this worker by kind", labels=[*BY, "kind"])
    tokens = CounterMetricFamily("freeaichat_tokens", "Estimated tokens of this worker", labels=[*BY, "type"])
    tools = CounterMetricFamily(
        "freeaichat_tool_answers", "Answers of this worker that are calls or JSON by a schema", labels=[*BY, "outcome"]
    )
    times = [(HistogramMetricFamily(name, help_text, labels=BY), kind) for name, kind, help_text in TIMES]
    for worker in workers:
        for model, site, counters in worker.totals:
            labels = [model or UNKNOWN, site or UNKNOWN, worker.worker]
            failures = {name.removeprefix(ERROR): count for name, count in counters.items() if name.startswith(ERROR)}
            for outcome, count in _outcomes(counters, sum(failures.values())):
                requests.add_metric([*labels, outcome], count)
            for kind, count in failures.items():
                errors.add_metric([*labels, kind], count)
            tokens.add_metric([*labels, "input"], counters.get(TOKENS_IN, 0))
            tokens.add_metric([*labels, "output"], counters.get(TOKENS_OUT, 0))
            outcomes = [(outcome, counters.get(TOOLS + outcome, 0)) for outcome in TOOL_OUTCOMES]
            for outcome, count in outcomes if any(count for _, count in outcomes) else ():
                tools.add_metric([*labels, outcome], count)
            for family, prefix in times:
                _add_times(family, labels, histogram(counters, prefix), counters.get(SUM + prefix, 0) / 1e6)
    yield from (requests, errors, tokens, tools, *(family for family, _ in times))


def _outcomes(counters: Mapping[str, int], failures: int) -> Sequence[tuple[str, int]]:
    """The requests by outcome; *failures* of them ended with an error."""
    rejected = counters.get(REJECTED, 0)
    return (
        ("ok", counters.get(REQUESTS, 0) - failures),
        ("error", failures - rejected),
        ("rejected", rejected),
        ("refused", counters.get(REFUSED, 0)),
    )


def _add_times(family: HistogramMetricFamily, labels: Sequence[str], counts: Mapping[int, int], seconds: float) -> None:
    """Add one bound for each doubling; finer ones would make four times as many series."""
    bounds = [
        (f"{upper_bound(last):g}", float(sum(count for number, count in counts.items() if number <= last)))
        for last in range(0, LAST_BUCKET, STEPS)
    ]
    family.add_metric(labels, [*bounds, ("+Inf", float(sum(counts.values())))], sum_value=seconds)


def _load(workers: Sequence[WorkerStats]) -> Iterator[Metric]:
    label_names = ("site", "worker")
    streams = GaugeMetricFamily("freeaichat_open_streams", "Streams open to the site", labels=label_names)
    queued = GaugeMetricFamily("freeaichat_queued_requests", "Requests that wait for a slot", labels=label_names)
    breaker = GaugeMetricFamily("freeaichat_breaker_state", "1 for the breaker's state", labels=[*label_names, "state"])
    cooldown = GaugeMetricFamily(
        "freeaichat_cooldown_seconds", "Until no bot's quota rests any more", labels=label_names
    )
    for worker in workers:
        for each in worker.sites:
            labels = [each.site, worker.worker]
            streams.add_metric(labels, each.open)
            queued.add_metric(labels, each.queued)
            cooldown.add_metric(labels, each.cooldown)
            for state in BREAKER_STATES:
                breaker.add_metric([*labels, state], float(state == each.breaker))
    yield from (streams, queued, breaker, cooldown)


def _ages(sites: Sequence[SiteStats]) -> Iterator[Metric]:
    credentials = GaugeMetricFamily("freeaichat_credentials_age_seconds", "Since a visit took them", labels=["site"])
    nonce = GaugeMetricFamily("freeaichat_nonce_age_seconds", "Since the site last confirmed it", labels=["site"])
    for each in sites:
        if each.credentials_age is not None:
            credentials.add_metric([each.site], each.credentials_age)
        if each.nonce_age is not None:
            nonce.add_metric([each.site], each.nonce_age)
    yield from (credentials, nonce)


def _store(snapshot: MetricsSnapshot) -> Iterator[Metric]:
    build = GaugeMetricFamily("freeaichat_build_info", "The version that runs", labels=["version"])
    build.add_metric([snapshot.version], 1)
    kinds = GaugeMetricFamily("freeaichat_site_info", "1 for the kind of a site or server", labels=["site", "kind"])
    for site, kind in snapshot.kinds.items():
        if kind is not None:  # not before a visit
            kinds.add_metric([site, kind], 1)
    beat = GaugeMetricFamily("freeaichat_harvester_heartbeat_age_seconds", "Since the harvester's last sign of life")
    if snapshot.heartbeat_age is not None:
        beat.add_metric([], snapshot.heartbeat_age)
    yield from (build, kinds, beat, *_visits(snapshot.sites))
    yield GaugeMetricFamily("freeaichat_store_up", "Whether the store can be used", value=float(snapshot.store_up))


def _visits(sites: Sequence[SiteStats]) -> tuple[Metric, ...]:
    latest = GaugeMetricFamily("freeaichat_latest_visits", "The latest visits by outcome", labels=["site", "outcome"])
    seconds = GaugeMetricFamily("freeaichat_last_visit_duration_seconds", "Of the newest visit", labels=["site"])
    at = GaugeMetricFamily("freeaichat_last_visit_timestamp_seconds", "When the newest visit began", labels=["site"])
    failures = GaugeMetricFamily("freeaichat_failed_visits_in_a_row", "Since the last that captured", labels=["site"])
    for each in sites:
        outcomes = [visit.outcome for visit in each.visits]
        for outcome, count in Counter(outcomes).items():
            latest.add_metric([each.site, outcome.value], count)
        if each.visits:
            seconds.add_metric([each.site], each.visits[0].seconds)
            at.add_metric([each.site], each.visits[0].started_at)
        captured = outcomes.index(Outcome.CAPTURED) if Outcome.CAPTURED in outcomes else len(outcomes)
        failures.add_metric([each.site], captured)
    return latest, seconds, at, failures
