"""The keys in memory follow the store, and stay known while nothing changes."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from proxy.access import keyring as proxy_keyring
from proxy.access.keyring import Keyring
from shared.secrets import KEY_FILE
from shared.store import open_store
from tests.proxy.admin_client import MASTER, call
from tests.proxy.running import running_proxy
from tests.site import SimulatedSite


async def wait_until(is_met: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not is_met():
            await asyncio.sleep(0.005)


async def test_keys_stay_known_while_nothing_changes_and_again_after_a_failure_of_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, seconds in {"STALE_SECONDS": 0.05, "RELOAD_SECONDS": 0.01, "RETRY_SECONDS": 0.01}.items():
        monkeypatch.setattr(proxy_keyring, name, seconds)
    path, away = tmp_path / "freeaichat.db", tmp_path / "away.db"
    async with open_store(f"sqlite:///{path}") as store:
        keyring = Keyring(store, lambda: None)
        assert keyring.is_stale
        watching = asyncio.create_task(keyring.watch())
        await wait_until(lambda: not keyring.is_stale)
        await asyncio.sleep(0.06)
        await wait_until(lambda: not keyring.is_stale)

        path.rename(away)
        path.mkdir()
        await wait_until(lambda: keyring.is_stale)
        path.rmdir()
        away.rename(path)
        await wait_until(lambda: not keyring.is_stale)

        assert not watching.done()
        watching.cancel()
        await asyncio.wait({watching})


async def test_a_kept_master_key_that_is_not_needed_may_be_broken(site: SimulatedSite, tmp_path: Path) -> None:
    (tmp_path / KEY_FILE).write_bytes(b"\xff\n")
    async with running_proxy(site, tmp_path, key=MASTER) as proxy:
        key = (await call(proxy, "POST", "/admin/keys", {"name": "app"})).body["key"]
        assert (await call(proxy, "GET", "/v1/models", key=key)).status == 200
    async with running_proxy(site, tmp_path, key=MASTER) as proxy:
        assert (await call(proxy, "GET", "/v1/models", key=key)).status == 200
