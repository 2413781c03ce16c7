"""Bounding how often wrong keys may be tried. Pure: times are seconds of any steady clock, and come in from outside."""

BURST = 10
EVERY_SECONDS = 2.0  # after which one more may be tried


class Guesses:
    """A bucket of tries for all who sign in together; only a wrong key takes one."""

    def __init__(self) -> None:
        self._left = float(BURST)
        self._seen_at: float | None = None

    def wait(self, now: float) -> float:
        """Seconds until the next key may be tried; 0.0: now."""
        self._refill(now)
        return 0.0 if self._left >= 1 else (1 - self._left) * EVERY_SECONDS

    def failed(self, now: float) -> None:
        """A wrong key was tried."""
        self._refill(now)
        self._left -= 1

    def _refill(self, now: float) -> None:
        if self._seen_at is not None:
            self._left = min(self._left + (now - self._seen_at) / EVERY_SECONDS, BURST)
        self._seen_at = now
