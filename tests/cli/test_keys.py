"""`freeaichat keys` and `freeaichat usage`, beside a running proxy and alone."""

import asyncio
import csv
import io
import json
from pathlib import Path
from time import time

import pytest

from shared.admin.usage import UsageBatch, UsageGroup, hour_of
from shared.store import open_store
from tests.cli.test_commands import CommandLine, offline, online, proxy, site
from tests.proxy.running import RunningProxy

pytestmark = pytest.mark.usefixtures("measured")

__all__ = ["offline", "online", "proxy", "site"]  # fixtures

MODEL = "gpt-4o-mini-helper"


async def status(proxy: RunningProxy, key: str) -> int:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    async with proxy.http.get(f"{proxy.url}/v1/models", headers=headers) as response:
        return response.status


async def wait_for_status(proxy: RunningProxy, key: str, expected: int) -> None:
    async with asyncio.timeout(1):
        while await status(proxy, key) != expected:
            await asyncio.sleep(0.02)


async def test_a_key_is_made_listed_rotated_and_revoked(online: CommandLine, proxy: RunningProxy) -> None:
    made = await online("keys", "create", "--name", "app", "--rpm", "5", "--models", MODEL, "--expires", "30d")
    secret = made.output.strip()
    assert (made.code, secret[:7]) == (0, "sk-fac-")
    assert "master.key" in made.errors
    await wait_for_status(proxy, secret, 200)
    await wait_for_status(proxy, "", 401)
    assert (await online("models")).code == 0  # the command line has the administrator's key

    listed = await online("keys", "list")
    assert "\x1b" not in listed.output
    assert [word in listed.output for word in ("app", "5 rpm", MODEL, "works", secret[-4:], secret)] == [True] * 5 + [
        False
    ]

    rotated = json.loads((await online("keys", "rotate", "app", "--json")).output)
    await wait_for_status(proxy, secret, 401)
    assert await status(proxy, rotated["key"]) == 200

    revoked = await online("keys", "revoke", rotated["id"])
    await wait_for_status(proxy, rotated["key"], 401)
    assert revoked.code == 0
    listed_as_json = json.loads((await online("keys", "list", "--json")).output)["data"]
    assert [key["revoked_at"] is not None for key in listed_as_json] == [True]
    assert "key" not in listed_as_json[0]


async def test_no_key_is_made_where_the_administrators_cannot_be_kept(offline: CommandLine) -> None:
    in_the_way = Path(offline.environment["FREEAICHAT_DATA_DIR"]) / "master.key"
    in_the_way.mkdir(parents=True)

    refused = await offline("keys", "create", "--name", "app")
    listed = await offline("keys", "list", "--json")

    assert (refused.code, refused.output) == (2, "")
    assert refused.errors.startswith("freeaichat: the key cannot be kept in ")
    assert json.loads(listed.output)["data"] == []


async def test_invalid_arguments_are_reported_in_one_line(offline: CommandLine) -> None:
    await offline("keys", "create", "--name", "app")
    for args, message in (
        (("create", "--name", "app"), "exists"),
        (("create", "--name", "a\nb"), "name:"),
        (("create", "--name", "b", "--rpm", "0"), "rpm:"),
        (("create", "--name", "b", "--expires", "soon"), "expires:"),
        (("revoke", "nobody"), "nobody"),
        (("rotate", "nobody"), "nobody"),
    ):
        result = await offline("keys", *args)
        assert result.code == 1
        assert message in result.errors
        assert result.errors.count("\n") == 1
    offline.environment["FREEAICHAT_STORE"] = "ftp://x"
    assert (await offline("keys", "list")).code == 2


async def test_usage_of_the_running_proxy_as_table_json_and_csv(online: CommandLine, proxy: RunningProxy) -> None:
    assert (await proxy.chat("hi")).status == 200
    await proxy.chat("[[mode:err429]]")
    await proxy.write_usage()

    table = await online("usage", "--since", "2h", "--by", "key,model")
    assert table.code == 0
    assert [word in table.output for word in ("open", MODEL, "rate_limit_exceeded=1", "estimated")] == [True] * 4
    row = json.loads((await online("usage", "--json", "--by", "model")).output)["data"][0]
    assert (row["model"], row["requests"], row["errors"]) == (MODEL, 2, {"rate_limit_exceeded": 1})
    assert row["tokens_out"] > 0
    rows = list(csv.DictReader(io.StringIO((await online("usage", "--csv", "--by", "site")).output)))
    assert rows[0]["site"] == proxy.settings.sites[0].origin
    assert rows[0]["requests"] == "2"


async def test_usage_tells_how_calls_of_tools_came_out(offline: CommandLine) -> None:
    async with open_store(f"sqlite:///{offline.environment['FREEAICHAT_DATA_DIR']}/freeaichat.db") as store:
        for model, site, counters in (("good", "ollama", {"tools:valid": 7, "tools:retried": 2}), ("plain", "", {})):
            group = UsageGroup(hour_of(time()), "master", model, site)
            await store.add_usage(UsageBatch(model, {group: {"requests": 9, **counters}}))

    lines = (await offline("usage", "--by", "model")).output.splitlines()
    assert ["  valid=7 retried=2  " in line for line in lines[1:3]] == [True, False]
    by_site = (await offline("usage", "--by", "site,model")).output.splitlines()
    assert [line.split()[:2] for line in by_site[1:3]] == [["-", "plain"], ["ollama", "good"]]  # a server has no scheme
    rows = csv.DictReader(io.StringIO((await offline("usage", "--csv", "--by", "model")).output))
    assert {row["model"]: row["tools"] for row in rows} == {"good": "valid=7 retried=2", "plain": ""}


async def test_many_kinds_of_errors_widen_no_other_line(offline: CommandLine) -> None:
    kinds = {f"error:kind_{number}": 1 for number in range(30)}
    async with open_store(f"sqlite:///{offline.environment['FREEAICHAT_DATA_DIR']}/freeaichat.db") as store:
        for model, counters in (("bad", kinds | {"tools:valid": 7}), ("good", {})):
            group = UsageGroup(hour_of(time()), "master", model, "ollama")
            await store.add_usage(UsageBatch(model, {group: {"requests": 9, **counters}}))

    head, bad, good, *_ = (await offline("usage", "--by", "model")).output.splitlines()

    assert "valid=7" in bad[:100]
    assert bad.count("kind_") == 30
    assert max(len(head), len(good)) < 100


async def test_usage_is_asked_for_by_time(offline: CommandLine) -> None:
    assert "nothing" in (await offline("usage")).output
    now = time()
    async with open_store(f"sqlite:///{offline.environment['FREEAICHAT_DATA_DIR']}/freeaichat.db") as store:
        for days, name in ((1, "new"), (20, "old")):
            group = UsageGroup(hour_of(now - days * 86400), "master", name, "")
            await store.add_usage(UsageBatch(name, {group: {"requests": 1}}))

    async def models(*args: str) -> list[str]:
        result = await offline("usage", "--json", "--by", "model", *args)
        return [row["model"] for row in json.loads(result.output)["data"]]

    assert await models() == ["new"]
    assert await models("--since", "30d") == ["new", "old"]
    assert await models("--since", str(int(now - 30 * 86400)), "--until", "10d") == ["old"]
    for args in (("--by", "colour"), ("--since", "x"), ("--since", "1d", "--until", "2d")):
        assert (await offline("usage", *args)).code == 1
