"""Errors in the shape, types and statuses of Anthropic's API, also those of requests that no handler has seen."""

import re
from collections.abc import Mapping
from typing import Any

from proxy.chat.errors import ServiceError

VERSION_HEADER = "anthropic-version"  # its clients send it with everything
OVERLOADED = 529
_PATHS = re.compile(r"(?:/*+v1(?=/))*+/++(?:messages|(models))(?:/.*)?", re.DOTALL)
_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    OVERLOADED: "overloaded_error",
}


def speaks_anthropic(path: str, headers: Mapping[str, str]) -> bool:
    """Whether a request is one of Anthropic's API, whatever else is wrong with it; models are those of either."""
    found = _PATHS.fullmatch(path)
    return found is not None and (found[1] is None or VERSION_HEADER in headers)


def status_of(error: ServiceError) -> int:
    """The status for *error*: Anthropic's API has 500 and 529 where ours tells failures apart."""
    if error.status < 500:
        return error.status
    return OVERLOADED if error.status == 503 and error.should_retry is not False else 500


def error_body(error: ServiceError, request_id: str) -> dict[str, Any]:
    """The error object. Its message names the field it is about; `details` holds our code, where SDKs look for one."""
    status = status_of(error)
    kind = _TYPES.get(status, "invalid_request_error" if status < 500 else "api_error")
    is_named = error.param is None or error.param in error.message
    fields: dict[str, Any] = {"type": kind, "message": error.message if is_named else f"{error.param}: {error.message}"}
    if error.code:
        fields["details"] = {"error_code": error.code}
    return {"type": "error", "error": fields, "request_id": request_id}
