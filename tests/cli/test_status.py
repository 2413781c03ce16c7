"""`freeaichat status`, beside a running proxy and without one."""

import json
import re
from dataclasses import replace
from time import time

import pytest

from proxy.upstreams.breaker import FAILURES_TO_OPEN
from shared.models import Capture, Outcome, Visit
from shared.processes import heartbeat
from shared.store import open_store
from tests.cli.test_commands import CommandLine, offline, online, proxy, site
from tests.proxy.running import SESSION_ID, RunningProxy
from tests.shared.samples import credentials as sample_credentials
from tests.site import SimulatedSite

pytestmark = pytest.mark.usefixtures("measured")

__all__ = ["offline", "online", "proxy", "site"]  # fixtures


async def test_status_before_anything_was_captured_exits_1(offline: CommandLine) -> None:
    result = await offline("status")

    assert result.code == 1
    assert "none were captured" in result.output
    assert "not running" in result.output
    assert "never ran" in result.output


async def test_status_shows_credentials_bots_and_visits_without_secrets(
    online: CommandLine, proxy: RunningProxy, site: SimulatedSite
) -> None:
    failed = Visit(
        id="v1",
        site=site.origin,
        started_at=time() - 90,
        seconds=3.2,
        outcome=Outcome.NO_CHAT,
        reason="no chat there",
        trigger="schedule",
    )
    assert await proxy.store.begin_visit(site.origin, "test", at=time(), ttl=60)
    await proxy.store.end_visit(failed, "test")

    result = await online("status")
    report = json.loads((await online("status", "--json")).output)

    assert result.code == 0, result.errors
    assert "keys: none made for others" in result.output
    assert report["keys"] == {"made": 0, "working": 0}
    assert "no chat there" in result.output
    assert re.search(r"1 min [3-5]\d s ago", result.output)
    assert "ready" in result.output
    assert f"{SESSION_ID[:4]}…" in result.output
    for secret in (SESSION_ID, site.nonce):
        assert secret not in result.output + json.dumps(report)
    found = report["sites"][0]
    assert found["kind"] == "aipkit"
    assert re.search(r"plugin +AIPKit", result.output)
    assert found["credentials"]["nonce_renew_by"] == found["credentials"]["nonce_checked_at"] + 12 * 3600
    assert all(bot["models"] for bot in found["bots"])
    assert report["proxy"]["ready"] is True


@pytest.mark.parametrize(("agent", "taken"), [("", "by hand, from the settings, "), ("Test/1.0", "by a visit, ")])
async def test_status_tells_how_credentials_were_taken_also_after_their_nonce_was_renewed(
    offline: CommandLine, agent: str, taken: str
) -> None:
    site = offline.environment["FREEAICHAT_SITES"].rstrip("/")
    renewed = replace(sample_credentials(site=site, at=time()), source="renewal", user_agent=agent)
    async with open_store(f"sqlite:///{offline.environment['FREEAICHAT_DATA_DIR']}/freeaichat.db") as store:
        await store.save_capture(Capture(credentials=renewed, bots=(), identity="{}"), base=0)

    assert f"{taken}renewed since" in (await offline("status")).output


async def test_status_tells_when_the_chat_is_another_pages(
    online: CommandLine, proxy: RunningProxy, site: SimulatedSite
) -> None:
    outputs = []
    for page_url in (site.url, f"{site.url}chat/"):
        state = await proxy.store.site_state(site.origin)
        assert state is not None
        moved = replace(state.current, page_url=page_url)
        capture = Capture(credentials=moved, bots=state.bots, identity="{}")
        await proxy.store.save_capture(capture, base=state.current.generation)
        outputs.append((await online("status")).output)
        reported = json.loads((await online("status", "--json")).output)["sites"][0]
        assert (reported["page"], reported["named_page"]) == (page_url, site.url)
        assert reported["is_other_page"] is (page_url != site.url)

    assert "which the settings name" not in outputs[0]
    assert f"{site.url}chat/ (not {site.url}, which the settings name)" in outputs[1]


@pytest.fixture
def lasting_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no site be tried again while a command starts."""
    monkeypatch.setattr("proxy.upstreams.breaker.FIRST_PAUSE", 60.0)


@pytest.mark.usefixtures("lasting_pause")
async def test_status_of_a_proxy_that_is_not_ready_exits_1(
    online: CommandLine, proxy: RunningProxy, site: SimulatedSite
) -> None:
    site.behaviour.ajax_status = 500
    for _ in range(FAILURES_TO_OPEN):
        await proxy.chat("hi")
    result = await online("status")

    assert result.code == 1
    assert "circuit breaker: open" in result.output


async def test_status_tells_by_its_heartbeat_whether_the_harvester_runs(
    online: CommandLine, proxy: RunningProxy
) -> None:
    lines = []
    for age in (7.0, 3 * 3600.0):
        await heartbeat.beat(proxy.store, time() - age)
        lines += [line for line in (await online("status")).output.splitlines() if line.startswith("harvester: ")]

    await heartbeat.beat(proxy.store, stopped_at := time())
    await heartbeat.withdraw(proxy.store, stopped_at)
    lines += [line for line in (await online("status")).output.splitlines() if line.startswith("harvester: ")]

    assert re.fullmatch(r"harvester: running, heartbeat \d+\.?\d* s ago", lines[0])
    assert re.fullmatch(r"harvester: not running, last heartbeat 3 h ago \(`freeaichat up` starts it\)", lines[1])
    assert re.fullmatch(r"harvester: not running, last heartbeat \d+\.?\d* s ago .*", lines[2])
    assert float(lines[2].split()[5]) < 60  # as long ago as it is
    assert json.loads((await online("status", "--json")).output)["harvester"]["running"] is False
