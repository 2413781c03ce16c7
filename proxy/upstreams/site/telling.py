"""What a client is told of a site that did not answer, and what that says in terms any kind of upstream has."""

from typing import NamedTuple

from proxy.chat.errors import ServiceError
from proxy.chat.upstream import About, Refusal
from proxy.upstreams.site.refusals import Kind, SiteRefusal


class _Told(NamedTuple):
    status: int
    type: str
    code: str
    message: str  # {text} is what the site said
    should_retry: bool | None = None
    retry_after: float | None = None  # seconds, where the site names none


_TOLD = {
    Kind.NONCE: _Told(503, "server_error", "credentials_refused", "The site refuses the current credentials: {text}"),
    Kind.CACHE_KEY: _Told(502, "server_error", "upstream_error", "The site lost the message on its way: {text}"),
    Kind.PREVIOUS: _Told(502, "server_error", "upstream_error", "The site lost the conversation: {text}"),
    Kind.UNRECOGNISED: _Told(400, "invalid_request_error", "upstream_refused", "The site refused: {text}", False),
    Kind.FIREWALL: _Told(
        400,
        "invalid_request_error",
        "upstream_blocked_message",
        "A firewall of the site blocks this message for something in its text (HTML, SQL or the like): {text}",
        False,
    ),
    Kind.MOVED: _Told(
        503, "server_error", "upstream_unavailable", "The site is not where the last visit found it: {text}"
    ),
    Kind.CHALLENGE: _Told(
        503,
        "server_error",
        "challenge",
        "The site asks visitors to pass a check before it answers. Its operator's rule stands; run "
        "`freeaichat harvest --headed` to pass it by hand. ({text})",
        should_retry=False,
    ),
    Kind.QUOTA: _Told(
        429, "insufficient_quota", "insufficient_quota", "The site's guest quota is used up: {text}", False
    ),
    Kind.GUESTS: _Told(403, "permission_error", "guests_refused", "This bot is for the site's members: {text}", False),
    Kind.BLOCKED: _Told(403, "permission_error", "address_blocked", "The site blocks this address: {text}", False),
    Kind.BOT: _Told(
        404,
        "invalid_request_error",
        "model_not_found",
        "The site no longer has the bot behind this model: {text}",
        False,
    ),
    Kind.BOT_BROKEN: _Told(
        502, "server_error", "upstream_error", "This bot does not work on its site: {text}", should_retry=False
    ),
    Kind.FILTERED: _Told(400, "invalid_request_error", "content_filter", "The site refused the message: {text}", False),
    Kind.IMAGE: _Told(400, "invalid_request_error", "invalid_image", "The site refused the image: {text}", False),
    Kind.TOO_LARGE: _Told(413, "invalid_request_error", "request_too_large", "Too large for the site: {text}", False),
    Kind.CONTEXT_LENGTH: _Told(
        400, "invalid_request_error", "context_length_exceeded", "Too long for the model: {text}", False
    ),
    Kind.RATE_LIMIT: _Told(
        429, "rate_limit_error", "rate_limit_exceeded", "The site is rate limited: {text}", retry_after=20.0
    ),
    Kind.MINUTE_LIMIT: _Told(
        429,
        "rate_limit_error",
        "rate_limit_exceeded",
        "The site takes no more requests this minute: {text}",
        None,
        60.0,
    ),
    Kind.BUSY: _Told(
        503, "server_error", "upstream_unavailable", "The site could not work just now: {text}", None, 5.0
    ),
    Kind.UNREACHABLE: _Told(502, "server_error", "upstream_unreachable", "The site cannot be reached: {text}"),
    Kind.UPSTREAM: _Told(502, "server_error", "upstream_error", "The site failed to answer: {text}"),
    Kind.TIMEOUT: _Told(504, "server_error", "upstream_timeout", "The site did not answer in time: {text}"),
    Kind.SITE_LIMIT: _Told(
        504,
        "server_error",
        "upstream_timeout",
        "The site cut the answer at its own time limit (120 s unless its operator changed that): {text}",
    ),
    Kind.EMPTY: _Told(502, "server_error", "upstream_empty_response", "The site sent an answer without any text."),
    Kind.TRUNCATED: _Told(502, "server_error", "upstream_truncated", "The site's answer broke off: {text}"),
}

_ABOUT = {  # the others: ANSWER
    Kind.NONCE: About.CREDENTIALS,
    Kind.MOVED: About.CREDENTIALS,
    Kind.CHALLENGE: About.CREDENTIALS,
    Kind.PREVIOUS: About.COPY,
    Kind.FILTERED: About.MESSAGE,
    Kind.IMAGE: About.MESSAGE,
    Kind.CONTEXT_LENGTH: About.MESSAGE,
    Kind.QUOTA: About.QUOTA,
    Kind.RATE_LIMIT: About.RATE,
    Kind.MINUTE_LIMIT: About.PACE,
    Kind.GUESTS: About.MODEL,
    Kind.BLOCKED: About.MODEL,
    Kind.BOT: About.MODEL,
    Kind.BOT_BROKEN: About.MODEL,
    Kind.UNREACHABLE: About.UPSTREAM,
    Kind.UPSTREAM: About.UPSTREAM,
    Kind.TIMEOUT: About.UPSTREAM,
}


def to_refusal(refusal: SiteRefusal) -> Refusal:
    """The same in terms that any kind of upstream has."""
    has_begun = refusal.logged and refusal.by_plugin
    return Refusal(
        to_error(refusal),
        _ABOUT.get(refusal.kind, About.ANSWER),
        delivered=refusal.logged,
        has_begun=has_begun,
        retry_after=refusal.retry_after,
    )


def to_error(refusal: SiteRefusal) -> ServiceError:
    """What a client is told."""
    told = _TOLD[refusal.kind]
    return ServiceError(
        told.status,
        told.message.format(text=refusal.brief),
        type=told.type,
        code=told.code,
        retry_after=refusal.retry_after if refusal.retry_after is not None else told.retry_after,
        should_retry=told.should_retry,
    )
