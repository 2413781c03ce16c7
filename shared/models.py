"""The values that the harvester, the store and the proxy exchange.

All are frozen. Times are Unix seconds (float). A *site* is named by its origin, such as
`https://chatgptfree.ai`. Fields that are secret are kept out of `repr`, so that no log line shows them.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from shared.urls import is_other_page

AIPKIT, AI_ENGINE = "aipkit", "ai_engine"  # the kinds of chat plugin
PLUGIN_NAMES = {AIPKIT: "AIPKit", AI_ENGINE: "AI Engine"}
MIN_SECRET_LENGTH = 6  # characters; a shorter value of a cookie is found in any text


@dataclass(frozen=True, kw_only=True, slots=True)
class Bot:
    """One chat bot as its page shows it."""

    id: int
    name: str  # what the page calls it; the only human name there is
    provider: str = ""  # "OpenAI", "Google", "Claude" …; empty when unknown
    keeps_state: bool = False  # the site continues a conversation by the provider's own state
    web_search: bool = False  # the site offers a search toggle, of whichever kind its provider has
    images: bool = False
    max_images: int = 0  # in one message, where the page says it
    context_length: int = 0  # tokens, where a server says it
    consent_required: bool = False  # the page asks for a consent that this guest has not given
    # Of a plugin that has names for its bots, from which `id` is made:
    key: str = ""
    custom_key: str = ""  # of settings of the page's own; the site forgets them a day after it showed them
    streams: bool = True  # the page has its answers streamed
    max_message: int = 0  # characters that a visitor may type; 0: no limit is known


Source = Literal["visit", "renewal", "manual"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Credentials:
    """All that is needed to go on as one guest over plain HTTP."""

    site: str
    plugin: str = AIPKIT  # the kind of chat plugin that they are for
    ajax_url: str  # where requests go: of AI Engine, what its routes are put behind
    page_url: str  # where the chat was found
    named_url: str = ""  # the page of the settings at that time; "": not known
    is_led_to: bool = False  # whether that page leads to `page_url` by itself, as a redirect does
    cookie: str = field(default="", repr=False)  # the Cookie header, verbatim; empty: none is sent
    nonce: str = field(default="", repr=False)
    session_id: str = field(repr=False)
    post_id: int = 0  # of the page that has the chat
    user_agent: str = ""
    source: Source
    captured_at: float  # when a visit (or a person) took them
    nonce_checked_at: float  # when the site last handed out or took this nonce
    generation: int = 0  # set by the store; grows with every change

    @property
    def is_manual(self) -> bool:
        """Whether they come from the settings, perhaps with a renewed nonce: those of a visit have a User-Agent."""
        return self.source == "manual" or (self.source == "renewal" and not self.user_agent)

    def started_from(self, named_url: str) -> bool:
        """Whether their visit started from *named_url*, the page in the settings now, as far as is known."""
        return self.named_url in {"", named_url}

    def is_on_other_page(self, named_url: str) -> bool:
        """Whether the chat is on another page than *named_url*, the one in the settings, and where that leads."""
        is_led_to = self.is_led_to and self.named_url == named_url
        return not is_led_to and is_other_page(named_url, self.page_url)

    @property
    def secrets(self) -> tuple[str, ...]:
        """All values to redact, the longest first; the values of the cookies singly too."""
        values = [pair.partition("=")[2].strip() for pair in self.cookie.split(";")]
        found = {self.cookie, self.nonce, self.session_id, *values}
        return tuple(sorted((secret for secret in found if len(secret) >= MIN_SECRET_LENGTH), key=len, reverse=True))


@dataclass(frozen=True, kw_only=True, slots=True)
class SiteState:
    """What the store holds of one site for the proxy."""

    current: Credentials
    last_good: Credentials | None = None  # the newest ones a turn has succeeded with
    bots: tuple[Bot, ...] = ()  # in the page's order; empty: nothing discovered yet


@dataclass(frozen=True, kw_only=True, slots=True)
class Capture:
    """The result of one successful visit; stored in one transaction."""

    credentials: Credentials
    bots: tuple[Bot, ...]
    identity: str = field(repr=False)  # Playwright's storage_state as JSON: all cookies and local storage


class Outcome(StrEnum):
    """How a visit ended. Every visit ends as exactly one of these."""

    CAPTURED = "captured"
    CHALLENGE = "challenge"  # a bot check stands before the page; only a person may pass it
    NO_CHAT = "no_chat"
    SITE_ERROR = "site_error"
    TIMEOUT = "timeout"
    BROWSER_ERROR = "browser_error"


class Step(StrEnum):
    """The steps of a visit, in their order."""

    BROWSER = "browser"  # the browser starts
    PAGE = "page"  # the chat's page is found and shown
    READ = "read"  # the chat's configuration is read
    CONFIRM = "confirm"  # the site confirms the nonce


class Cause(StrEnum):
    """Why a visit failed, or what is odd about its result, as a code: the page has a text for each.

    A visit with this cause ends as `outcome`.
    """

    outcome: Outcome

    def __new__(cls, code: str, outcome: Outcome) -> "Cause":
        """Make a member, which is the string *code*."""
        cause = str.__new__(cls, code)
        cause._value_, cause.outcome = code, outcome
        return cause

    CHECK = "check", Outcome.CHALLENGE  # a bot check
    LOGIN = "login", Outcome.NO_CHAT
    AGE = "age", Outcome.NO_CHAT
    CLICK = "click", Outcome.NO_CHAT  # the chat may come after one
    NO_CHAT = "no_chat", Outcome.NO_CHAT
    UNREADABLE_CHAT = "unreadable_chat", Outcome.NO_CHAT  # there is one, but not how to use it
    UNREACHABLE = "unreachable", Outcome.SITE_ERROR
    CERTIFICATE = "certificate", Outcome.SITE_ERROR
    SITE_DOWN = "site_down", Outcome.SITE_ERROR  # HTTP 500 and above
    REFUSED = "refused", Outcome.SITE_ERROR  # HTTP 401, 403, 451
    TOO_MANY = "too_many", Outcome.SITE_ERROR  # HTTP 429
    PAGE = "page", Outcome.SITE_ERROR  # its address gives no page that can be used
    OLD_NONCE = "old_nonce", Outcome.SITE_ERROR
    NO_SESSION = "no_session", Outcome.SITE_ERROR
    MEMORY = "memory", Outcome.SITE_ERROR
    SILENT = "silent", Outcome.TIMEOUT  # the site did not start to answer
    RESTLESS = "restless", Outcome.TIMEOUT
    SLOW = "slow", Outcome.TIMEOUT  # a step that was not over in time
    NO_BROWSER = "no_browser", Outcome.BROWSER_ERROR
    NO_DISPLAY = "no_display", Outcome.BROWSER_ERROR
    NOT_STARTED = "not_started", Outcome.BROWSER_ERROR
    BROWSER_ENDED = "browser_ended", Outcome.BROWSER_ERROR
    NO_PLACE = "no_place", Outcome.BROWSER_ERROR  # for the browser's files
    STOPPED = "stopped", Outcome.BROWSER_ERROR  # the harvester was
    STORE = "store", Outcome.BROWSER_ERROR
    OTHER_PAGE = "other_page", Outcome.CAPTURED  # captured, but not on the page of the settings


# The key of the store's note of a visit in progress (JSON), which is empty after its end.
VISIT_IN_PROGRESS = "harvester.visit: {site}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Visit:
    """The record of one visit."""

    id: str
    site: str
    started_at: float
    seconds: float
    outcome: Outcome
    cause: str = ""  # a `Cause`, or that of another version; "": none
    reason: str = ""  # what went wrong or is odd, and what to do, for the operator; never a secret
    trigger: str = ""  # "schedule", "start", "asked" or "command"
    steps: dict[str, float] = field(default_factory=dict)  # seconds for each `Step`
    screenshot: bool = False  # the store holds a picture of the failure
    retry_after: float = 0.0  # seconds from the visit's end that the site asked to be left alone


@dataclass(frozen=True, kw_only=True, slots=True)
class VisitAsk:
    """A standing request that a site be visited soon; many asks make one."""

    site: str
    asked_at: float  # of the first ask still unanswered
    reason: str
    count: int
