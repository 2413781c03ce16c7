"""Bounding how often wrong keys may be tried. Pure: times are seconds of any steady clock, and come in from outside."""

from collections import OrderedDict

BURST = 10
EVERY_SECONDS = 2.0  # after which one more may be tried
MAX_SOURCES = 10_000  # of which it is known; those that were quiet for longest are forgotten


class Guesses:
    """A bucket of tries for each source; only a wrong key takes one, and a right one never needs any."""

    def __init__(self) -> None:
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # tries left, and since when

    def failed(self, source: str, now: float) -> float:
        """A wrong key was tried: seconds until the next one may be; 0.0: this one was within the bounds."""
        left = self._left(source, now)
        is_within = left >= 1
        self._buckets[source] = (left - 1 if is_within else left, now)
        self._buckets.move_to_end(source)
        if len(self._buckets) > MAX_SOURCES:
            self._buckets.popitem(last=False)
        return 0.0 if is_within else (1 - left) * EVERY_SECONDS

    def _left(self, source: str, now: float) -> float:
        left, seen_at = self._buckets.get(source, (float(BURST), now))
        return min(left + (now - seen_at) / EVERY_SECONDS, BURST)
