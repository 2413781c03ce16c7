"""The dashboard and the alerts name series that `/metrics` has.

promtool and Grafana are hundreds of megabytes and do not run here; the expressions are looked at as texts.
"""

import json
import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from proxy.chat.upstream import BREAKER_STATES
from proxy.upstreams.openai_server.server import OpenAiServer
from proxy.usage.metrics import MetricsSnapshot, SiteStats, text
from proxy.usage.recorder import GAP
from proxy.usage.worker_stats import SiteLoad, WorkerStats
from shared.admin.usage import ERROR, FIRST_TEXT, REQUESTS, SECONDS, TOOLS
from shared.models import Outcome, Visit

DEPLOY = Path(__file__).parents[2] / "deploy"
DASHBOARD: dict[str, Any] = json.loads((DEPLOY / "grafana-dashboard.json").read_text())
# By name, since it has no types.
ALERTS: list[dict[str, Any]] = import_module("yaml").safe_load((DEPLOY / "alerts.yml").read_text())["groups"][0][
    "rules"
]
QUERIES = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
EXPRESSIONS = [*QUERIES, *(rule["expr"] for rule in ALERTS)]
SERIES = re.compile(r"\b(?:freeaichat|gen_ai)_\w+")
WORDS = re.compile(r"\b[a-z_]+(?=\s*\()")
FUNCTIONS = {"sum", "max", "min", "by", "rate", "histogram_quantile", "absent", "or", "on"}
SELECTED = re.compile(r"(\w+)\{(\w+)=\"(\w+)\"\}")


def all_metrics() -> bytes:
    """The `/metrics` text of a proxy with a value for every series."""
    site = SiteStats(
        "https://chat.example",
        credentials_age=1.0,
        nonce_age=1.0,
        visits=[Visit(id="1", site="https://chat.example", started_at=1, seconds=1, outcome=Outcome.CHALLENGE)],
    )
    counters = {
        REQUESTS: 2,
        ERROR + "timeout": 1,
        SECONDS + "9": 2,
        FIRST_TEXT + "9": 1,
        GAP + "1": 1,
        TOOLS + "valid": 1,
    }
    load = SiteLoad(site=site.site, open=1, queued=0, breaker="open", cooldown=1.0)
    worker = WorkerStats(worker="1", totals=[("m", site.site, counters)], sites=[load])
    return text(MetricsSnapshot("1", [worker], [site], store_up=True, heartbeat_age=1.0, kinds={site.site: "aipkit"}))


KNOWN = {
    sample.name: sample.labels
    for family in text_string_to_metric_families(all_metrics().decode())
    for sample in family.samples
}


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_every_series_function_and_label_is_known(expression: str) -> None:
    names = set(SERIES.findall(expression))
    assert names
    assert names <= KNOWN.keys()
    assert set(WORDS.findall(expression)) <= FUNCTIONS
    assert all(expression.count(left) == expression.count(right) for left, right in ("()", "[]", "{}"))
    for by in re.findall(r"by \(([\w, ]+)\)", expression):
        labels = set().union(*(KNOWN[name] for name in names)) | {"instance"}  # which Prometheus adds
        assert {each.strip() for each in by.split(",")} <= labels
    for name, label, value in SELECTED.findall(expression):
        assert label in KNOWN[name]
        assert value in {"error", OpenAiServer.kind, *BREAKER_STATES}


def test_every_series_is_shown_or_alerts() -> None:
    used = {name for expression in EXPRESSIONS for name in SERIES.findall(expression)}
    bare = {re.sub(r"_(?:bucket|count|sum)$", "", name) for name in KNOWN if not name.endswith("_created")}
    shown = {re.sub(r"_(?:bucket|count|sum)$", "", name) for name in used}

    assert bare - shown == {
        "freeaichat_build_info",
        "freeaichat_last_visit_timestamp_seconds",
    }


def test_panels_lie_beside_each_other_and_have_names() -> None:
    places = [panel["gridPos"] for panel in DASHBOARD["panels"]]
    cells = [
        (x, y) for at in places for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])
    ]

    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    assert all(panel["title"] for panel in DASHBOARD["panels"])


def test_alerts_say_what_to_do() -> None:
    assert len(ALERTS) == 3
    for rule in ALERTS:
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["description"]
        assert re.fullmatch(r"\d+m", rule["for"])


def test_alerts_wait_until_no_site_is_left_and_overlook_clients_mistakes() -> None:
    not_ready, errors, _ = (rule["expr"] for rule in ALERTS)
    without_credentials = not_ready.partition(" or ")[0]

    assert "min(freeaichat_nonce_age_seconds) >" in not_ready  # one stale site among several is no outage
    assert without_credentials.endswith(f'unless on () freeaichat_site_info{{kind="{OpenAiServer.kind}"}})')
    assert 'outcome="error"' in errors
    assert 'outcome=~"ok|error"' in errors
    assert "rejected" not in errors
