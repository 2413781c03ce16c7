"""Circuit breaker for an upstream that fails again and again.

Pure: times are seconds of any steady clock, and come in from outside.
"""

from proxy.chat.upstream import BreakerState as State

FAILURES_TO_OPEN = 5  # one after the other
FIRST_PAUSE, LONGEST_PAUSE = 2.0, 60.0  # seconds; each failed trial doubles the pause
TRIAL_SECONDS = 180.0  # a trial without an outcome after this time no longer blocks the next one


class Breaker:
    """Closed: requests pass. Open: none do. Half open: one does, as a trial, and decides.

    Callers ask `admits` before each request, call `admitted` when they send it, and then say how it ended. While
    the breaker `is_well`, neither is needed.
    """

    def __init__(self) -> None:
        self.is_well = True  # closed, and the last request succeeded
        self._failures = 0
        self._pause = FIRST_PAUSE
        self._open_until: float | None = None
        self._trial_since: float | None = None

    def state(self, now: float) -> State:
        """The breaker's state now."""
        if self._open_until is None:
            return "closed"
        return "open" if now < self._open_until else "half_open"

    def admits(self, now: float) -> bool:
        """Whether a request may pass now: always, never, or as the only trial."""
        state = self.state(now)
        if state != "half_open":
            return state == "closed"
        return self._trial_since is None or now - self._trial_since >= TRIAL_SECONDS

    def admitted(self, now: float) -> bool:
        """A request was let pass; returns whether it is the trial."""
        is_trial = self._open_until is not None
        if is_trial:
            self._trial_since = now
        return is_trial

    def wait(self, now: float) -> float:
        """Seconds until a request may pass."""
        if self._open_until is None:
            return 0.0
        return max(self._open_until - now, FIRST_PAUSE if self._trial_since is not None else 0.0)

    def succeeded(self) -> None:
        """The site answered: it is well."""
        self.is_well = True
        self._failures = 0
        self._pause = FIRST_PAUSE
        self._open_until = self._trial_since = None

    def failed(self, now: float) -> None:
        """The site failed a request."""
        self.is_well = False
        self._failures += 1
        if self._open_until is not None:  # the trial, or a request from before
            if self._trial_since is not None:
                self._pause = min(self._pause * 2, LONGEST_PAUSE)
                self._open(now)
        elif self._failures >= FAILURES_TO_OPEN:
            self._open(now)

    def trial_abandoned(self) -> None:
        """The trial ended without showing anything; the next request is one."""
        self._trial_since = None

    def revived(self, now: float) -> None:
        """Something else showed that the site is alive: a trial may pass at once."""
        if self.state(now) == "open":
            self._open_until, self._pause = now, FIRST_PAUSE

    def _open(self, now: float) -> None:
        self._open_until = now + self._pause
        self._trial_since = None
