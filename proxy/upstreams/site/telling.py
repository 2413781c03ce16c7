"""What a client is told of a site that did not answer, and what that says in terms any kind of upstream has."""

from proxy.chat.upstream import About, Refusal
from proxy.upstreams.meaning import Meaning
from proxy.upstreams.site.refusals import Kind, SiteRefusal

_MEANINGS = {  # {text} is what the site said
    Kind.NONCE: Meaning(
        About.CREDENTIALS, 503, "credentials_refused", "The site refuses the current credentials: {text}"
    ),
    Kind.CACHE_KEY: Meaning(About.ANSWER, 502, "upstream_error", "The site lost the message on its way: {text}"),
    Kind.PREVIOUS: Meaning(About.COPY, 502, "upstream_error", "The site lost the conversation: {text}"),
    Kind.UNRECOGNISED: Meaning(About.ANSWER, 400, "upstream_refused", "The site refused: {text}", False),
    Kind.FIREWALL: Meaning(
        About.ANSWER,
        400,
        "upstream_blocked_message",
        "A firewall of the site blocks this message for something in its text (HTML, SQL or the like): {text}",
        False,
    ),
    Kind.MOVED: Meaning(
        About.CREDENTIALS, 503, "upstream_unavailable", "The site is not where the last visit found it: {text}"
    ),
    Kind.CHALLENGE: Meaning(
        About.CREDENTIALS,
        503,
        "challenge",
        "The site asks visitors to pass a check before it answers. Its operator's rule stands; run "
        "`freeaichat harvest --headed` to pass it by hand. ({text})",
        False,
    ),
    Kind.QUOTA: Meaning(About.QUOTA, 429, "insufficient_quota", "The site's guest quota is used up: {text}", False),
    Kind.GUESTS: Meaning(About.MODEL, 403, "guests_refused", "This bot is for the site's members: {text}", False),
    Kind.BLOCKED: Meaning(About.MODEL, 403, "address_blocked", "The site blocks this address: {text}", False),
    Kind.BOT: Meaning(
        About.MODEL, 404, "model_not_found", "The site no longer has the bot behind this model: {text}", False
    ),
    Kind.BOT_BROKEN: Meaning(About.MODEL, 502, "upstream_error", "This bot does not work on its site: {text}", False),
    Kind.FILTERED: Meaning(About.MESSAGE, 400, "content_filter", "The site refused the message: {text}", False),
    Kind.IMAGE: Meaning(About.MESSAGE, 400, "invalid_image", "The site refused the image: {text}", False),
    Kind.TOO_LARGE: Meaning(About.ANSWER, 413, "request_too_large", "Too large for the site: {text}", False),
    Kind.CONTEXT_LENGTH: Meaning(
        About.MESSAGE, 400, "context_length_exceeded", "Too long for the model: {text}", False
    ),
    Kind.RATE_LIMIT: Meaning(
        About.RATE, 429, "rate_limit_exceeded", "The site is rate limited: {text}", retry_after=20.0
    ),
    Kind.MINUTE_LIMIT: Meaning(
        About.PACE, 429, "rate_limit_exceeded", "The site takes no more requests this minute: {text}", retry_after=60.0
    ),
    Kind.BUSY: Meaning(
        About.ANSWER, 503, "upstream_unavailable", "The site could not work just now: {text}", retry_after=5.0
    ),
    Kind.UNREACHABLE: Meaning(About.UPSTREAM, 502, "upstream_unreachable", "The site cannot be reached: {text}"),
    Kind.UPSTREAM: Meaning(About.UPSTREAM, 502, "upstream_error", "The site failed to answer: {text}"),
    Kind.TIMEOUT: Meaning(About.UPSTREAM, 504, "upstream_timeout", "The site did not answer in time: {text}"),
    Kind.SITE_LIMIT: Meaning(
        About.ANSWER,
        504,
        "upstream_timeout",
        "The site cut the answer at its own time limit (120 s unless its operator changed that): {text}",
    ),
    Kind.EMPTY: Meaning(About.ANSWER, 502, "upstream_empty_response", "The site sent an answer without any text."),
    Kind.TRUNCATED: Meaning(About.ANSWER, 502, "upstream_truncated", "The site's answer broke off: {text}"),
}


def to_refusal(refusal: SiteRefusal) -> Refusal:
    """The same in terms that any kind of upstream has."""
    meaning = _MEANINGS[refusal.kind]
    return Refusal(
        meaning.error(text=refusal.brief, retry_after=refusal.retry_after),
        meaning.about,
        delivered=refusal.logged,
        has_begun=refusal.logged and refusal.by_plugin,
        retry_after=refusal.retry_after,
    )
