"""Translate the refusals of AI Engine sites: WordPress sends codes, the plugin only English texts."""

from collections.abc import Mapping
from typing import Any

from proxy.upstreams.meaning import NO_ACCOUNT, TOO_LONG
from proxy.upstreams.site.refusals import (
    BY_STATUS,
    FIREWALL_STATUSES,
    RefusalKind,
    SiteRefusal,
    described,
    leads_elsewhere,
    read_retry_after,
)
from proxy.upstreams.site.wordings import is_quota
from shared.plugins import bot_checks
from shared.plugins.ai_engine.routes import error_code, lacks_route, refuses_nonce
from shared.plugins.lenient_json import flag_at, read_object, text_at

_BANNED = "your query has been rejected"
_STARTS = (  # of the plugin's own texts, in lower case
    (_BANNED, RefusalKind.UNRECOGNISED),
    ("sorry, your query has been rejected", RefusalKind.UNRECOGNISED),
    ("sorry, your message has been rejected", RefusalKind.FILTERED),  # by moderation
    ("unauthorized query", RefusalKind.UNRECOGNISED),
    ("invalid file type", RefusalKind.IMAGE),
    ("file type is not allowed", RefusalKind.IMAGE),
    ("no file provided", RefusalKind.TOO_LARGE),  # PHP drops what is larger than it takes
    ("ai engine: no environment found", RefusalKind.BOT_BROKEN),
    ("you have reached the limit", RefusalKind.QUOTA),
)
_PARTS = (  # of what the model's provider said, or how its call failed
    ("no content received", RefusalKind.EMPTY),
    ("curl error 28", RefusalKind.TIMEOUT),
    ("curl error", RefusalKind.UPSTREAM),
    ("context_length_exceeded", RefusalKind.CONTEXT_LENGTH),
    *((words, RefusalKind.CONTEXT_LENGTH) for words in TOO_LONG),
    ("string_above_max_length", RefusalKind.CONTEXT_LENGTH),
    ("content_policy_violation", RefusalKind.FILTERED),
    ("content_filter", RefusalKind.FILTERED),
    ("content management policy", RefusalKind.FILTERED),
    ("our safety system", RefusalKind.FILTERED),
    ("insufficient_quota", RefusalKind.BOT_BROKEN),  # the operator's own account
    ("resource_exhausted", RefusalKind.RATE_LIMIT),  # Google's, by the minute or the day, in the words of the next
    ("quota exceeded for metric", RefusalKind.RATE_LIMIT),
    ("exceeded your current quota", RefusalKind.BOT_BROKEN),
    ("billing details", RefusalKind.BOT_BROKEN),
    *((words, RefusalKind.BOT_BROKEN) for words in NO_ACCOUNT),
    ("rate_limit", RefusalKind.RATE_LIMIT),
    ("rate limit", RefusalKind.RATE_LIMIT),
    ("tokens per min", RefusalKind.RATE_LIMIT),
    ("resource has been exhausted", RefusalKind.RATE_LIMIT),
    ("too many requests", RefusalKind.RATE_LIMIT),
    ("(429)", RefusalKind.RATE_LIMIT),
    ("http 429", RefusalKind.RATE_LIMIT),
    ("territory not supported", RefusalKind.BOT_BROKEN),  # where the site's server stands
    ("model_not_found", RefusalKind.BOT_BROKEN),
    ("not have access to model", RefusalKind.BOT_BROKEN),
    ("` does not exist", RefusalKind.BOT_BROKEN),  # the model
    ("` has been deprecated", RefusalKind.BOT_BROKEN),
    ("is not found for api version", RefusalKind.BOT_BROKEN),  # Google's
    ("' is not available", RefusalKind.BOT_BROKEN),
)
_BY_STATUS = BY_STATUS | {  # of a server in front
    **dict.fromkeys(FIREWALL_STATUSES, RefusalKind.FIREWALL),
    404: RefusalKind.MOVED,  # where addresses are written in another way now, say
}
_LOOKED_AT = 4096
_MOST_UPLOADED = 2 * 1024 * 1024  # bytes of a file; PHP's own default


def from_error(fields: Mapping[str, Any], name: str) -> SiteRefusal:
    """What the plugin means by an error, an event or a whole answer, whose text is at *name*."""
    text = text_at(fields, name)
    if flag_at(fields, "overLimit"):  # since 3.6.3, whatever the operator's words are
        return SiteRefusal(RefusalKind.QUOTA, text, logged=False)
    return from_text(text)


def from_text(text: str) -> SiteRefusal:
    """What the plugin means by the *text* of an error."""
    lowered = text[:_LOOKED_AT].lower()
    kind = next((kind for start, kind in _STARTS if lowered.startswith(start)), None)
    kind = kind or next((kind for part, kind in _PARTS if part in lowered), None)
    if kind is None:
        kind = RefusalKind.QUOTA if is_quota(text) and not _is_by_provider(text) else RefusalKind.UPSTREAM
    if lowered.startswith(_BANNED):  # the plugin says the same to both
        text = f"{text} (for a word that its operator does not allow, or for this address)"
    return SiteRefusal(kind, text, logged=False)


def _is_by_provider(text: str) -> bool:
    """Whether the text is of the model's provider, which is named before it, and not of the site's operator."""
    whose, colon, _ = text[:_LOOKED_AT].partition(": ")
    return "error" in text[:_LOOKED_AT].lower() or (bool(colon) and not is_quota(whose))


def from_answer(status: int, headers: Mapping[str, str], body: bytes) -> SiteRefusal:
    """What an answer other than a turn's means."""
    fields = read_object(body)
    message = text_at(fields, "message")
    if "success" in fields and message:
        return from_error(fields, "message")
    return SiteRefusal(
        _kind(status, headers, body),
        message or described(status, headers, "the chat plugin's answer"),
        logged=False,
        retry_after=read_retry_after(headers),
        by_plugin=False,
    )


def from_upload(status: int, headers: Mapping[str, str], body: bytes, *, size: int) -> SiteRefusal:
    """What an answer to a picture of *size* bytes means that does not name it.

    Of a file that is larger than PHP takes, the plugin gets no more than the name, and ends with an error of PHP's.
    """
    refusal = from_answer(status, headers, body)
    if status == 500 and not refusal.by_plugin and size > _MOST_UPLOADED:
        why = f"a picture of {size} bytes may be more than its PHP takes (upload_max_filesize); {refusal.text}"
        return SiteRefusal(RefusalKind.TOO_LARGE, why, logged=False, by_plugin=False)
    return refusal


def _kind(status: int, headers: Mapping[str, str], body: bytes) -> RefusalKind:
    if bot_checks.by_headers(headers):
        return RefusalKind.CHALLENGE
    if leads_elsewhere(status, headers):
        return RefusalKind.MOVED
    if refuses_nonce(body) or lacks_route(status, body):  # without the plugin, a visit tells what there is now
        return RefusalKind.NONCE
    if error_code(body) and status in {400, 401, 403}:
        return RefusalKind.UNRECOGNISED if status == 400 else RefusalKind.GUESTS
    if bot_checks.in_place_of_answer(status, body):
        return RefusalKind.CHALLENGE
    return _BY_STATUS.get(status, RefusalKind.UPSTREAM)
