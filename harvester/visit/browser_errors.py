"""Telling what stands in place of a chat: a bot check, a failing site, or an answer out of a cache. Pure.

A check is only recognised, never solved or dodged: a person may pass it in a visible browser.
"""

import re
from collections.abc import Iterable, Mapping
from email.utils import parsedate_to_datetime

from shared.plugins import bot_checks

MOST_RETRY_AFTER = 86400.0  # seconds; what asks for more is asked again after a day

_ANUBIS = "/.within.website/x/cmd/anubis/"  # whatever language its page has: where its scripts are
_WIDGETS = (  # parts of the addresses of the scripts and frames that show a check
    ("challenges.cloudflare.com", "Turnstile"),
    ("/cdn-cgi/challenge-platform/h/b/orchestrate/", "Cloudflare"),
    ("hcaptcha.com", "hCaptcha"),
    ("google.com/recaptcha", "reCAPTCHA"),
    ("recaptcha.net", "reCAPTCHA"),
    ("captcha-delivery.com", "DataDome"),
)
_REFUSALS = {
    401: "the site asks for a user's name and password before the page (HTTP 401), which guests do not have",
    403: "the site refused the page with HTTP 403",
    429: "the site answered with HTTP 429: too many requests from this address",
    451: "the site may not show the page here, for legal reasons (HTTP 451)",
}
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
_PASSING = frozenset(
    {
        *("CONNECTION_RESET", "CONNECTION_CLOSED", "EMPTY_RESPONSE", "NETWORK_CHANGED", "HTTP2_PROTOCOL_ERROR"),
        "ABORTED",  # also what a page that crashes while it loads looks like; the next try tells
    }
)
_NO_SANDBOX = ("No usable sandbox", "Failed to move to new namespace", "SUID sandbox helper")
_SAID = re.compile(r"\[err\] (?:\[[^\]]*\] )?(.+)")  # one line of the browser's error output, as Playwright quotes it
_KILLED = re.compile(r"signal=SIG(KILL|TERM)|exitCode=(137|143)\b")  # the latter from a shell around the browser
_TELLING = re.compile(
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
_MAX_SAID = 300
_INTERSTITIAL_LINKS = 5  # a page with more links than this is a page of the site that has a protected form
_CACHE_HIT = re.compile(r"\b(hit|stale|updating|revalidated)\b", re.IGNORECASE)


def bot_check(headers: Mapping[str, str], title: str, resources: Iterable[str]) -> str | None:
    """The name of the bot check that a page is beyond doubt, whatever else may come of it.

    *headers* have lower-case names; *resources* are the addresses of the page's scripts and frames.
    """
    if any(_ANUBIS in address for address in resources):
        return "Anubis"
    return bot_checks.by_headers(headers) or bot_checks.by_title(title)


def widget(resources: Iterable[str], links: int) -> str | None:
    """The name of the check whose widget is all that a page seems to be there for.

    Pages of a site have such widgets for their forms, too: this counts once the page's own scripts had their time and
    brought no chat. *links* is how many links it has.
    """
    if links > _INTERSTITIAL_LINKS:
        return None
    addresses = list(resources)
    return next((name for part, name in _WIDGETS if any(part in address for address in addresses)), None)


def refusal(status: int) -> str | None:
    """Why a page with this HTTP status is the site's own failure; None: the status says nothing against it."""
    if status >= 500:
        return f"the site answered with HTTP {status}; it may recover by itself"
    return _REFUSALS.get(status)


def retry_after(headers: Mapping[str, str], now: float) -> float:
    """The seconds that an answer asks to be left alone; 0.0: it asks for nothing. *headers*: lower-case names.

    A date is counted from the answer's own, since the site's clock need not be ours; *now* is for an answer without.
    """
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return float(min(int(value[:9]), MOST_RETRY_AFTER))
    until, sent = _moment(value), _moment(headers.get("date", ""))
    if until is None:
        return 0.0
    return min(max(until - (now if sent is None else sent), 0.0), MOST_RETRY_AFTER)


def _moment(date: str) -> float | None:
    """Unix seconds of an HTTP date."""
    try:
        return parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError):
        return None


def net_error(code: str) -> tuple[str, bool]:
    """What one of Chromium's network errors (without `net::ERR_`) means, and whether trying again at once may help."""
    if code in _NET_ERRORS:
        return _NET_ERRORS[code], code in _PASSING
    if code.startswith("CERT_"):
        return f"the site's certificate is not accepted ({code})", False
    return f"the connection to the site failed ({code})", code in _PASSING


def in_the_way(message: str) -> str:
    """What kept a click or a text from where it was to go; *message*: all that Playwright says of it."""
    covering = _COVERING.search(message)
    if covering:
        return (
            f"{covering[1][:_MAX_SAID]} lies over it; a person may put it away with `freeaichat harvest --headed`, "
            "and what the page remembers of that is kept"
        )
    return next((why for part, why in _UNUSABLE if part in message), "it does not react")


def is_sandbox_failure(message: str) -> bool:
    """Whether a browser that did not start (*message*: all that Playwright says of it) lacked its sandbox."""
    return any(part in message for part in _NO_SANDBOX)


def launch_failure(message: str) -> tuple[str, bool]:
    """Why a browser did not start, and whether trying again at once may help; *message*: as `is_sandbox_failure`."""
    if _KILLED.search(message):
        return "it was killed", True
    if "ENOSPC" in message:
        return "there is no space left for its files; free some, or set TMPDIR to another directory", False
    said = _SAID.findall(message)
    telling = [line for line in said if _TELLING.search(line)] or said[-1:]
    first = message.partition("\n")[0].partition(": ")[2]
    why = telling[0] if telling else "it ended at once" if "has been closed" in first else first
    return f"{why[:_MAX_SAID]} (`freeaichat doctor` looks closer, `freeaichat browser install` gets one)", False


def is_from_cache(headers: Mapping[str, str]) -> bool:
    """Whether a page came out of a cache on the way, so that its nonce may be old. *headers*: lower-case names."""
    age = headers.get("age", "")
    if age.isdigit() and int(age[:9]) > 0:
        return True
    names = (name for name in headers if "cache" in name and name != "cache-control")
    return any(_CACHE_HIT.search(headers[name]) for name in names)
