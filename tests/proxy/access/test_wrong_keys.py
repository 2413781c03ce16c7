"""Wrong keys are throttled by source, and never lock a valid key out."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from proxy.access import wrong_keys
from proxy.access.wrong_keys import BURST, EVERY_SECONDS, MAX_PAUSED, MAX_SOURCES, WrongKeyThrottle, source_of
from proxy.server.in_flight import IN_FLIGHT
from tests.proxy.admin_client import MASTER, browse, call, signed_in
from tests.proxy.running import RunningProxy, running_proxy
from tests.site import SimulatedSite

KEYS = "/admin/keys"


@pytest.fixture
async def proxy(site: SimulatedSite, tmp_path: Path) -> AsyncIterator[RunningProxy]:
    """A proxy with a master key."""
    async with running_proxy(site, tmp_path, key=MASTER) as running:
        yield running


async def create_key(proxy: RunningProxy) -> str:
    return str((await call(proxy, "POST", KEYS, {"name": "app"})).body["key"])


@pytest.mark.parametrize("signs_in", [True, False])
async def test_wrong_keys_are_bounded_in_rate(
    proxy: RunningProxy, monkeypatch: pytest.MonkeyPatch, signs_in: bool
) -> None:
    monkeypatch.setattr(wrong_keys, "PAUSE_SECONDS", 0.01)
    tries = [
        await (
            call(proxy, "POST", "/admin/session", {"key": f"k{number}"}, key=None)
            if signs_in
            else call(proxy, "GET", "/v1/models", key=f"k{number}")
        )
        for number in range(12)
    ]
    statuses = [each.status for each in tries]

    assert statuses[:10] == [401] * 10
    assert 429 in statuses[10:]
    refused = next(each for each in tries if each.status == 429)
    assert (refused.code, refused.headers["x-should-retry"]) == ("rate_limit_exceeded", "false")
    assert 1 <= int(refused.headers["retry-after"]) <= 2


async def test_wrong_keys_lock_the_right_one_out_nowhere(proxy: RunningProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wrong_keys, "PAUSE_SECONDS", 60.0)
    app_key = await create_key(proxy)
    waiting = [asyncio.create_task(call(proxy, "GET", "/v1/models", key=f"wrong {number}")) for number in range(30)]
    async with asyncio.timeout(5):
        while proxy.app[IN_FLIGHT].count + (ended := sum(map(asyncio.Task.done, waiting))) < 30 or ended < 10:
            await asyncio.sleep(0.01)
    session = await signed_in(proxy)
    answers = [
        (await call(proxy, "GET", path, key=key)).status for key, path in ((app_key, "/v1/models"), (MASTER, KEYS))
    ]
    await signed_in(proxy, app_key)
    refused = [task for task in waiting if task.done()]  # by now, what was asked later has been answered
    for task in waiting:
        task.cancel()
    await asyncio.wait(waiting)

    assert {task.result().status for task in refused} == {401}
    assert 10 <= len(refused) <= 12  # and the others are held back
    assert answers == [200, 200]
    assert (await browse(proxy, session, "GET", KEYS)).status == 200


async def test_no_more_than_a_bounded_number_is_held_back_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wrong_keys, "PAUSE_SECONDS", 0.05)
    keys = WrongKeyThrottle()
    for _ in range(BURST):
        await keys.throttle("203.0.113.7")
    for _ in range(2):  # the places are free again after the pause
        tries = [asyncio.create_task(keys.throttle("203.0.113.7")) for _ in range(MAX_PAUSED + 5)]
        await asyncio.sleep(0.01)
        assert sum(map(asyncio.Task.done, tries)) == 5
        await asyncio.wait(tries)


async def test_a_key_that_ended_is_no_guess(proxy: RunningProxy) -> None:
    key = await create_key(proxy)
    await call(proxy, "DELETE", f"{KEYS}/app")
    answers = [await call(proxy, "GET", "/v1/models", key=key) for _ in range(15)]

    assert {each.status for each in answers} == {401}
    assert "revoked" in answers[-1].body["error"]["message"]


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("203.0.113.7", "203.0.113.7", True),
        ("203.0.113.7", "203.0.113.8", False),
        ("203.0.113.7", "::ffff:203.0.113.7", True),
        ("2001:db8:1:2::3", "2001:db8:1:2:ffff::4", True),
        ("2001:db8:1:2::3", "2001:db8:1:3::3", False),
        ("::1", "127.0.0.1", False),
        (None, "", True),
    ],
)
def test_a_customers_addresses_count_as_one(one: str | None, other: str | None, is_same: bool) -> None:
    assert (source_of(one) == source_of(other)) is is_same


def test_wrong_keys_are_bounded_and_time_brings_tries_back() -> None:
    keys = WrongKeyThrottle()
    assert [keys.record("a", 100.0) for _ in range(BURST)] == [0.0] * BURST

    assert keys.record("a", 100.0) == EVERY_SECONDS
    assert keys.record("a", 100.0 + EVERY_SECONDS / 2) == EVERY_SECONDS / 2
    assert keys.record("a", 100.0 + EVERY_SECONDS) == 0.0


def test_rest_saves_up_no_more_than_a_burst() -> None:
    keys = WrongKeyThrottle()
    keys.record("a", 0.0)
    assert [keys.record("a", 10_000.0) for _ in range(BURST)] == [0.0] * BURST

    assert keys.record("a", 10_000.0) > 0


def test_sources_are_throttled_independently() -> None:
    keys = WrongKeyThrottle()
    for _ in range(BURST + 1):
        keys.record("a", 0.0)

    assert keys.record("a", 0.0) > 0
    assert keys.record("b", 0.0) == 0.0


def test_sources_without_number_take_a_bounded_place_and_the_last_ones_stay_known() -> None:
    keys = WrongKeyThrottle()
    for _ in range(BURST):
        keys.record("busy", 0.0)
    for number in range(MAX_SOURCES + 100):
        if number % 1000 == 0:
            keys.record("busy", 0.0)
        for _ in range(BURST if number in (0, MAX_SOURCES) else 1):
            keys.record(str(number), 0.0)

    assert keys.record("0", 0.0) == 0.0
    assert keys.record(str(MAX_SOURCES), 0.0) > 0
    assert keys.record("busy", 0.0) > 0
