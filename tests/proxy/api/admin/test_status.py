"""`/admin/status` and `/admin/visits`: what is going on, a visit on demand, and the pictures of failures."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from time import time
from typing import Any

import pytest

from shared import __version__
from shared.models import Outcome, Visit
from shared.processes import heartbeat
from tests.proxy.admin_client import MASTER, browse, call, signed_in
from tests.proxy.running import RunningProxy, running_proxy, short_store_timeout
from tests.site import SimulatedSite

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
VISIT_ID = "0f0e0d0c-1111-4222-8333-444455556666"


@pytest.fixture
async def proxy(site: SimulatedSite, tmp_path: Path) -> AsyncIterator[RunningProxy]:
    """A proxy with a master key."""
    async with running_proxy(site, tmp_path, key=MASTER) as running:
        yield running


async def fail_visit(proxy: RunningProxy, visit_id: str, *, screenshot: bytes | None = None) -> None:
    site = proxy.settings.sites[0].origin
    await proxy.store.begin_visit(site, "me", at=time(), ttl=60)
    visit = Visit(
        id=visit_id,
        site=site,
        started_at=time(),
        seconds=2.5,
        outcome=Outcome.CHALLENGE,
        reason="a check page",
        trigger="schedule",
    )
    await proxy.store.end_visit(visit, "me", screenshot=screenshot)


async def status(proxy: RunningProxy) -> dict[str, Any]:
    answer = await call(proxy, "GET", "/admin/status")
    assert answer.status == 200, answer.body
    return dict(answer.body)


async def test_the_status_tells_of_sites_store_and_harvester(proxy: RunningProxy, site: SimulatedSite) -> None:
    for number in range(12):
        await fail_visit(proxy, f"visit-{number}")
    await fail_visit(proxy, VISIT_ID, screenshot=PNG)
    await heartbeat.beat(proxy.store, time() - 10)
    body = await status(proxy)

    assert (body["version"], body["ready"], body["open_streams"], body["queued"]) == (__version__, True, 0, 0)
    assert 0 <= time() - body["started_at"] < 60
    assert body["store"] == {"url": proxy.settings.store_url, "schema": body["store"]["schema"], "trouble": None}
    assert body["harvester"]["running"]
    assert 9 <= body["harvester"]["heartbeat_age_seconds"] < 60
    [only] = body["sites"]
    assert (only["site"], only["ready"], only["reason"], only["code"]) == (site.origin, True, None, None)
    assert (only["breaker"], only["cooldown_until"], only["open_streams"], only["queued"]) == ("closed", None, 0, 0)
    assert (only["credentials"]["source"], only["credentials"]["generation"]) == ("visit", 1)
    assert only["credentials"]["age_seconds"] == pytest.approx(only["credentials"]["nonce_age_seconds"])
    assert only["bots"] > 3
    assert only["kind"] == "aipkit"
    assert [visit["id"] for visit in only["visits"][:2]] == [VISIT_ID, "visit-11"]
    assert len(only["visits"]) == 10
    assert [visit["screenshot"] for visit in only["visits"]] == [True] + [False] * 9
    newest = only["visits"][0]
    assert (newest["outcome"], newest["reason"], newest["trigger"]) == ("challenge", "a check page", "schedule")
    assert newest["seconds"] == 2.5


@pytest.mark.parametrize(
    ("age", "is_last", "running"), [(0.0, False, True), (0.0, True, False), (10_000.0, False, False)]
)
async def test_whether_the_harvester_runs_and_its_last_heartbeat_are_told_apart(
    proxy: RunningProxy, age: float, is_last: bool, running: bool
) -> None:
    await heartbeat.beat(proxy.store, beat_at := time() - age)
    if is_last:  # it was stopped
        await heartbeat.withdraw(proxy.store, beat_at)
    harvester = (await status(proxy))["harvester"]

    assert harvester["running"] is running
    assert age - 1 <= harvester["heartbeat_age_seconds"] < age + 60


async def test_before_anything_was_captured_the_status_says_so(site: SimulatedSite, tmp_path: Path) -> None:
    async with running_proxy(site, tmp_path, key=MASTER, captured=False) as proxy:
        body = await status(proxy)

    [only] = body["sites"]
    assert (body["ready"], only["ready"], only["credentials"], only["bots"]) == (False, False, None, 0)
    assert only["kind"] is None
    assert ("captured" in only["reason"], only["code"]) == (True, "no_credentials")
    assert body["harvester"] == {"running": False, "heartbeat_age_seconds": None}


async def test_the_status_holds_no_secret(proxy: RunningProxy, site: SimulatedSite) -> None:
    state = await proxy.store.site_state(site.origin)
    assert state is not None
    text = str(await status(proxy))

    assert state.current.nonce not in text
    assert state.current.session_id not in text
    assert MASTER not in text


async def test_the_status_works_while_the_store_is_unavailable(
    proxy: RunningProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short_store_timeout(monkeypatch)
    (tmp_path / "freeaichat.db").rename(tmp_path / "away.db")
    (tmp_path / "freeaichat.db").mkdir()
    body = await status(proxy)
    answer = await call(proxy, "GET", "/admin/keys")

    assert body["store"]["trouble"]
    assert body["sites"][0]["ready"] is True
    assert body["sites"][0]["visits"] == []
    assert (answer.status, answer.code) == (503, "store_unavailable")


@pytest.mark.parametrize("body", [None, {}, {"site": None}, "origin", "origin/"])
async def test_a_visit_is_asked_for_through_the_store(proxy: RunningProxy, site: SimulatedSite, body: Any) -> None:
    sent = {"site": body.replace("origin", site.origin)} if isinstance(body, str) else body
    answer = await call(proxy, "POST", "/admin/visits", sent)
    pending = await proxy.store.pending_ask(site.origin)

    assert (answer.status, answer.body) == (202, {"object": "visit_ask", "site": site.origin})
    assert pending is not None
    assert pending.reason == "the administrator asked for it"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"site": "https://elsewhere.example"}, 404),
        ({"site": 5}, 400),
        ({"sites": []}, 400),
        ([], 400),
    ],
)
async def test_no_other_site_is_visited(proxy: RunningProxy, site: SimulatedSite, body: Any, expected: int) -> None:
    assert (await call(proxy, "POST", "/admin/visits", body)).status == expected
    assert await proxy.store.pending_ask(site.origin) is None


async def test_a_screenshot_is_shown_to_the_administrator_and_to_nobody_else(proxy: RunningProxy) -> None:
    await fail_visit(proxy, VISIT_ID, screenshot=PNG)
    path = f"/admin/visits/{VISIT_ID}/screenshot"
    shown = await call(proxy, "GET", path)
    in_browser = await browse(proxy, await signed_in(proxy), "GET", path, Sec_Fetch_Site="same-origin")

    assert (shown.status, shown.body) == (200, PNG)
    assert in_browser.body == PNG
    assert (shown.headers["Content-Type"], shown.headers["Cache-Control"]) == ("image/png", "no-store")
    assert shown.headers["X-Content-Type-Options"] == "nosniff"
    assert (await call(proxy, "GET", path, key=None)).status == 401
    key = (await call(proxy, "POST", "/admin/keys", {"name": "app"})).body["key"]
    assert (await call(proxy, "GET", path, key=key)).status == 403


@pytest.mark.parametrize(
    "visit_id",
    [
        "unknown",
        "..%2f..%2f..%2fetc%2fpasswd",
        "%2e%2e",
        "..%5c..%5cx",
        "/etc/passwd",
        "%00",
        "a" * 65,
        "freeaichat.db",
        "*",
        "%F0%9F%90%8C",
    ],
)
async def test_no_other_file_is_shown_as_a_screenshot(proxy: RunningProxy, visit_id: str) -> None:
    await fail_visit(proxy, VISIT_ID, screenshot=PNG)
    answer = await call(proxy, "GET", f"/admin/visits/{visit_id}/screenshot")

    assert answer.status == 404
    assert answer.code in {"screenshot_not_found", "unknown_url"}


async def test_a_visit_without_a_picture_has_none(proxy: RunningProxy) -> None:
    await fail_visit(proxy, VISIT_ID)

    assert (await call(proxy, "GET", f"/admin/visits/{VISIT_ID}/screenshot")).code == "screenshot_not_found"


async def test_a_locked_store_is_reported_instead_of_hanging(
    site: SimulatedSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short_store_timeout(monkeypatch)
    async with running_proxy(site, tmp_path, key=MASTER) as proxy:
        with closing(sqlite3.connect(tmp_path / "freeaichat.db", isolation_level=None)) as connection:
            connection.execute("BEGIN EXCLUSIVE")
            answer = await call(proxy, "POST", "/admin/keys", {"name": "app"})

    assert (answer.status, answer.code) == (503, "store_unavailable")
