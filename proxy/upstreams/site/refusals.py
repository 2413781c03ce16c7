"""Why a site refused or failed a turn, whichever plugin it has, and what that means."""

from collections.abc import Mapping
from enum import Enum, unique

from proxy.chat.upstream import Refusal, RefusalReason
from proxy.upstreams.meaning import Meaning, brief
from shared.models import Credentials
from shared.retry_after import retry_after


@unique  # two that meant the same would be one
class RefusalKind(Enum):
    """Kinds of refusals; in a message {text} stands for the site's own words, {site} for its origin."""

    # Refused credentials, for certain: step 1 said so.
    NONCE = Meaning(
        RefusalReason.CREDENTIALS, 503, "credentials_refused", "The site refuses the current credentials: {text}"
    )
    # The stored message was gone; nothing reached the model.
    CACHE_KEY = Meaning(RefusalReason.ANSWER, 502, "upstream_error", "The site lost the message on its way: {text}")
    # The provider forgot the response that was to be continued.
    PREVIOUS = Meaning(RefusalReason.COPY, 502, "upstream_error", "The site lost the conversation: {text}")
    # Refused before the model was called, in words we do not know.
    UNRECOGNISED = Meaning(RefusalReason.ANSWER, 400, "upstream_refused", "The site refused: {text}", False)
    # A server in front let step 1 not pass: for what the message says, if other requests pass.
    FIREWALL = Meaning(
        RefusalReason.ANSWER,
        400,
        "upstream_blocked_message",
        "A firewall of the site blocks this message for something in its text (HTML, SQL or the like): {text}",
        False,
    )
    # Its address leads to another one, or has no chat plugin: a visit tells what there is now.
    MOVED = Meaning(
        RefusalReason.CREDENTIALS, 503, "upstream_unavailable", "The site is not where the last visit found it: {text}"
    )
    CHALLENGE = Meaning(
        RefusalReason.CREDENTIALS,
        503,
        "challenge",
        "The site asks visitors to pass a check before it answers. Its operator's rule stands; run "
        "`freeaichat harvest --headed --site {site}` to pass it by hand. ({text})",
        False,
    )
    QUOTA = Meaning(RefusalReason.QUOTA, 429, "insufficient_quota", "The site's guest quota is used up: {text}", False)
    GUESTS = Meaning(RefusalReason.MODEL, 403, "guests_refused", "This bot is for the site's members: {text}", False)
    BLOCKED = Meaning(RefusalReason.MODEL, 403, "address_blocked", "The site blocks this address: {text}", False)
    BOT = Meaning(
        RefusalReason.MODEL, 404, "model_not_found", "The site no longer has the bot behind this model: {text}", False
    )
    # The site is well, but has not set this bot up.
    BOT_BROKEN = Meaning(
        RefusalReason.MODEL, 502, "upstream_error", "This bot does not work on its site: {text}", False
    )
    FILTERED = Meaning(RefusalReason.MESSAGE, 400, "content_filter", "The site refused the message: {text}", False)
    IMAGE = Meaning(RefusalReason.MESSAGE, 400, "invalid_image", "The site refused the image: {text}", False)
    TOO_LARGE = Meaning(RefusalReason.ANSWER, 413, "request_too_large", "Too large for the site: {text}", False)
    CONTEXT_LENGTH = Meaning(
        RefusalReason.MESSAGE, 400, "context_length_exceeded", "Too long for the model: {text}", False
    )
    RATE_LIMIT = Meaning(
        RefusalReason.RATE, 429, "rate_limit_exceeded", "The site is rate limited: {text}", retry_after=20.0
    )
    # The plugin's own: so many turns a minute from one address, whichever the bot.
    MINUTE_LIMIT = Meaning(
        RefusalReason.PACE,
        429,
        "rate_limit_exceeded",
        "The site takes no more requests this minute: {text}",
        retry_after=60.0,
    )
    # The plugin itself could not work just now.
    BUSY = Meaning(
        RefusalReason.ANSWER, 503, "upstream_unavailable", "The site could not work just now: {text}", retry_after=5.0
    )
    # No connection; nothing was sent.
    UNREACHABLE = Meaning(RefusalReason.UPSTREAM, 502, "upstream_unreachable", "The site cannot be reached: {text}")
    UPSTREAM = Meaning(RefusalReason.UPSTREAM, 502, "upstream_error", "The site failed to answer: {text}")
    TIMEOUT = Meaning(RefusalReason.UPSTREAM, 504, "upstream_timeout", "The site did not answer in time: {text}")
    # The site cuts every answer after a time of its own, however alive it is.
    SITE_LIMIT = Meaning(
        RefusalReason.ANSWER,
        504,
        "upstream_timeout",
        "The site cut the answer at its own time limit (120 s unless its operator changed that): {text}",
    )
    EMPTY = Meaning(RefusalReason.ANSWER, 502, "upstream_empty_response", "The site sent an answer without any text.")
    TRUNCATED = Meaning(RefusalReason.ANSWER, 502, "upstream_truncated", "The site's answer broke off: {text}")


# Of the pages with which firewalls refuse what a message says: 405 is Alibaba's, 406 and 501 are hosts' own.
FIREWALL_STATUSES = frozenset({403, 405, 406, 501})
BY_STATUS = {
    408: RefusalKind.TIMEOUT,
    413: RefusalKind.TOO_LARGE,
    429: RefusalKind.RATE_LIMIT,
    504: RefusalKind.TIMEOUT,
    524: RefusalKind.TIMEOUT,
}


class SiteRefusal(Exception):
    """The site refused or failed a turn.

    *logged* tells whether the site may have put the user's message into its own history by then; *by_plugin*, whether
    the chat plugin itself spoke, or else a server in front of it; *holds_message*, whether the refused request held
    the user's message, which may be why.
    """

    def __init__(
        self,
        kind: RefusalKind,
        text: str,
        *,
        logged: bool,
        retry_after: float | None = None,
        by_plugin: bool = True,
        holds_message: bool = True,
    ) -> None:
        super().__init__(text)
        self.kind = kind
        self.text = text
        self.logged = logged
        self.retry_after = retry_after
        self.by_plugin = by_plugin
        self.holds_message = holds_message
        self.site = ""

    @property
    def brief(self) -> str:
        """What the site said, no longer than a message should be."""
        return brief(self.text) or "no reason given"

    def attribute(self, used: Credentials) -> None:
        """Note the site of *used*, and redact their secrets in its text, which may repeat what it was sent."""
        self.site = used.site
        for secret in used.secrets:
            self.text = self.text.replace(secret, "***")


def to_refusal(refusal: SiteRefusal) -> Refusal:
    """Translate it into the terms of all upstreams."""
    meaning = refusal.kind.value
    return Refusal(
        meaning.error(text=refusal.brief, site=refusal.site, retry_after=refusal.retry_after),
        meaning.reason,
        delivered=refusal.logged,
        has_begun=refusal.logged and refusal.by_plugin,
        retry_after=refusal.retry_after,
    )


def read_retry_after(headers: Mapping[str, str]) -> float | None:
    """As `retry_after`, of an answer's *headers*."""
    return retry_after(headers.get("Retry-After", ""), headers.get("Date", ""))


def leads_elsewhere(status: int, headers: Mapping[str, str]) -> bool:
    """Whether an answer names another address to go to."""
    return 300 <= status < 400 and bool(headers.get("Location"))


def described(status: int, headers: Mapping[str, str], expected: str) -> str:
    """What came in place of what was *expected*. Of an address that it leads to, the query is not told: it may hold
    a nonce."""
    if leads_elsewhere(status, headers):
        location = headers["Location"].partition("?")[0]
        return f"HTTP status {status}: it leads to {location}; the site may have moved, or want a login"
    kind = headers.get("Content-Type", "").partition(";")[0].strip() or "no content type"
    coding = headers.get("Content-Encoding", "")
    return f"HTTP status {status} with {kind}{f' ({coding})' if coding else ''} instead of {expected}"
