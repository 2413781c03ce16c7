"""The error type that reaches clients, in OpenAI's shape."""

from collections.abc import Mapping, Sequence
from typing import Any


class ServiceError(Exception):
    """An error response: HTTP status, OpenAI's type and code, and hints for retries.

    *retry_after* is in seconds. *should_retry* overrides what the official clients would do by status alone.
    *headers*: further ones that the status requires.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        type: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        retry_after: float | None = None,
        should_retry: bool | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.type = type
        self.code = code
        self.param = param
        self.retry_after = retry_after
        self.should_retry = should_retry
        self._headers = dict(headers or {})

    @property
    def body(self) -> dict[str, Any]:
        """OpenAI's error object with all four keys."""
        return {"error": {"message": self.message, "type": self.type, "param": self.param, "code": self.code}}

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers that clients act on."""
        headers = dict(self._headers)
        if self.retry_after is not None:
            headers["retry-after"] = str(max(1, round(self.retry_after)))
            headers["retry-after-ms"] = str(round(self.retry_after * 1000))
        if self.should_retry is not None:
            headers["x-should-retry"] = "true" if self.should_retry else "false"
        return headers


class LimitExceeded(ServiceError):
    """One of the proxy's own limits refused the request; it is not counted as served."""


def soonest(errors: Sequence[ServiceError]) -> ServiceError:
    """What to tell where all upstreams failed with *errors*: the last; if that says when to come again, the one of them
    that says the soonest."""
    waits = [error for error in errors if error.retry_after is not None]
    return min(waits, key=lambda error: error.retry_after or 0.0) if errors[-1] in waits else errors[-1]


def bad_request(message: str, *, param: str | None = None, code: str | None = None) -> ServiceError:
    """The error for an invalid request (400)."""
    return ServiceError(400, message, code=code, param=param)


def drop_tracebacks(error: BaseException) -> None:
    """Drop the tracebacks of *error* and of its causes, once they are not needed any more.

    Frames refer to the error and to all that was worked on: a reference cycle that only the garbage collector would
    free.
    """
    chain, seen = [error], set()
    while chain:
        current = chain.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        current.__traceback__ = None
        chain += [cause for cause in (current.__cause__, current.__context__) if cause is not None]
        current.__cause__ = current.__context__ = None  # a refusal holds the error that it causes
        if isinstance(current, BaseExceptionGroup):
            chain += current.exceptions


def unsupported_part(where: str) -> ServiceError:
    """The error for a content part that no upstream takes; *where* it is in the request."""
    message = f"'{where}' has a type the site cannot take; use texts and images."
    return bad_request(message, param=where, code="unsupported_content_part")
