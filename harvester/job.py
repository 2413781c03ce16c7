"""What a visit's own process is told, and what it reports. Both travel as one line of JSON, never as arguments:
they hold secrets."""

from dataclasses import dataclass, field

from shared.models import Capture, Outcome


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """The longest each part of a visit may take, in seconds."""

    browser: float = 20.0  # to start the browser
    load: float = 15.0  # until a page begins to come
    chat: float = 10.0  # more for the chat to appear on a page that is to have it
    settle: float = 3.0  # more for a page with a chat to finish; one that never does is taken as it is
    glance: float = 3.0  # instead of `chat`, on a page that only may have it, or where more is likely to be in vain
    guest_id: float = 2.0  # for the page's script to make the guest id
    typed: float = 5.0  # for the requests that a typed message causes
    consent: float = 0.0  # for a person to agree to what the chat asks its visitors to
    read: float = 15.0
    confirm: float = 25.0
    visit: float = 60.0  # all together


BY_ITSELF = Limits()
# A person passes what only a person may pass.
BY_HAND = Limits(load=60.0, chat=540.0, consent=180.0, read=195.0, visit=600.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """One visit to make."""

    site: str  # origin
    page_url: str  # where the settings say the chat is
    named_url: str = ""  # kept with what is captured, as in `Credentials`
    remembered_url: str = ""  # where the last capture found it
    browser: str  # path of the program
    is_headed: bool = False
    identity: str | None = field(default=None, repr=False)  # Playwright's storage_state as JSON
    session_id: str = field(default="", repr=False)  # the guest id in use
    limits: Limits = BY_ITSELF


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """How it went. With outcome `captured` there is a capture, else there may be a screenshot (PNG in base64)."""

    outcome: Outcome
    cause: str = ""  # a `shared.models.Cause`; "": none
    reason: str = ""
    retry_after: float = 0.0  # seconds that the site asks to be left alone
    is_passing: bool = False  # the browser was ended from outside, or crashed: trying again at once may help
    steps: dict[str, float] = field(default_factory=dict)
    capture: Capture | None = field(default=None, repr=False)
    screenshot: str = field(default="", repr=False)
