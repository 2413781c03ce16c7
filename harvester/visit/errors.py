"""The exceptions of a visit."""

from shared.models import Cause

BY_HAND = "`freeaichat harvest --headed`"  # in a reason; the report names the site in it


class PageFailed(Exception):
    """A URL cannot be loaded. `is_transient`: retrying at once may help."""

    def __init__(self, reason: str, *, cause: Cause = Cause.PAGE, is_transient: bool = False) -> None:
        super().__init__(reason)
        self.cause = cause
        self.is_transient = is_transient


class BrowserFailed(Exception):
    """The browser did not start, crashed or was killed. `is_transient`: as in `PageFailed`."""

    def __init__(self, reason: str, *, cause: Cause = Cause.BROWSER_ENDED, is_transient: bool = True) -> None:
        super().__init__(reason)
        self.cause = cause
        self.is_transient = is_transient


class Navigating(Exception):
    """The page is navigating; the next snapshot may succeed."""


class VisitFailed(Exception):
    """The visit ends without a capture. `reason` is for the operator, `cause` its code.

    `retry_after`: seconds, as the site asked for.
    """

    def __init__(self, cause: Cause, reason: str, *, retry_after: float = 0.0) -> None:
        super().__init__(reason)
        self.cause = cause
        self.reason = reason
        self.retry_after = retry_after

    @property
    def is_final(self) -> bool:
        """Whether not to try other pages: the site wants no more requests now."""
        return self.retry_after > 0 or self.cause in {Cause.CHECK, Cause.TOO_MANY}
