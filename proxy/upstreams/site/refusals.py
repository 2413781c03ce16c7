"""Why a site did not answer, whichever plugin it has; what the client is told of it is in `telling.py`."""

from collections.abc import Iterable, Mapping
from enum import Enum

from proxy.upstreams.meaning import brief
from shared.retry_after import retry_after


class Kind(Enum):
    """Why the site did not answer."""

    NONCE = "nonce"  # refused credentials, for certain: step 1 said so
    CACHE_KEY = "cache_key"  # the stored message was gone; nothing reached the model
    PREVIOUS = "previous"  # the provider forgot the response that was to be continued
    UNRECOGNISED = "unrecognised"  # refused before the model was called, in words we do not know
    FIREWALL = "firewall"  # a server in front let step 1 not pass: for what the message says, if other requests pass
    MOVED = "moved"  # its address leads to another one, or has no chat plugin: a visit tells what there is now
    CHALLENGE = "challenge"
    QUOTA = "quota"
    GUESTS = "guests"
    BLOCKED = "blocked"
    BOT = "bot"
    BOT_BROKEN = "bot_broken"  # the site is well, but has not set this bot up
    FILTERED = "filtered"
    IMAGE = "image"
    TOO_LARGE = "too_large"
    CONTEXT_LENGTH = "context_length"
    RATE_LIMIT = "rate_limit"
    MINUTE_LIMIT = "minute_limit"  # the plugin's own: so many turns a minute from one address, whichever the bot
    BUSY = "busy"  # the plugin itself could not work just now
    UNREACHABLE = "unreachable"  # no connection; nothing was sent
    UPSTREAM = "upstream"
    TIMEOUT = "timeout"
    SITE_LIMIT = "site_limit"  # the site cuts every answer after a time of its own, however alive it is
    EMPTY = "empty"
    TRUNCATED = "truncated"


class SiteRefusal(Exception):
    """The site refused or failed a turn.

    *logged* tells whether the site may have put the user's message into its own history by then; *by_plugin*, whether
    the chat plugin itself spoke, or else a server in front of it.
    """

    def __init__(
        self, kind: Kind, text: str, *, logged: bool, retry_after: float | None = None, by_plugin: bool = True
    ) -> None:
        super().__init__(text)
        self.kind = kind
        self.text = text
        self.logged = logged
        self.retry_after = retry_after
        self.by_plugin = by_plugin

    @property
    def brief(self) -> str:
        """What the site said, no longer than a message should be."""
        return brief(self.text) or "no reason given"

    def hide(self, secrets: Iterable[str]) -> None:
        """Blot *secrets* out of what the site said: it may repeat what it was sent."""
        for secret in secrets:
            self.text = self.text.replace(secret, "***")


def read_retry_after(headers: Mapping[str, str]) -> float | None:
    """As `retry_after`, of an answer's *headers*."""
    return retry_after(headers.get("Retry-After", ""), headers.get("Date", ""))


def leads_elsewhere(status: int, headers: Mapping[str, str]) -> bool:
    """Whether an answer names another address to go to."""
    return 300 <= status < 400 and bool(headers.get("Location"))


def described(status: int, headers: Mapping[str, str], wanted: str) -> str:
    """What came in place of what was *wanted*. Of an address that it leads to, the query is not told: it may hold
    a nonce."""
    if leads_elsewhere(status, headers):
        place = headers["Location"].partition("?")[0]
        return f"HTTP status {status}: it leads to {place}; the site may have moved, or want a login"
    kind = headers.get("Content-Type", "").partition(";")[0].strip() or "no content type"
    coding = headers.get("Content-Encoding", "")
    return f"HTTP status {status} with {kind}{f' ({coding})' if coding else ''} instead of {wanted}"
