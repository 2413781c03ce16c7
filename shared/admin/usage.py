"""Usage counters by hour, key, model and site: counting, sums and percentiles.

Everything is a counter, so that the counts of several processes merge by addition. Durations are counted in histogram
buckets whose bounds grow by the fourth root of two: a percentile read off them is within 10 %.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

HOUR_SECONDS = 3600
DAY_SECONDS = 86400
REQUESTS, REFUSED, TOKENS_IN, TOKENS_OUT = "requests", "refused", "tokens_in", "tokens_out"
ERROR, SECONDS, FIRST_TEXT = "error:", "seconds:", "first_text:"  # what follows is the kind, or the bucket's number
TOOLS = "tools:"  # what follows is the outcome
# Of answers that hold calls of tools or JSON by a schema: right at once, once mended, only when asked again, never.
TOOL_OUTCOMES = ("valid", "mended", "retried", "failed")

MIN_SECONDS = 0.00125  # the upper bound of the first bucket
STEPS = 4  # buckets for each doubling
LAST_BUCKET = 18 * STEPS + 1  # above 327.68 s

BY = ("hour", "day", "key", "model", "site")

Counters = dict[str, int]


class UsageGroup(NamedTuple):
    """The labels of counters. `hour`: the Unix time of its first second; `key`: an id, "master" or "open"."""

    hour: int
    key: str
    model: str
    site: str


class UsageBatch(NamedTuple):
    """Counts of a short time, to be added to the stored ones. Adding one with the same `id` again adds nothing."""

    id: str
    groups: Mapping[UsageGroup, Counters]
    tokens: Mapping[tuple[str, int], int] = {}  # by key and day (since 1970, UTC), of keys that have a limit of them
    seen: Mapping[str, float] = {}  # when each key was last used (Unix seconds)


def hour_of(at: float) -> int:
    """The first second of the hour of *at*."""
    return int(at // HOUR_SECONDS) * HOUR_SECONDS


def day_of(at: float) -> int:
    """The number of the UTC day of *at*."""
    return int(at // DAY_SECONDS)


def bucket(seconds: float) -> int:
    """The number of the histogram bucket that counts *seconds*."""
    if seconds <= MIN_SECONDS:
        return 0
    return min(math.ceil(math.log2(seconds / MIN_SECONDS) * STEPS), LAST_BUCKET)


def upper_bound(number: float) -> float:
    """The upper bound of bucket *number* in seconds; interpolated for a fraction."""
    return MIN_SECONDS * math.exp2(number / STEPS)


def percentile(counts: Mapping[int, int], share: float) -> float | None:
    """The *share* quantile of a histogram in seconds; None where it is empty."""
    target = share * sum(counts.values())
    below = 0
    for number in sorted(counts):
        if below + counts[number] >= target and counts[number]:
            within = max(target - below, 0.0) / counts[number]
            return upper_bound(number - 1 + within)
        below += counts[number]
    return None


def histogram(counters: Mapping[str, int], prefix: str) -> dict[int, int]:
    """The buckets among *counters* whose names begin with *prefix*."""
    return {int(name.removeprefix(prefix)): count for name, count in counters.items() if name.startswith(prefix)}


def add(into: Counters, more: Mapping[str, int]) -> None:
    """Add *more* to *into*."""
    for name, count in more.items():
        into[name] = into.get(name, 0) + count


def summary(
    groups: Iterable[tuple[UsageGroup, Counters]], by: Sequence[str], names: Mapping[str, str]
) -> list[dict[str, Any]]:
    """One row for each combination of the dimensions in *by* (of `BY`), in order. *names*: key id to name."""
    sums: dict[tuple[str | int, ...], Counters] = {}
    for group, counters in groups:
        named = group._replace(key=names.get(group.key, group.key))
        add(sums.setdefault(tuple(_label(named, dimension) for dimension in by), {}), counters)
    return [{**dict(zip(by, labels, strict=True)), **_figures(sums[labels])} for labels in sorted(sums)]


def _label(group: UsageGroup, dimension: str) -> str | int:
    if dimension == "day":
        return datetime.fromtimestamp(group.hour, UTC).date().isoformat()
    return group.hour if dimension == "hour" else str(getattr(group, dimension))


def _figures(counters: Counters) -> dict[str, Any]:
    errors = {name.removeprefix(ERROR): count for name, count in sorted(counters.items()) if name.startswith(ERROR)}
    whole, first = histogram(counters, SECONDS), histogram(counters, FIRST_TEXT)
    return {
        "requests": counters.get(REQUESTS, 0),
        "errors": errors,
        "refused": counters.get(REFUSED, 0),
        "tokens_in": counters.get(TOKENS_IN, 0),
        "tokens_out": counters.get(TOKENS_OUT, 0),
        "ms_p50": _milliseconds(percentile(whole, 0.5)),
        "ms_p95": _milliseconds(percentile(whole, 0.95)),
        "ttft_ms_p50": _milliseconds(percentile(first, 0.5)),
        "ttft_ms_p95": _milliseconds(percentile(first, 0.95)),
        "tools": {outcome: counters.get(TOOLS + outcome, 0) for outcome in TOOL_OUTCOMES},
    }


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 1)
