"""`/admin/keys` and `/admin/usage`: for the master key alone, honest about what they do not know, silent on secrets."""

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from time import time
from typing import Any

import pytest

from shared.secrets import read_master_key
from tests.proxy.admin_client import MASTER, call
from tests.proxy.running import RunningProxy, running_proxy
from tests.site import SimulatedSite

ROUTES = [
    ("GET", "/admin/keys"),
    ("POST", "/admin/keys"),
    ("DELETE", "/admin/keys/app"),
    ("POST", "/admin/keys/app/rotate"),
    ("GET", "/admin/usage"),
    ("GET", "/admin/status"),
    ("POST", "/admin/visits"),
    ("GET", "/admin/visits/1/screenshot"),
]
FIELDS = {"id", "object", "name", "hint", "created_at", "expires_at", "revoked_at", "rpm", "tpd", "models"}


@pytest.fixture
async def proxy(site: SimulatedSite, tmp_path: Path) -> AsyncIterator[RunningProxy]:
    """A proxy with a master key."""
    async with running_proxy(site, tmp_path, key=MASTER) as running:
        yield running


async def create_key(proxy: RunningProxy, name: str = "app", **fields: Any) -> dict[str, Any]:
    answer = await call(proxy, "POST", "/admin/keys", {"name": name, **fields})
    assert answer.status == 200, answer.body
    return dict(answer.body)


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_nobody_but_the_administrator_comes_in(proxy: RunningProxy, method: str, path: str) -> None:
    app_key = (await create_key(proxy))["key"]

    held = await call(proxy, method, path, key=app_key)
    assert (held.status, held.body["error"]["type"], held.code) == (403, "permission_error", "admin_required")
    for key in (None, "wrong"):
        assert (await call(proxy, method, path, key=key)).code == "invalid_api_key"
    assert held.headers["Cache-Control"] == "no-store"


async def test_a_key_is_made_listed_and_used_at_once(proxy: RunningProxy) -> None:
    new = await create_key(proxy, rpm=5, tpd=1000, models=["gpt-5-nano"], expires_in="30d")
    listed = await call(proxy, "GET", "/admin/keys")

    assert (await call(proxy, "GET", "/v1/models", key=new["key"])).status == 200
    assert new["key"].startswith("sk-fac-")
    assert new["hint"] == f"sk-fac-…{new['key'][-4:]}"
    assert new["expires_at"] - new["created_at"] == 30 * 86400
    assert (new["rpm"], new["tpd"], new["models"], new["revoked_at"]) == (5, 1000, ["gpt-5-nano"], None)
    assert set(new) == FIELDS | {"last_used_at", "key"}
    assert listed.body == {"object": "list", "data": [{name: new[name] for name in new if name != "key"}]}
    assert listed.headers["Cache-Control"] == "no-store"


async def test_limits_may_be_written_with_a_point(proxy: RunningProxy) -> None:
    assert (await create_key(proxy, rpm=5.0))["rpm"] == 5
    assert (await call(proxy, "POST", "/admin/keys", {"name": "other", "rpm": 5.5})).status == 400


async def test_a_revoked_key_is_refused_at_once_and_stays_in_the_list(proxy: RunningProxy) -> None:
    new = await create_key(proxy, "an app")
    await create_key(proxy, "another")
    revoked = await call(proxy, "DELETE", "/admin/keys/an%20app")

    assert (await call(proxy, "GET", "/v1/models", key=new["key"])).status == 401
    assert (revoked.status, revoked.body["id"], "key" in revoked.body) == (200, new["id"], False)
    assert revoked.body["revoked_at"] is not None
    assert [key["name"] for key in (await call(proxy, "GET", "/admin/keys")).body["data"]] == ["another", "an app"]


async def test_a_rotated_key_has_a_new_secret_at_once(proxy: RunningProxy) -> None:
    old = await create_key(proxy)
    new = (await call(proxy, "POST", f"/admin/keys/{old['id']}/rotate")).body

    assert (new["id"], new["name"]) == (old["id"], "app")
    assert (await call(proxy, "GET", "/v1/models", key=new["key"])).status == 200
    assert (await call(proxy, "GET", "/v1/models", key=old["key"])).status == 401


async def test_invalid_operations_say_why(proxy: RunningProxy) -> None:
    await create_key(proxy)
    taken = await call(proxy, "POST", "/admin/keys", {"name": "app"})
    unknown = await call(proxy, "DELETE", "/admin/keys/nobody")
    await call(proxy, "DELETE", "/admin/keys/app")
    ended = await call(proxy, "POST", "/admin/keys/app/rotate")

    assert (taken.status, taken.code) == (409, "key_conflict")
    assert "'app' exists" in taken.body["error"]["message"]
    assert (unknown.status, unknown.code) == (404, "key_not_found")
    assert (ended.status, ended.code) == (409, "key_conflict")
    assert "revoked" in ended.body["error"]["message"]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "name"),
        ({"name": "master"}, "name"),
        ({"name": "app", "rpm": 0}, "rpm"),
        ({"name": "app", "rpm": "5"}, "rpm"),
        ({"name": "app", "tpd": True}, "tpd"),
        ({"name": "app", "models": "a,b"}, "models"),
        ({"name": "app", "models": []}, "models"),
        ({"name": "app", "expires_in": "soon"}, "expires_in"),
        ({"name": "app", "expires_in": -1}, "expires_in"),
        ({"name": "app", "rmp": 5}, "rmp"),
        ({"name": "app", "key": "sk-mine"}, "key"),
    ],
)
async def test_a_key_that_makes_no_sense_is_a_bad_request(
    proxy: RunningProxy, body: dict[str, Any], param: str
) -> None:
    answer = await call(proxy, "POST", "/admin/keys", body)

    assert (answer.status, answer.body["error"]["param"]) == (400, param)
    assert (await call(proxy, "GET", "/admin/keys")).body["data"] == []


@pytest.mark.parametrize("path", ["/admin/keys?limit=5", "/admin/status?x=", "/admin/usage?from=7d"])
async def test_unknown_query_parameters_are_refused(proxy: RunningProxy, path: str) -> None:
    answer = await call(proxy, "GET", path)

    assert (answer.status, answer.code) == (400, "unknown_parameter")


async def test_the_first_key_brings_a_master_key_where_the_proxy_was_open(site: SimulatedSite, tmp_path: Path) -> None:
    async with running_proxy(site, tmp_path) as proxy:
        new = await made_without_key(proxy)
        master = read_master_key(tmp_path)

        assert (await call(proxy, "GET", "/admin/keys", key=None)).status == 401
        assert (await call(proxy, "GET", "/admin/keys", key=new["key"])).status == 403
        assert (await call(proxy, "GET", "/admin/keys", key=master)).status == 200


async def made_without_key(proxy: RunningProxy) -> dict[str, Any]:
    answer = await call(proxy, "POST", "/admin/keys", {"name": "app"}, key=None)
    assert answer.status == 200, answer.body
    return dict(answer.body)


async def test_an_open_proxy_is_administrated_from_this_machine_alone(site: SimulatedSite, tmp_path: Path) -> None:
    async with running_proxy(site, tmp_path, cors_origins=("https://chat.example",)) as proxy:
        assert (await call(proxy, "GET", "/admin/keys", key=None)).status == 200
        for sent in ({"Host": "evil.example"}, {"Origin": "https://evil.example"}):
            assert (await call(proxy, "POST", "/admin/keys", {"name": "x"}, key=None, headers=sent)).status == 403
        chatting = {"Origin": "https://chat.example"}
        assert (await call(proxy, "GET", "/v1/models", key=None, headers=chatting)).status == 200
        assert (await call(proxy, "GET", "/admin/keys", key=None, headers=chatting)).code == "origin_not_allowed"
        assert (await call(proxy, "GET", "/admin/keys", key=None)).body["data"] == []


async def test_a_key_is_in_no_log_not_even_where_its_name_belongs(
    proxy: RunningProxy, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    key = (await create_key(proxy))["key"]
    answer = await call(proxy, "DELETE", f"/admin/keys/{key}")
    await call(proxy, "POST", "/admin/session", {"key": key}, key=None)
    await call(proxy, "GET", f"/admin/keys/{key}/no/such/page")

    assert answer.status == 404
    assert key not in str(answer.body)
    lines = [str(record.__dict__) + record.getMessage() for record in caplog.records if record.name.startswith("proxy")]
    assert any("/admin/keys" in line for line in lines)
    assert not any(key in line for line in lines)


async def test_usage_is_grouped_as_requested(proxy: RunningProxy) -> None:
    app_key = (await create_key(proxy))["key"]
    turn = {"model": "gpt-4o-mini-helper", "messages": [{"role": "user", "content": "hi"}]}
    for key in (app_key, app_key, MASTER):
        assert (await call(proxy, "POST", "/v1/chat/completions", turn, key=key)).status == 200
    async with asyncio.timeout(5):
        while len((body := await call(proxy, "GET", "/admin/usage?by=key")).body["data"]) < 2:
            await asyncio.sleep(0.1)

    rows = {row["key"]: row for row in body.body["data"]}
    assert (rows["app"]["requests"], rows["master"]["requests"]) == (2, 1)
    assert rows["app"]["tokens_in"] > 0
    assert rows["app"]["ms_p50"] > 0
    assert body.body["estimated"] is True
    whole = (await call(proxy, "GET", "/admin/usage?by=model,site&since=1h")).body["data"]
    assert [(row["model"], row["site"], row["requests"]) for row in whole] == [
        ("gpt-4o-mini-helper", proxy.settings.sites[0].origin, 3)
    ]
    assert (await call(proxy, "GET", f"/admin/usage?until={time() - 86400:.0f}")).body["data"] == []


@pytest.mark.parametrize(
    ("query", "param"),
    [("since=yesterday", "since"), ("until=x", "until"), ("by=colour", "by"), ("since=1h&until=2h", "since")],
)
async def test_a_time_that_makes_no_sense_is_a_bad_request(proxy: RunningProxy, query: str, param: str) -> None:
    answer = await call(proxy, "GET", f"/admin/usage?{query}")

    assert (answer.status, answer.body["error"]["param"], answer.code) == (400, param, "invalid_value")
