"""The one error type that reaches clients, in OpenAI's shape."""

from collections.abc import Mapping
from typing import Any


class ServiceError(Exception):
    """An error with everything a client is told: HTTP status, OpenAI's type and code, and what to do.

    *retry_after* is in seconds. *should_retry* overrides what the official clients would do by status alone. *headers*:
    further ones that the status demands.
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


class Refused(ServiceError):
    """A limit of our own refused the request: it is not counted among those that were served."""


def bad_request(message: str, *, param: str | None = None, code: str | None = None) -> ServiceError:
    """The client's request makes no sense as it stands."""
    return ServiceError(400, message, code=code, param=param)


def release(error: BaseException) -> None:
    """Let go of the frames through which *error* and its causes came, once nobody asks for them any more.

    Frames hold all that was worked on, the error among it: a circle that the garbage collector would find at last.
    """
    chain, seen = [error], set()
    while chain:
        one = chain.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        one.__traceback__ = None
        chain += [cause for cause in (one.__cause__, one.__context__) if cause is not None]
        one.__cause__ = one.__context__ = None  # a refusal holds the error that it causes
        if isinstance(one, BaseExceptionGroup):
            chain += one.exceptions


def unfit_part(where: str) -> ServiceError:
    """The error for a part of a message that nobody here can take; *where* it is in the request."""
    message = f"'{where}' has a type the site cannot take; use texts and images."
    return bad_request(message, param=where, code="unsupported_content_part")
