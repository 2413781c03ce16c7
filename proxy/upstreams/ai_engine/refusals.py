"""What the site says when it does not answer: WordPress by codes, the plugin in English texts alone."""

from collections.abc import Mapping

from proxy.upstreams.meaning import NO_ACCOUNT, TOO_LONG
from proxy.upstreams.site.refusals import BY_STATUS, Kind, SiteRefusal, described, leads_elsewhere, read_retry_after
from proxy.upstreams.site.wordings import is_quota
from shared.plugins import bot_checks
from shared.plugins.ai_engine.routes import error_code, lacks_route, refuses_nonce
from shared.plugins.answers import read_object, text_at

_BANNED = "your query has been rejected"
_STARTS = (  # of the plugin's own texts, in lower case
    (_BANNED, Kind.UNRECOGNISED),
    ("sorry, your query has been rejected", Kind.UNRECOGNISED),
    ("sorry, your message has been rejected", Kind.FILTERED),  # by moderation
    ("unauthorized query", Kind.UNRECOGNISED),
    ("invalid file type", Kind.IMAGE),
    ("file type is not allowed", Kind.IMAGE),
    ("no file provided", Kind.TOO_LARGE),  # PHP drops what is larger than it takes
    ("ai engine: no environment found", Kind.BOT_BROKEN),
    ("you have reached the limit", Kind.QUOTA),
)
_PARTS = (  # of what the model's provider said, or how its call failed
    ("no content received", Kind.EMPTY),
    ("curl error 28", Kind.TIMEOUT),
    ("curl error", Kind.UPSTREAM),
    ("context_length_exceeded", Kind.CONTEXT_LENGTH),
    *((words, Kind.CONTEXT_LENGTH) for words in TOO_LONG),
    ("string_above_max_length", Kind.CONTEXT_LENGTH),
    ("content_policy_violation", Kind.FILTERED),
    ("content_filter", Kind.FILTERED),
    ("content management policy", Kind.FILTERED),
    ("our safety system", Kind.FILTERED),
    ("insufficient_quota", Kind.BOT_BROKEN),  # the operator's own account
    ("resource_exhausted", Kind.RATE_LIMIT),  # Google's, by the minute or the day, in the words of the next
    ("quota exceeded for metric", Kind.RATE_LIMIT),
    ("exceeded your current quota", Kind.BOT_BROKEN),
    ("billing details", Kind.BOT_BROKEN),
    *((words, Kind.BOT_BROKEN) for words in NO_ACCOUNT),
    ("rate_limit", Kind.RATE_LIMIT),
    ("rate limit", Kind.RATE_LIMIT),
    ("tokens per min", Kind.RATE_LIMIT),
    ("resource has been exhausted", Kind.RATE_LIMIT),
    ("too many requests", Kind.RATE_LIMIT),
    ("(429)", Kind.RATE_LIMIT),
    ("territory not supported", Kind.BOT_BROKEN),  # where the site's server stands
    ("model_not_found", Kind.BOT_BROKEN),
    ("not have access to model", Kind.BOT_BROKEN),
    ("` does not exist", Kind.BOT_BROKEN),  # the model
    ("' is not available", Kind.BOT_BROKEN),
)
_BY_STATUS = BY_STATUS | {  # of a server in front
    403: Kind.FIREWALL,
    404: Kind.MOVED,  # where addresses are written in another way now, say
    406: Kind.FIREWALL,
}
_LOOKED_AT = 4096


def from_text(text: str) -> SiteRefusal:
    """What the plugin means by the *text* of an error: an event's, or that of a whole answer."""
    lowered = text[:_LOOKED_AT].lower()
    kind = next((kind for start, kind in _STARTS if lowered.startswith(start)), None)
    kind = kind or next((kind for part, kind in _PARTS if part in lowered), None)
    if kind is None:
        kind = Kind.QUOTA if is_quota(text) and not _is_by_provider(text) else Kind.UPSTREAM
    if lowered.startswith(_BANNED):  # the plugin says the same to both
        text = f"{text} (for a word that its operator does not allow, or for this address)"
    return SiteRefusal(kind, text, logged=False)


def _is_by_provider(text: str) -> bool:
    """Whether the text is of the model's provider, which is named before it, and not of the site's operator."""
    whose, colon, _ = text[:_LOOKED_AT].partition(": ")
    return "error" in text[:_LOOKED_AT].lower() or (bool(colon) and not is_quota(whose))


def from_answer(status: int, headers: Mapping[str, str], body: bytes) -> SiteRefusal:
    """What an answer other than a turn's means."""
    told = read_object(body)
    message = text_at(told, "message")
    if "success" in told and message:
        return from_text(message)
    return SiteRefusal(
        _kind(status, headers, body),
        message or described(status, headers, "the chat plugin's answer"),
        logged=False,
        retry_after=read_retry_after(headers),
        by_plugin=False,
    )


def _kind(status: int, headers: Mapping[str, str], body: bytes) -> Kind:
    if bot_checks.by_headers(headers):
        return Kind.CHALLENGE
    if leads_elsewhere(status, headers):
        return Kind.MOVED
    if refuses_nonce(body) or lacks_route(status, body):  # without the plugin, a visit tells what there is now
        return Kind.NONCE
    if error_code(body) and status in {400, 401, 403}:
        return Kind.UNRECOGNISED if status == 400 else Kind.GUESTS
    if bot_checks.by_page(status, body):
        return Kind.CHALLENGE
    return _BY_STATUS.get(status, Kind.UPSTREAM)
