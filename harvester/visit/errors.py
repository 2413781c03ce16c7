"""What goes wrong in a visit."""

from shared.models import Cause, Outcome


class PageFailed(Exception):
    """An address gave nothing. `is_passing`: trying once more at once may help."""

    def __init__(self, reason: str, *, cause: Cause = Cause.PAGE, is_passing: bool = False) -> None:
        super().__init__(reason)
        self.cause = cause
        self.is_passing = is_passing


class BrowserFailed(Exception):
    """The browser did not start, crashed or was ended. `is_passing`: as in `PageFailed`."""

    def __init__(self, reason: str, *, cause: Cause = Cause.BROWSER_ENDED, is_passing: bool = True) -> None:
        super().__init__(reason)
        self.cause = cause
        self.is_passing = is_passing


class NotNow(Exception):
    """The page is navigating; the next snapshot may succeed."""


class VisitFailed(Exception):
    """The visit ends without a capture. `reason` is for the operator, `cause` its code.

    `retry_after`: the seconds that the site asks to be left alone. `is_final`: no other page need be tried.
    """

    def __init__(
        self, outcome: Outcome, cause: Cause, reason: str, *, retry_after: float = 0.0, is_final: bool = False
    ) -> None:
        super().__init__(reason)
        self.outcome = outcome
        self.cause = cause
        self.reason = reason
        self.retry_after = retry_after
        self.is_final = is_final
