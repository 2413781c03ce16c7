"""Usage counters, sums and percentiles."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.admin.usage import (
    MIN_SECONDS,
    Counters,
    UsageGroup,
    add,
    bucket,
    histogram,
    percentile,
    summary,
    upper_bound,
)

NOON = 1_795_435_200  # 12:00 UTC
SITE = "https://a"


@given(st.floats(min_value=0, max_value=1e9))
def test_every_time_has_the_bucket_that_ends_just_above_it(seconds: float) -> None:
    number = bucket(seconds)

    assert number >= 0
    if MIN_SECONDS < seconds < 300:
        assert upper_bound(number - 1) * 0.999999 <= seconds <= upper_bound(number) * 1.000001


def test_the_bounds_hold_every_doubling_of_ten_milliseconds() -> None:
    assert [round(upper_bound(number), 6) for number in range(12, 29, 4)] == [0.01, 0.02, 0.04, 0.08, 0.16]


@pytest.mark.parametrize("share", [0.5, 0.95])
def test_percentiles_are_within_a_tenth_of_the_true_ones(share: float) -> None:
    times = sorted(random.Random(1).lognormvariate(0.0, 1.5) for _ in range(5000))
    counts: dict[int, int] = {}
    for seconds in times:
        counts[bucket(seconds)] = counts.get(bucket(seconds), 0) + 1

    assert percentile(counts, share) == pytest.approx(times[int(share * len(times))], rel=0.1)
    assert percentile({}, share) is None


def test_what_several_counted_has_the_percentiles_of_all_together() -> None:
    fast: Counters = {"seconds:10": 90}
    add(fast, {"seconds:10": 5, "seconds:50": 5})

    assert histogram(fast, "seconds:") == {10: 95, 50: 5}
    assert percentile(histogram(fast, "seconds:"), 0.99) == pytest.approx(upper_bound(50), rel=0.2)


def test_a_summary_adds_up_what_is_not_asked_for_and_names_the_keys() -> None:
    groups: list[tuple[UsageGroup, Counters]] = [
        (UsageGroup(NOON, "key_1", "m", SITE), {"requests": 2, "tokens_in": 5, "tokens_out": 7, "error:timeout": 1}),
        (
            UsageGroup(NOON + 3600, "key_1", "n", SITE),
            {"requests": 1, "refused": 3, "seconds:12": 1, "tools:mended": 2},
        ),
        (UsageGroup(NOON + 86400, "key_2", "m", SITE), {"requests": 1}),
    ]

    by_key = summary(groups, ["key"], {"key_1": "app"})
    assert [(row["key"], row["requests"], row["refused"]) for row in by_key] == [("app", 3, 3), ("key_2", 1, 0)]
    assert by_key[0]["errors"] == {"timeout": 1}
    assert by_key[0]["ms_p50"] == pytest.approx(10, rel=0.2)
    assert by_key[1]["ms_p50"] is None
    assert by_key[0]["tools"] == {"valid": 0, "mended": 2, "retried": 0, "failed": 0}
    assert [row["day"] for row in summary(groups, ["day"], {})] == ["2026-11-23", "2026-11-24"]
    assert [row["hour"] for row in summary(groups, ["hour", "model"], {})] == [NOON, NOON + 3600, NOON + 86400]
    assert summary(groups, [], {})[0]["requests"] == 4
    assert summary([], [], {}) == []
    only_refused = summary([(UsageGroup(NOON, "", "", ""), {"refused": 1})], [], {})[0]
    assert [only_refused[name] for name in ("requests", "refused", "tokens_in", "tokens_out")] == [0, 1, 0, 0]
