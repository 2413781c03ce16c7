"""What failures of upstreams mean: the subject of the refusal, and the error that the client gets."""

from typing import NamedTuple

from proxy.chat.errors import ServiceError
from proxy.chat.upstream import RefusalReason

MAX_TEXT = 500  # characters of what an upstream said
# What models say of too long a request: vLLM's and most others' words, xAI's, Anthropic's and Google's.
TOO_LONG = (
    "maximum context length",
    "maximum prompt length",
    "prompt is too long",
    "exceeds the maximum number of tokens",
)
# What models' providers say, in lower case, of an operator's account: its key is none, or nobody paid for it.
NO_ACCOUNT = (
    "credit balance is too low",
    "insufficient credits",
    "insufficient balance",  # DeepSeek's
    "incorrect api key",
    "invalid_api_key",
    "api key not valid",
    "api key expired",  # Google's, as the one before
    "reported as leaked",
    "used all available credits",  # xAI's
    "any credits or licenses",
    "authentication_error",
    "invalid x-api-key",
    "no auth credentials found",  # OpenRouter's
)
_TYPES = {403: "permission_error", 429: "rate_limit_error"}


class Meaning(NamedTuple):
    """The meaning of one kind of failure.

    *message* is a format string for the upstream's words. *retry_after*: seconds, unless the upstream names others.
    """

    reason: RefusalReason
    status: int
    code: str
    message: str
    should_retry: bool | None = None
    retry_after: float | None = None

    def error(self, *, retry_after: float | None, **details: str) -> ServiceError:
        """The error for the client. *details* fills in the message; *retry_after*: seconds that the upstream names."""
        by_status = _TYPES.get(self.status, "invalid_request_error" if self.status < 500 else "server_error")
        return ServiceError(
            self.status,
            self.message.format(**details),
            type=self.code if self.code == "insufficient_quota" else by_status,
            code=self.code,
            retry_after=self.retry_after if retry_after is None else retry_after,
            should_retry=self.should_retry,
        )


def brief(text: str) -> str:
    """*text* on one line, no longer than a message should be."""
    text = " ".join(text.split())
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}…"
