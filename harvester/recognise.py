"""Telling what stands in place of a chat: a bot check, a failing site, or an answer out of a cache. Pure.

A check is only recognised, never solved or dodged: a person may pass it in a visible browser.
"""

import re
from collections.abc import Iterable, Mapping

_TITLES = (  # lower case; beginnings of the titles that check pages carry
    ("just a moment", "Cloudflare"),
    ("attention required! | cloudflare", "Cloudflare"),
    ("checking your browser", "a browser check"),
    ("verifying you are human", "a check for humans"),
    ("verify you are human", "a check for humans"),
    ("human verification", "a check for humans"),
    ("are you a robot", "a check for humans"),
    ("robot challenge screen", "a robot check"),
    ("one moment, please", "a browser check"),
    ("ddos-guard", "DDoS-Guard"),
    ("pardon our interruption", "Imperva"),
    ("sucuri website firewall", "Sucuri"),
    ("you are being redirected", "a browser check"),
    ("client challenge", "a browser check"),
)
_WIDGETS = (  # parts of the addresses of the scripts and frames that show a check
    ("challenges.cloudflare.com", "Turnstile"),
    ("/cdn-cgi/challenge-platform/h/b/orchestrate/", "Cloudflare"),
    ("hcaptcha.com", "hCaptcha"),
    ("google.com/recaptcha", "reCAPTCHA"),
    ("recaptcha.net", "reCAPTCHA"),
    ("captcha-delivery.com", "DataDome"),
)
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
_MAX_SAID = 300
_INTERSTITIAL_LINKS = 5  # a page with more links than this is a page of the site that has a protected form
_CACHE_HIT = re.compile(r"\b(hit|stale|updating|revalidated)\b", re.IGNORECASE)


def bot_check(headers: Mapping[str, str], title: str, resources: Iterable[str], links: int) -> str | None:
    """The name of the bot check that a page without a chat is, if it is one.

    *headers* have lower-case names; *resources* are the addresses of the page's scripts and frames; *links* is how
    many links it has.
    """
    if headers.get("cf-mitigated") == "challenge":
        return "Cloudflare"
    plain = title.strip().lower()
    for beginning, name in _TITLES:
        if plain.startswith(beginning):
            return name
    if links > _INTERSTITIAL_LINKS:
        return None
    addresses = list(resources)
    return next((name for part, name in _WIDGETS if any(part in address for address in addresses)), None)


def refusal(status: int) -> str | None:
    """Why a page with this HTTP status is the site's own failure; None: the status says nothing against it."""
    if status >= 500:
        return f"the site answered with HTTP {status}; it may recover by itself"
    if status in {401, 403}:
        return f"the site refused the page with HTTP {status}"
    if status == 429:
        return "the site answered with HTTP 429: too many requests from this address"
    return None


def net_error(code: str) -> tuple[str, bool]:
    """What one of Chromium's network errors (without `net::ERR_`) means, and whether trying again at once may help."""
    if code in _NET_ERRORS:
        return _NET_ERRORS[code], code in _PASSING
    if code.startswith("CERT_"):
        return f"the site's certificate is not accepted ({code})", False
    return f"the connection to the site failed ({code})", code in _PASSING


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
