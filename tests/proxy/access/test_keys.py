"""Keys that were made: what they open, what they do not, and how soon they end."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from time import monotonic, time
from typing import Any

import pytest

from proxy.access import keyring as proxy_keyring
from shared.admin import key_admin
from shared.admin.keys import parse_new_key
from shared.secrets import ensure_master_key
from shared.store import open_store
from tests.figures import figure
from tests.proxy.admin_client import browse, call, signed_in
from tests.proxy.running import Answered, RunningProxy, running_proxy
from tests.redis_server import RedisServer
from tests.site import SimulatedSite

MASTER = "sk-the-master-key"
OWN, OTHER = "gpt-4o-mini-helper", "gpt-5-nano"


@pytest.fixture
async def proxy(site: SimulatedSite, tmp_path: Path) -> AsyncIterator[RunningProxy]:
    """A proxy with a master key."""
    async with running_proxy(site, tmp_path, key=MASTER) as running:
        yield running


async def create_key(proxy: RunningProxy, name: str = "app", **limits: Any) -> str:
    """A new key, which the proxy knows already."""
    key, _ = await key_admin.create(proxy.store, parse_new_key(name, **limits), now=time())
    async with asyncio.timeout(5):
        while (await get(proxy, key)).status == 401:
            await asyncio.sleep(0.02)
    return key


async def get(proxy: RunningProxy, key: str, path: str = "/v1/models") -> Answered:
    async with proxy.http.get(proxy.url + path, headers={"Authorization": f"Bearer {key}"}) as response:
        return Answered(response.status, await response.json(), response.headers)


async def ask(proxy: RunningProxy, key: str, text: str = "hi", **fields: Any) -> Answered:
    body = {"model": OWN, "messages": [{"role": "user", "content": text}], **fields}
    headers = {"x-api-key": key, "Origin": "https://page.example"}
    async with proxy.http.post(f"{proxy.url}/v1/chat/completions", json=body, headers=headers) as response:
        is_json = response.content_type == "application/json"
        return Answered(response.status, await (response.json() if is_json else response.text()), response.headers)


def files_in(directory: Path) -> list[Path]:
    return [file for file in directory.rglob("*") if file.is_file()]


async def test_a_made_key_opens_the_api(proxy: RunningProxy) -> None:
    key = await create_key(proxy)

    assert (await ask(proxy, key)).status == 200
    assert (await ask(proxy, key[:-1] + "?")).code == "invalid_api_key"


async def test_a_revoked_key_ends_within_a_second_though_another_process_revoked_it(proxy: RunningProxy) -> None:
    key = await create_key(proxy)
    async with open_store(proxy.settings.store_url) as elsewhere:
        await key_admin.revoke(elsewhere, "app", now=time())
    start = monotonic()
    async with asyncio.timeout(1):
        while (denied := await ask(proxy, key)).status != 401:
            await asyncio.sleep(0.02)

    assert monotonic() - start < 1
    assert "revoked" in denied.body["error"]["message"]
    assert denied.code == "invalid_api_key"


async def test_a_revoked_key_ends_within_a_second_over_redis_too(
    site: SimulatedSite, tmp_path: Path, redis_server: RedisServer
) -> None:
    async with running_proxy(site, tmp_path, key=MASTER, store=redis_server.url) as running:
        took = []
        for number in range(5):
            key = await create_key(running, f"app {number}")
            async with open_store(redis_server.url) as elsewhere:
                await key_admin.revoke(elsewhere, f"app {number}", now=time())
            start = monotonic()
            async with asyncio.timeout(5):
                while (await get(running, key)).status != 401:
                    await asyncio.sleep(0.005)
            took.append(monotonic() - start)

    figure("a key revoked elsewhere ends over Redis, worst of 5", f"{max(took) * 1000:.0f} ms")
    assert max(took) < 1


async def test_a_rotated_key_has_a_new_secret_and_the_old_one_ends(proxy: RunningProxy) -> None:
    old = await create_key(proxy)
    new, _ = await key_admin.rotate(proxy.store, "app", now=time())
    async with asyncio.timeout(1):
        while (await ask(proxy, old)).status != 401:
            await asyncio.sleep(0.02)

    assert (await ask(proxy, new)).status == 200


async def test_a_key_ends_when_its_time_is_over(proxy: RunningProxy) -> None:
    key = await create_key(proxy, expires_in=1)
    async with asyncio.timeout(3):
        while (denied := await get(proxy, key)).status == 200:
            await asyncio.sleep(0.05)

    assert denied.status == 401
    assert "expired" in denied.body["error"]["message"]


async def test_a_key_sees_and_uses_its_models_only(proxy: RunningProxy) -> None:
    key = await create_key(proxy, models=[OTHER])

    listed = [model["id"] for model in (await get(proxy, key)).body["data"]]
    denied = await ask(proxy, key)
    assert listed == [OTHER]
    assert (denied.status, denied.code) == (404, "model_not_found")
    assert (await get(proxy, key, f"/v1/models/{OWN}")).status == 404
    assert (await get(proxy, key, f"/v1/models/{OTHER}")).status == 200
    assert (await ask(proxy, key, model=OTHER)).status == 200
    async with proxy.http.post(
        f"{proxy.url}/v1/responses", json={"model": OWN, "input": "hi"}, headers={"x-api-key": key}
    ) as response:
        assert response.status == 404


async def test_once_a_key_was_made_nobody_comes_in_without_one(site: SimulatedSite, tmp_path: Path) -> None:
    async with running_proxy(site, tmp_path) as running:
        assert (await running.chat("hi")).status == 200
        master, _ = ensure_master_key(tmp_path)
        key = await create_key(running)
        async with asyncio.timeout(2):
            while (await running.chat("hi")).status != 401:
                await asyncio.sleep(0.02)
        await key_admin.revoke(running.store, "app", now=time())
        async with asyncio.timeout(2):
            while (await ask(running, key)).status != 401:
                await asyncio.sleep(0.02)

        assert (await running.chat("hi")).status == 401
        assert (await ask(running, master)).status == 200  # the administrator's, which is made with the first key


async def test_the_master_key_that_was_made_opens_nothing_once_another_one_is_set(
    site: SimulatedSite, tmp_path: Path
) -> None:
    kept, _ = ensure_master_key(tmp_path)
    async with running_proxy(site, tmp_path) as proxy:
        await key_admin.create(proxy.store, parse_new_key("app"), now=time())
        async with asyncio.timeout(5):
            while (await get(proxy, "none", "/admin/keys")).status != 401:
                await asyncio.sleep(0.02)
        assert (await get(proxy, kept, "/admin/keys")).status == 200
        session = await signed_in(proxy, kept)
    async with running_proxy(site, tmp_path, key=MASTER) as proxy:
        async with asyncio.timeout(5):
            while (await get(proxy, MASTER, "/admin/keys")).status != 200:
                await asyncio.sleep(0.02)
        denied = [await get(proxy, kept, path) for path in ("/admin/keys", "/v1/models", "/metrics")]
        signing_in = await call(proxy, "POST", "/admin/session", {"key": kept}, key=None)
        by_session = await browse(proxy, session, "GET", "/admin/keys")

    assert {answer.status for answer in (*denied, signing_in, by_session)} == {401}


async def test_each_of_several_answers_counts_as_a_request(proxy: RunningProxy) -> None:
    key = await create_key(proxy, rpm=6)
    first = await ask(proxy, key, n=4)
    second = await ask(proxy, key, n=3)
    third = await ask(proxy, key)

    assert (first.status, first.headers["x-ratelimit-remaining-requests"]) == (200, "2")
    assert (second.status, second.code) == (429, "rate_limit_exceeded")
    assert "Limit 6, Requested 3" in second.body["error"]["message"]
    assert "x-should-retry" not in second.headers
    assert (third.status, third.headers["x-ratelimit-remaining-requests"]) == (200, "1"), "a refused one was counted"
    hopeless = await ask(proxy, await create_key(proxy, "few", rpm=3), n=4)
    assert (hopeless.status, hopeless.headers["x-should-retry"]) == (429, "false")


async def test_requests_above_the_limit_get_429_with_openai_headers(proxy: RunningProxy) -> None:
    key = await create_key(proxy, rpm=2)
    first, second, third = [await ask(proxy, key) for _ in range(3)]

    assert [first.status, second.status, third.status] == [200, 200, 429]
    assert [each.headers["x-ratelimit-limit-requests"] for each in (first, second, third)] == ["2", "2", "2"]
    assert [each.headers["x-ratelimit-remaining-requests"] for each in (first, second, third)] == ["1", "0", "0"]
    assert (third.body["error"]["type"], third.code) == ("requests", "rate_limit_exceeded")
    assert 50 <= int(third.headers["retry-after"]) <= 60
    assert third.headers["x-ratelimit-reset-requests"] in {"59s", "1m0s", "58s"}
    told = {name.lower() for name in third.headers if name.lower().startswith(("x-", "retry-"))}
    assert told <= set(third.headers["Access-Control-Expose-Headers"].split(", "))
    # Looking at the models costs none, and says how many are left.
    listed = await get(proxy, key)
    assert (listed.status, listed.headers["x-ratelimit-remaining-requests"]) == (200, "0")
    assert "x-ratelimit-limit-requests" not in (await ask(proxy, MASTER)).headers


async def test_streams_carry_the_headers_too(proxy: RunningProxy) -> None:
    key = await create_key(proxy, rpm=2, tpd=1000)
    answer = await ask(proxy, key, stream=True)

    assert answer.headers["x-ratelimit-remaining-requests"] == "1"
    assert answer.headers["x-ratelimit-remaining-tokens"] == "1000"


async def test_tokens_above_the_limit_of_the_day_get_429(proxy: RunningProxy) -> None:
    key = await create_key(proxy, tpd=20)
    first, second = [await ask(proxy, key, "[[tokens:30]]") for _ in range(2)]

    assert [first.status, second.status] == [200, 429]
    assert (second.body["error"]["type"], second.code) == ("tokens", "rate_limit_exceeded")
    assert second.headers["x-ratelimit-limit-tokens"] == "20"
    assert second.headers["x-ratelimit-remaining-tokens"] == "0"
    assert 0 < int(second.headers["retry-after"]) <= 86400


async def test_two_proxies_on_one_store_share_the_limits(site: SimulatedSite, tmp_path: Path) -> None:
    async with (
        running_proxy(site, tmp_path, key=MASTER) as one,
        running_proxy(site, tmp_path, key=MASTER) as other,
    ):
        key = await create_key(one, rpm=5)
        await create_key(other, "second")
        answers = await asyncio.gather(*(ask(each, key) for each in (one, other) for _ in range(5)))
        spender = await create_key(one, "spender", tpd=20)
        async with asyncio.timeout(2):
            while (await get(other, spender)).status != 200:
                await asyncio.sleep(0.02)
        assert (await ask(one, spender, "[[tokens:30]]")).status == 200
        async with asyncio.timeout(2):  # the proxies learn of each other's tokens when they are written, soon after
            while (await get(other, spender)).headers["x-ratelimit-remaining-tokens"] != "0":
                await asyncio.sleep(0.02)
        assert (await ask(other, spender)).status == 429

    assert sorted(answer.status for answer in answers) == [200] * 5 + [429] * 5


async def test_while_the_store_is_unavailable_keys_work_for_a_minute_and_limits_hold_in_each_process(
    proxy: RunningProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = await create_key(proxy, rpm=3)
    assert (await ask(proxy, key)).status == 200
    path = tmp_path / "freeaichat.db"
    path.rename(tmp_path / "away.db")
    path.mkdir()

    assert [(await ask(proxy, key)).status for _ in range(3)] == [200, 200, 429]
    monkeypatch.setattr(proxy_keyring, "STALE_SECONDS", 0.0)
    denied = await ask(proxy, key)
    assert (denied.status, denied.code) == (503, "store_unavailable")
    assert "retry-after" in denied.headers
    assert (await ask(proxy, MASTER)).status == 200

    monkeypatch.setattr(proxy_keyring, "STALE_SECONDS", 60.0)
    path.rmdir()
    (tmp_path / "away.db").rename(path)
    async with asyncio.timeout(5):
        while (await get(proxy, key)).status != 200:
            await asyncio.sleep(0.1)


async def test_a_locked_store_does_not_hold_up_those_with_limits(proxy: RunningProxy, tmp_path: Path) -> None:
    key = await create_key(proxy, rpm=3)
    with sqlite3.connect(tmp_path / "freeaichat.db", isolation_level=None) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        start = monotonic()
        assert (await ask(proxy, key)).status == 200
        assert monotonic() - start < 3
        connection.execute("ROLLBACK")
    connection.close()


async def test_the_secret_of_a_key_is_nowhere_on_disk(proxy: RunningProxy, tmp_path: Path) -> None:
    key = await create_key(proxy, rpm=1)
    await ask(proxy, key)
    await ask(proxy, key)
    await proxy.write_usage()

    files = files_in(tmp_path)
    assert any("secret" in file.name for file in files)
    assert [file for file in files if key.encode() in file.read_bytes()] == []
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
