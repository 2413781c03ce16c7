"""Rate limits that one process counts alone while the store is unavailable."""

from dataclasses import replace
from math import ceil
from pathlib import Path
from time import time

import pytest

from proxy.access.rate_limits import LocalCounts, RateLimiter, limit_headers, rate_limit_error
from shared.admin.keys import ApiKey, KeyCounts
from shared.admin.usage import DAY_SECONDS, UsageBatch, day_of
from shared.store import open_store

NOW = 1_000_000.0
KEY = ApiKey(id="key", name="app", digest="", hint="", created_at=0.0, tpd=100)


async def test_the_tokens_that_the_store_told_of_count_until_midnight(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = NOW
    monkeypatch.setattr("proxy.access.rate_limits.time", lambda: clock)
    async with open_store(f"sqlite:///{tmp_path}/store.db") as store:
        await store.add_usage(UsageBatch("1", {}, tokens={(KEY.id, day_of(NOW)): 100}))
        limits = RateLimiter(store, lambda _: 0)
        assert (await limits.admit(KEY)).error is not None

    assert (await limits.admit(KEY)).error is not None
    assert (await limits.headers(KEY))["x-ratelimit-remaining-tokens"] == "0"
    clock += DAY_SECONDS
    assert (await limits.headers(KEY))["x-ratelimit-remaining-tokens"] == "100"
    assert (await limits.admit(KEY)).error is None


async def test_what_was_counted_before_the_clock_was_set_back_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = NOW
    monkeypatch.setattr("proxy.access.rate_limits.time", lambda: clock)
    key = replace(KEY, rpm=1)
    async with open_store(f"sqlite:///{tmp_path}/store.db") as store:
        limits = RateLimiter(store, lambda _: 0)

    assert [(await limits.admit(key)).error is None for _ in range(3)] == [True, False, False]
    clock -= 3600
    assert [(await limits.admit(key)).error is None for _ in range(3)] == [True, False, False]


async def test_a_request_for_several_answers_counts_as_many_with_the_store_and_without(tmp_path: Path) -> None:
    key = replace(KEY, rpm=5)
    async with open_store(f"sqlite:///{tmp_path}/store.db") as store:
        limits = RateLimiter(store, lambda _: 0)
        assert (await limits.admit(key, 2)).error is None

    assert (await limits.admit(key, 2)).error is None
    assert (await limits.admit(key)).error is None
    error = await limits.admit(key, 1, counted_before=1)
    assert "requests per min" in str(error.error)
    assert error.headers["x-ratelimit-remaining-requests"] == "1"
    assert [(await limits.admit(key)).error is None for _ in range(2)] == [True, False]


@pytest.mark.parametrize(("unwritten", "left"), [(0, 40), (30, 10), (40, 0), (500, 0)])
async def test_tokens_that_are_not_written_yet_count_beside_those_of_the_store(
    tmp_path: Path, unwritten: int, left: int
) -> None:
    async with open_store(f"sqlite:///{tmp_path}/store.db") as store:
        await store.add_usage(UsageBatch("1", {}, tokens={(KEY.id, day_of(time())): 60}))
        limits = RateLimiter(store, lambda _: unwritten)
        admission = await limits.admit(KEY)

        assert (admission.error is None) is (left > 0)
        for headers in (admission.headers, await limits.headers(KEY)):
            assert headers["x-ratelimit-remaining-tokens"] == str(left)


async def test_tokens_that_are_not_written_yet_count_also_without_the_store(tmp_path: Path) -> None:
    async with open_store(f"sqlite:///{tmp_path}/store.db") as store:
        limits = RateLimiter(store, lambda _: 100)

    error = (await limits.admit(KEY)).error
    assert error is not None
    assert "tokens per day" in str(error)
    assert (await limits.headers(KEY))["x-ratelimit-remaining-tokens"] == "0"


@pytest.mark.parametrize(("requests", "should_retry"), [(3, None), (4, False)])
def test_only_what_no_minute_has_room_for_is_not_to_be_tried_again(requests: int, should_retry: bool | None) -> None:
    counts = KeyCounts(is_admitted=False, requests=3, oldest=int(NOW), tokens=0)

    assert rate_limit_error(replace(KEY, rpm=3), counts, NOW, requests).should_retry is should_retry


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        *((0.25, "250ms"), (1.0, "1s"), (11.5, "12s"), (59.0, "59s"), (59.5, "1m0s"), (360.0, "6m0s")),
        *((3599.5, "1h0m0s"), (18_200.0, "5h3m20s"), (DAY_SECONDS - 1.0, "23h59m59s"), (DAY_SECONDS, "24h0m0s")),
    ],
)
def test_the_time_until_a_limit_ends_is_told_as_openai_does(seconds: float, told: str) -> None:
    midnight, counts = 20 * DAY_SECONDS, KeyCounts(is_admitted=False, requests=0, oldest=None, tokens=130)
    error = rate_limit_error(KEY, counts, midnight - seconds)

    assert limit_headers(KEY, counts, midnight - seconds) == {
        "x-ratelimit-limit-tokens": "100",
        "x-ratelimit-remaining-tokens": "0",
        "x-ratelimit-reset-tokens": told,
    }
    assert error.message.endswith(f"on tokens per day (TPD): Limit 100. Try again in {told}.")
    assert (error.type, error.retry_after, error.should_retry) == ("tokens", ceil(seconds), False)


@pytest.mark.parametrize(("age", "told"), [(None, "0s"), (61, "0s"), (60, "0s"), (50, "10s")])
def test_a_limit_of_requests_ends_when_the_oldest_no_longer_counts(age: int | None, told: str) -> None:
    key, counts = replace(KEY, rpm=5, tpd=None), KeyCounts(False, 3, None if age is None else int(NOW) - age, 500)

    assert limit_headers(key, counts, NOW) == {
        "x-ratelimit-limit-requests": "5",
        "x-ratelimit-remaining-requests": "2",
        "x-ratelimit-reset-requests": told,
    }
    error = rate_limit_error(key, counts, NOW, 3)
    assert error.message.endswith(f"Limit 5, Requested 3 ('n' answers are as many requests). Try again in {told}.")
    assert (error.type, error.retry_after, error.should_retry) == ("requests", int(told[:-1]), None)
    assert rate_limit_error(key, counts, NOW).message.endswith(f"Limit 5. Try again in {told}.")


def test_a_process_alone_counts_each_request_for_a_minute() -> None:
    counts, key = LocalCounts(), replace(KEY, rpm=3)

    assert counts.take(key, 99, NOW, 2) == (True, 2, int(NOW), 99)
    assert counts.take(key, 0, NOW + 1.5, 1) == (True, 3, int(NOW), 0)
    assert counts.take(key, 0, NOW + 59.9, 1) == (False, 3, int(NOW), 0)
    assert counts.take(key, 0, NOW + 60, 2) == (True, 3, int(NOW) + 1, 0)
    assert counts.take(key, 100, NOW + 200, 1) == (False, 0, None, 100)
