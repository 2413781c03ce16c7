"""One request to a model, from its arrival to its end."""

from time import perf_counter

from proxy.access.rules import Caller
from proxy.chat.errors import Refused, ServiceError
from proxy.chat.tokens import Usage


class Turn:
    """What is known of a request to a model. `model` and `site` are empty until one was found."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self.begun = perf_counter()
        self.model = ""
        self.site = ""
        self.usage: Usage | None = None  # None: nothing was answered
        self.seconds = 0.0
        self.first_text_at: float | None = None  # by `perf_counter`
        self.error: ServiceError | None = None
        self.has_left = False  # the client did, before the end

    @property
    def used(self) -> Usage:
        """Estimated tokens."""
        return self.usage or Usage(0, 0)

    @property
    def is_refused(self) -> bool:
        """Whether a limit of ours refused it."""
        return isinstance(self.error, Refused)

    @property
    def kind(self) -> str | None:
        """The code of the error that ended it."""
        return None if self.error is None else self.error.code or self.error.type

    @property
    def first_text_seconds(self) -> float | None:
        """How long the first text took."""
        return None if self.first_text_at is None else self.first_text_at - self.begun
