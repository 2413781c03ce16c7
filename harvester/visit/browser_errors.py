"""Classification of error messages of Chromium and Playwright. Pure."""

import re

from harvester.visit.errors import BY_HAND, PageFailed
from shared.models import Cause

_NET_ERRORS = {  # Chromium's names, without `net::ERR_`
    "NAME_NOT_RESOLVED": "the site's name cannot be resolved; check the address and this machine's network",
    "INTERNET_DISCONNECTED": "this machine has no network",
    "CONNECTION_REFUSED": "the site refuses connections",
    "CONNECTION_TIMED_OUT": "the site cannot be reached",
    "ADDRESS_UNREACHABLE": "the site cannot be reached",
    "TOO_MANY_REDIRECTS": "the page redirects in a circle",
    "ABORTED": "the address gives no page (an empty answer or a download)",
    "UNSAFE_PORT": "browsers open no connection to this port",
}
_TRANSIENT = frozenset(
    {
        *("CONNECTION_RESET", "CONNECTION_CLOSED", "EMPTY_RESPONSE", "NETWORK_CHANGED", "HTTP2_PROTOCOL_ERROR"),
        "ABORTED",  # also of a page that crashes while it loads: a retry shows which
    }
)
_NO_PAGE = frozenset({"TOO_MANY_REDIRECTS", "ABORTED", "UNSAFE_PORT"})  # the site may well be reached
_NO_SANDBOX = ("No usable sandbox", "Failed to move to new namespace", "SUID sandbox helper")
# One line of the browser's error output, as Playwright quotes it.
_OUTPUT_LINE = re.compile(r"\[err\] (?:\[[^\]]*\] )?(.+)")
_KILLED = re.compile(r"signal=SIG(KILL|TERM)|exitCode=(137|143)\b")  # the latter from a shell around the browser
_RELEVANT = re.compile(
    r"error while loading shared|cannot open shared|No usable sandbox|FATAL|not found|denied|requires"
)
_COVERING = re.compile(r"(<[^>\n]*>)[^\n]*intercepts pointer events")  # a line of Playwright's call log
_UNUSABLE = (
    ("not enabled", "it is disabled"),
    ("not editable", "it takes no text"),
    ("not visible", "it cannot be seen"),
    ("not stable", "it does not stand still"),
    ("outside of the viewport", "it is outside of the page"),
)
_MAX_QUOTED = 300


def net_error(code: str) -> PageFailed:
    """The error for one of Chromium's network errors; *code*: its name without `net::ERR_`."""
    if code.startswith("CERT_"):
        return PageFailed(f"the site's certificate is not accepted ({code})", cause=Cause.CERTIFICATE)
    reason = _NET_ERRORS.get(code, f"the connection to the site failed ({code})")
    cause = Cause.PAGE if code in _NO_PAGE else Cause.UNREACHABLE
    return PageFailed(reason, cause=cause, is_transient=code in _TRANSIENT)


def action_failure(message: str) -> str:
    """Why an element took no click or text; *message*: Playwright's whole message."""
    covering = _COVERING.search(message)
    if covering:
        return (
            f"{covering[1][:_MAX_QUOTED]} lies over it; a person may put it away with {BY_HAND}, and what "
            "the page remembers of that is kept"
        )
    return next((reason for pattern, reason in _UNUSABLE if pattern in message), "it does not react")


def is_sandbox_failure(message: str) -> bool:
    """Whether a browser did not start for want of a sandbox; *message*: Playwright's whole message."""
    return any(part in message for part in _NO_SANDBOX)


def launch_failure(message: str) -> tuple[str, bool]:
    """Why a browser did not start, and whether that is transient; *message*: as in `is_sandbox_failure`."""
    if _KILLED.search(message):
        return "it was killed", True
    if "ENOSPC" in message:
        return "there is no space left for its files; free some, or set TMPDIR to another directory", False
    output = _OUTPUT_LINE.findall(message)
    relevant = [line for line in output if _RELEVANT.search(line)] or output[-1:]
    first = message.partition("\n")[0].partition(": ")[2]
    reason = relevant[0] if relevant else "it ended at once" if "has been closed" in first else first
    return f"{reason[:_MAX_QUOTED]} (`freeaichat doctor` looks closer, `freeaichat browser install` gets one)", False
