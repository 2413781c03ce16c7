"""What it means, in terms of any upstream, when a server does not answer. Statuses decide; texts are passed on."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from proxy.chat.errors import ServiceError
from proxy.chat.upstream import About, Refusal
from proxy.upstreams.meaning import Meaning, brief
from shared.retry_after import retry_after

_QUOTA_CODES = (
    "insufficient_quota",
    "billing_hard_limit_reached",
    "insufficient_credits",
    "exceeded_current_quota_error",  # Moonshot's
)
_CODES = {"exceed_context_size_error": "context_length_exceeded"}  # OpenAI's, by what servers call the same
_TOO_LONG = (  # vLLM's and most others' words, xAI's, Anthropic's and Google's
    "maximum context length",
    "maximum prompt length",
    "prompt is too long",
    "exceeds the maximum number of tokens",
)
_CUT = "The answer of the server '{}' broke off: {}"


class Told(NamedTuple):
    """What the body of an error says. *code* and *param* are empty where it names none."""

    text: str = ""
    code: str = ""
    param: str = ""


_FAILED = Meaning(About.UPSTREAM, 502, "upstream_error", "The server '{server}' failed to answer: {text}")
_ELSEWHERE = _FAILED._replace(
    message="The server '{server}' leads elsewhere; FREEAICHAT_SERVERS takes its base URL: {text}"
)
_REFUSED = Meaning(About.MESSAGE, 400, "upstream_refused", "The server '{server}' refused: {text}", False)
_KEY = Meaning(
    About.CREDENTIALS,
    503,
    "credentials_refused",
    "The server '{server}' refuses its key (FREEAICHAT_SERVER_KEYS has it): {text}",
)
_FILTERED = _REFUSED._replace(code="content_filter")
_UNABLE = Meaning(  # and can do others
    About.ANSWER, 400, "not_supported", "The server '{server}' cannot do this: {text}", False
)
_LATE = Meaning(About.UPSTREAM, 504, "upstream_timeout", "The server '{server}' did not answer in time: {text}")
_SPENT = Meaning(About.QUOTA, 429, "insufficient_quota", "The quota at the server '{server}' is used up: {text}", False)
_NO_MODEL = Meaning(
    About.MODEL, 404, "model_not_found", "The server '{server}' does not have this model: {text}", False
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
        About.RATE, 429, "rate_limit_exceeded", "The server '{server}' is rate limited: {text}", retry_after=5.0
    ),
    501: _UNABLE,
    503: _FAILED._replace(status=503, code="upstream_unavailable"),
    504: _LATE,
    524: _LATE,
}
_BY_CODE = {  # model_not_found: with 403 for an account that may not use it, with 503 by gateways
    **dict.fromkeys(_QUOTA_CODES, _SPENT),
    "model_not_found": _NO_MODEL,
    "content_filter": _FILTERED,
}
_BY_WORDS = {  # that a text begins with, under a status that means something else
    "Content violates usage guidelines": _FILTERED,  # xAI's, with 403
    "Incorrect API key provided": _KEY,  # the same, with 400
    "API key not valid": _KEY,  # Google's, with 400
}


def read_error(value: Any) -> Told:
    """What *value* tells: an error in OpenAI's shape, or in any of those that servers have in its place."""
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
        return Told(_brief(text), _brief(code or error.get("code") or kind), _brief(error.get("param") or ""))
    return Told(_brief(error or ""))


def read_body(body: bytes, key: str) -> Told:
    """What the *body* of an error says, with the *key* that was sent blotted out: it may be repeated there."""
    if key:
        body = body.replace(key.encode(), b"***")
    try:
        return read_error(orjson.loads(body))
    except orjson.JSONDecodeError:
        text = body.decode("utf-8", "replace")
        return Told("" if "<" in text else _brief(text))  # a page tells people, not programs


def from_status(server: str, status: int, headers: Mapping[str, str], told: Told) -> Refusal:
    """What an answer other than success means; *status* is 0 where what it told of was a success."""
    means = _meaning(status, told)
    wait = retry_after(headers.get("Retry-After", ""), headers.get("Date", ""))
    text = f"{told.text or 'no reason given'}{f' (HTTP {status})' if status else ''}"
    error = means.error(server=server, text=text, retry_after=wait or None)
    if means is _REFUSED:
        error.code = told.code if told.code not in ("", str(status), "invalid_request_error") else means.code
        if any(words in told.text for words in _TOO_LONG):
            error.code = "context_length_exceeded"
    if means.about is About.MESSAGE:
        error.param = told.param or None
    return _refused(error, means.about, wait)


def _meaning(status: int, told: Told) -> Meaning:
    if status == 500 and "input is not supported" in told.text:  # of a picture or sound, as llama.cpp says it
        return _UNABLE
    by_words = next((means for words, means in _BY_WORDS.items() if told.text.startswith(words)), None)
    if found := _BY_CODE.get(told.code) or by_words or _BY_STATUS.get(status):
        return found
    if 300 <= status < 400:
        return _ELSEWHERE
    return _REFUSED if 400 <= status < 500 else _FAILED


def from_event(server: str, told: Told, status: int, *, has_begun: bool) -> Refusal:
    """What an error in the middle of a stream means. *status*: what it names as its own; 0 for none."""
    if not has_begun:
        return from_status(server, status, {}, told)
    text = _CUT.format(server, told.text or "it told of an error")
    error = ServiceError(502, text, type="server_error", code="upstream_error")
    return Refusal(error, About.ANSWER, delivered=False, has_begun=True)


def cut_off(server: str, why: str, *, has_begun: bool) -> Refusal:
    """An answer without its end."""
    error = ServiceError(502, _CUT.format(server, why), type="server_error", code="upstream_truncated")
    return Refusal(error, About.ANSWER, delivered=False, has_begun=has_begun)


def unreachable(server: str, why: str) -> Refusal:
    """There was no answer at all."""
    text = f"The server '{server}' cannot be reached: {why}"
    return _refused(ServiceError(502, text, type="server_error", code="upstream_unreachable"), About.UPSTREAM)


def silent(server: str, why: str, *, has_begun: bool) -> Refusal:
    """Nothing came for too long."""
    text = f"The server '{server}' did not answer in time: {why}"
    error = ServiceError(504, text, type="server_error", code="upstream_timeout")
    return Refusal(error, About.UPSTREAM, delivered=False, has_begun=has_begun)


def _refused(error: ServiceError, about: About, wait: float | None = None) -> Refusal:
    """Before anything of an answer came. A server holds nothing: nothing was delivered."""
    return Refusal(error, about, delivered=False, has_begun=False, retry_after=wait)


def _brief(value: Any) -> str:
    return brief(value if isinstance(value, str) else orjson.dumps(value).decode())
