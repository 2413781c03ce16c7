"""Translate a server's failures into `Refusal`: the status decides, the text is passed on."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from proxy.chat.tools.loose_json import MalformedJson, dump_json
from proxy.chat.upstream import Refusal, RefusalReason
from proxy.upstreams.meaning import TOO_LONG, Meaning, brief
from proxy.upstreams.openai_server.complaints import is_of_request, lacks_media
from shared.retry_after import retry_after

_CODES = {"exceed_context_size_error": "context_length_exceeded"}  # OpenAI's, by what servers call the same


_FOR_NONE = "No endpoints found that "  # OpenRouter's, with 404: its model is there, but not for this request
_STATUSES = ("status", "code", "http_status_code")  # the last one is TGI's
_is_status = re.compile("[45][0-9]{2}").fullmatch


class ErrorBody(NamedTuple):
    """The body of an error response; what it does not name is empty."""

    text: str = ""
    code: str = ""
    param: str = ""


_FAILED = Meaning(RefusalReason.UPSTREAM, 502, "upstream_error", "The server '{server}' failed to answer: {text}")
_ELSEWHERE = _FAILED._replace(
    message="The server '{server}' leads elsewhere; FREEAICHAT_SERVERS takes its base URL: {text}"
)
_REFUSED = Meaning(RefusalReason.MESSAGE, 400, "upstream_refused", "The server '{server}' refused: {text}", False)
_KEY = Meaning(
    RefusalReason.CREDENTIALS,
    503,
    "credentials_refused",
    "The server '{server}' refuses its key (FREEAICHAT_SERVER_KEYS has it): {text}",
)
_FILTERED = _REFUSED._replace(code="content_filter")
_BLOCKED = Meaning(
    RefusalReason.ANSWER,
    400,
    "upstream_blocked_message",
    "A firewall of the server '{server}' blocks this message for something in its text (HTML, SQL or the like): {text}",
    False,
)
_UNABLE = Meaning(  # and can do others
    RefusalReason.ANSWER, 400, "not_supported", "The server '{server}' cannot do this: {text}", False
)
_LATE = Meaning(RefusalReason.UPSTREAM, 504, "upstream_timeout", "The server '{server}' did not answer in time: {text}")
_CUT = Meaning(RefusalReason.ANSWER, 502, "upstream_truncated", "The answer of the server '{server}' broke off: {text}")
_UNREACHABLE = Meaning(
    RefusalReason.UPSTREAM, 502, "upstream_unreachable", "The server '{server}' cannot be reached: {text}"
)
_SPENT = Meaning(
    RefusalReason.QUOTA, 429, "insufficient_quota", "The quota at the server '{server}' is used up: {text}", False
)
_NO_MODEL = Meaning(
    RefusalReason.MODEL, 404, "model_not_found", "The server '{server}' does not have this model: {text}", False
)
_BY_STATUS = {
    401: _KEY,
    402: _SPENT,
    403: _KEY,
    404: _NO_MODEL,
    408: _LATE,
    409: _FAILED,
    413: _UNABLE._replace(status=413, code="request_too_large", message="Too large for the server '{server}': {text}"),
    425: _FAILED,
    429: Meaning(
        RefusalReason.RATE, 429, "rate_limit_exceeded", "The server '{server}' is rate limited: {text}", retry_after=5.0
    ),
    501: _UNABLE,
    503: _FAILED._replace(status=503, code="upstream_unavailable"),
    504: _LATE,
    524: _LATE,
}
_BY_CODE = {
    "insufficient_quota": _SPENT,
    "billing_hard_limit_reached": _SPENT,
    "insufficient_credits": _SPENT,
    "exceeded_current_quota_error": _SPENT,  # Moonshot's
    "model_not_found": _NO_MODEL,  # with 403 for an account that may not use it, with 503 by gateways
    "content_filter": _FILTERED,
}
_BY_WORDS = {  # that a text begins with, under a status that means something else
    "Content violates usage guidelines": _FILTERED,  # xAI's, with 403
    "Incorrect API key provided": _KEY,  # the same, with 400
    "API key not valid": _KEY,  # Google's, with 400
}


def read_error(value: Any) -> ErrorBody:
    """Read an error in OpenAI's shape, or in one of the shapes that other servers use."""
    if isinstance(value, list) and value:  # Google's come in one
        value = value[0]
    error = value.get("error", value) if isinstance(value, dict) else value
    if isinstance(error, dict):
        text = next((error[name] for name in ("message", "detail", "error", "title") if error.get(name)), "")
        kind = error.get("type") or ""
        code = _CODES.get(kind) if isinstance(kind, str) else None
        more = error.get("metadata")
        if isinstance(more, dict) and more.get("reasons"):  # OpenRouter's, with 403, of what moderation met
            code = "content_filter"
        return ErrorBody(_brief(text), _brief(code or error.get("code") or kind), _brief(error.get("param") or ""))
    return ErrorBody(_brief(error or ""))


def read_body(body: bytes, key: str) -> ErrorBody:
    """Read the *body* of an error response; the *key* that was sent, which it may repeat, is redacted."""
    if key:
        body = body.replace(key.encode(), b"***")
    try:
        return read_error(orjson.loads(body))
    except orjson.JSONDecodeError:
        text = body.decode("utf-8", "replace")
        return ErrorBody("" if "<" in text else _brief(text))  # a page tells people, not programs


def read_value(error: Any, key: str) -> ErrorBody:
    """As `read_body`, for an *error* that is parsed already."""
    try:
        return read_body(dump_json(error).encode(), key)
    except MalformedJson:  # it is nested too deep to be told
        return ErrorBody()


def from_status(
    server: str, status: int, headers: Mapping[str, str], error: ErrorBody, *, is_listed: bool = False
) -> Refusal:
    """The refusal for an error response; *status* is 0 where the response itself was a success.

    *is_listed*: the server lists its models to the same key, so that a page with 403 or 406 is about the message.
    """
    is_page = headers.get("Content-Type", "").startswith("text/html") and not error.text
    means = _BLOCKED if is_listed and is_page and status in {403, 406} else _meaning(status, error)
    text = f"{error.text or 'no reason given'}{f' (HTTP {status})' if status else ''}"
    wait = retry_after(headers.get("Retry-After", ""), headers.get("Date", ""))
    refusal = _refusal(means, server, text, retry_after=wait)
    if headers.get("x-should-retry") == "false":  # as OpenAI's clients read it
        refusal.error.should_retry = False
    if means is _REFUSED:
        refusal.error.code = error.code if error.code not in ("", str(status), "invalid_request_error") else means.code
        if any(words in error.text for words in TOO_LONG):
            refusal.error.code = "context_length_exceeded"
    if means.reason is RefusalReason.MESSAGE:
        refusal.error.param = error.param or None
    return refusal


def _meaning(status: int, error: ErrorBody) -> Meaning:
    if lacks_media(error.text):
        return _UNABLE
    # So Ollama and llama.cpp tell a template's errors, and LM Studio, in an event.
    if (status in (0, 500) and is_of_request(error.text)) or (status == 404 and error.text.startswith(_FOR_NONE)):
        return _REFUSED
    by_words = next((means for words, means in _BY_WORDS.items() if error.text.startswith(words)), None)
    if found := _BY_CODE.get(error.code) or by_words or _BY_STATUS.get(status):
        return found
    if 300 <= status < 400:
        return _ELSEWHERE
    return _REFUSED if 400 <= status < 500 else _FAILED


def named_status(error: Any) -> int:
    """The status that an error in a stream names as its own; 0 for none."""
    named = [str(error.get(name)) for name in _STATUSES] if isinstance(error, dict) else ()
    return next((int(value) for value in named if _is_status(value)), 0)


def from_event(server: str, error: ErrorBody, status: int, *, has_begun: bool) -> Refusal:
    """The refusal for an error within a stream. *status*: as `named_status`."""
    if not has_begun:
        return from_status(server, status, {}, error)
    return _refusal(_CUT._replace(code="upstream_error"), server, error.text or "it told of an error", has_begun=True)


def cut_off(server: str, why: str, *, has_begun: bool) -> Refusal:
    """The refusal for an answer that broke off."""
    return _refusal(_CUT, server, why, has_begun=has_begun)


def unreachable(server: str, why: str) -> Refusal:
    """The refusal for a server that could not be reached."""
    return _refusal(_UNREACHABLE, server, why)


def silent(server: str, why: str, *, has_begun: bool) -> Refusal:
    """The refusal for a server that timed out."""
    return _refusal(_LATE, server, why, has_begun=has_begun)


def _refusal(
    means: Meaning, server: str, text: str, *, has_begun: bool = False, retry_after: float | None = None
) -> Refusal:
    """A neutral refusal; servers are stateless, so nothing was delivered."""
    error = means.error(server=server, text=text, retry_after=retry_after or None)
    return Refusal(error, means.reason, delivered=False, has_begun=has_begun, retry_after=retry_after)


def _brief(value: Any) -> str:
    try:
        return brief(value if isinstance(value, str) else dump_json(value))
    except MalformedJson:
        return ""
