"""One request to a model, from its arrival to its end."""

from collections.abc import Sequence
from time import perf_counter

from proxy.access.rules import Caller
from proxy.chat.answer import Answer, usage_of
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
        self._answers: Sequence[Answer] = ()

    def follow(self, answers: Sequence[Answer]) -> None:
        """These are what it is answered with."""
        self._answers, self.model = answers, answers[0].model

    def close(self) -> None:
        """It has ended: what was answered until now is what is counted, whole or not."""
        self.seconds = perf_counter() - self.begun
        answers, self._answers = self._answers, ()
        if not answers:
            return
        self.site = answers[0].upstream
        self.first_text_at = min((at for answer in answers if (at := answer.first_text_at) is not None), default=None)
        if self.usage is None and self.first_text_at is not None:
            self.usage = usage_of(answers)

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
