"""The input and the output of a visit's process. Both are sent as one line of JSON, never as arguments, since they
hold secrets."""

from dataclasses import dataclass, field

from shared.models import Capture, Cause, Outcome


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """Time limits of the parts of a visit, in seconds."""

    browser: float = 20.0  # to start the browser
    load: float = 15.0  # until the first bytes of a page
    chat: float = 10.0  # then for the chat to appear on a page that should have it
    settle: float = 3.0  # then for a page with a chat to finish; one that never does is used as it is
    glance: float = 3.0  # instead of `chat`, on a page that only may have it, or where waiting is likely useless
    guest_id: float = 2.0  # for the page's script to make the guest id
    typed: float = 5.0  # for the requests after a typed message
    consent: float = 0.0  # for a person to give the consent that the chat asks for
    read: float = 15.0
    confirm: float = 25.0
    visit: float = 60.0  # all together


UNATTENDED = Limits()
# In a window, with time for a person to pass a bot check, an age gate or a consent box.
ATTENDED = Limits(load=60.0, chat=540.0, consent=180.0, read=195.0, visit=600.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """One visit to make."""

    site: str  # origin
    page_url: str  # where the settings say the chat is
    named_url: str = ""  # kept with what is captured, as in `Credentials`
    remembered_url: str = ""  # where the last capture found the chat
    browser: str  # path of the program
    is_headed: bool = False
    identity: str | None = field(default=None, repr=False)  # Playwright's storage_state as JSON
    session_id: str = field(default="", repr=False)  # the guest id
    limits: Limits = UNATTENDED


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """The result of a visit: a capture, or the cause of its failure and perhaps a screenshot (PNG in base64)."""

    cause: Cause | None = None  # of the failure, or what is odd about the capture
    reason: str = ""
    retry_after: float = 0.0  # seconds that the site asks to be left alone
    is_transient: bool = False  # the browser was killed or crashed: retrying at once may help
    steps: dict[str, float] = field(default_factory=dict)
    capture: Capture | None = field(default=None, repr=False)
    screenshot: str = field(default="", repr=False)

    @property
    def outcome(self) -> Outcome:
        """How the visit ended."""
        return Outcome.CAPTURED if self.cause is None else self.cause.outcome
