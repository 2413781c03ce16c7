"""Detection of bot checks in front of a site. A check is only recognised, never solved or evaded."""

import re
from collections.abc import Iterable, Mapping
from html import unescape

from shared.plugins.lenient_json import bare

_HEADERS = {  # lower-case name: the values that mean a check, and its vendor
    "cf-mitigated": ({"challenge"}, "Cloudflare"),
    "x-amzn-waf-action": ({"challenge", "captcha"}, "AWS WAF"),
    "x-vercel-mitigated": ({"challenge"}, "Vercel"),
    "sg-captcha": ({"challenge"}, "SiteGround"),
}
_TITLES = (  # lower case; beginnings of the titles that check pages carry
    ("just a moment", "Cloudflare"),
    ("attention required! | cloudflare", "Cloudflare"),
    ("vercel security checkpoint", "Vercel"),
    ("making sure you're not a bot", "Anubis"),
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
_SCRIPTS = (  # parts of addresses that only check pages name
    ("/.within.website/x/cmd/anubis/", "Anubis"),
    ("/.well-known/sgcaptcha/", "SiteGround"),
)
_CLOUDFLARE = "/orchestrate/"  # below /cdn-cgi/challenge-platform/, like the scripts of ordinary pages
_WIDGETS = (  # parts of the addresses of scripts and frames; pages of a site have them for their forms, too
    ("challenges.cloudflare.com", "Turnstile"),
    (_CLOUDFLARE, "Cloudflare"),
    ("hcaptcha.com", "hCaptcha"),
    ("google.com/recaptcha", "reCAPTCHA"),
    ("recaptcha.net", "reCAPTCHA"),
    ("captcha-delivery.com", "DataDome"),
)
_REFUSED_MARKUP = (_CLOUDFLARE, "cf-turnstile", "g-recaptcha", "h-captcha", "just a moment")
# What firewalls show whom they let not pass: there is no check to pass, whatever else the title says.
BLOCKED_ELEMENT = 'data-translate="block_headline"'  # Cloudflare's; in brackets a CSS selector
_BLOCKED_TITLE = "sucuri website firewall - access denied"
_REFUSED_STATUSES = frozenset({403, 429, 503})
_PASSING_STATUSES = frozenset({200, 202, 468})  # of checks that answer as if nothing were amiss, and SafeLine's own
_LOOKED_AT = 64 * 1024  # bytes of a page
_TITLE = re.compile(r"<title[^>]{0,200}>([^<]{0,300})<", re.IGNORECASE)


def by_headers(headers: Mapping[str, str]) -> str | None:
    """The vendor of the bot check that *headers* show (names in lower case); None: no check."""
    for name, (values, vendor) in _HEADERS.items():
        if headers.get(name, "").strip().lower() in values:
            return vendor
    return None


def by_page(status: int, body: bytes) -> bool:
    """Whether a page fetched without a browser is a bot check, by its HTTP status and HTML."""
    html = body[:_LOOKED_AT].decode("utf-8", "replace")
    title, lowered = _TITLE.search(html), html.lower()
    if blocking_firewall(html):
        return False
    is_refusal = status in _REFUSED_STATUSES and any(mark in lowered for mark in _REFUSED_MARKUP)
    return bool((title and by_title(unescape(title[1]))) or by_scripts([lowered]) or is_refusal)


def in_place_of_answer(status: int, body: bytes) -> bool:
    """Whether what came in place of a plugin's answer is a bot check: one that is known, or any page that works by a
    script, as hosts have them that let pass whose browser has set a cookie."""
    is_page = status in _PASSING_STATUSES and bare(body[:_LOOKED_AT]).startswith(b"<")
    return by_page(status, body) or (is_page and b"<script" in body[:_LOOKED_AT].lower())


def by_title(title: str) -> str | None:
    """The vendor of the bot check with this page title; None: no check."""
    plain = title.strip().lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    return next((vendor for beginning, vendor in _TITLES if plain.startswith(beginning)), None)


def blocking_firewall(text: str, *, has_element: bool = False) -> str | None:
    """The vendor of the firewall whose page of refusal this is; None: it is none.

    *text*: its HTML, or its title and by *has_element* whether it has an element with `BLOCKED_ELEMENT`.
    """
    lowered = text.lower()
    if has_element or BLOCKED_ELEMENT in lowered:
        return "Cloudflare"
    return "Sucuri" if _BLOCKED_TITLE in lowered else None


def by_scripts(texts: Iterable[str]) -> str | None:
    """The vendor of the bot check that a page's HTML or script URLs show; None: no check."""
    return _vendor_in(texts, _SCRIPTS)


def by_widgets(addresses: Iterable[str]) -> str | None:
    """The vendor of the CAPTCHA widget among script and frame URLs, be it of a check page or of a form; None: none."""
    return _vendor_in(addresses, _WIDGETS)


def _vendor_in(texts: Iterable[str], marks: Iterable[tuple[str, str]]) -> str | None:
    found = list(texts)
    return next((vendor for mark, vendor in marks if any(mark in text for text in found)), None)
