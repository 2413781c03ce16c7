"""What is sure to be a check of visitors that stands before a site: told by its headers or its title. Pure.

A check is only recognised, never solved or dodged.
"""

from collections.abc import Mapping

_HEADERS = {  # lower-case name: the values that mean a check, and whose it is
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


def by_headers(headers: Mapping[str, str]) -> str | None:
    """Whose check an answer with these *headers* is; None: nobody's. They are looked up in lower case."""
    for name, (values, whose) in _HEADERS.items():
        if headers.get(name, "").strip().lower() in values:
            return whose
    return None


def by_title(title: str) -> str | None:
    """Whose check a page with this *title* is; None: nobody's."""
    plain = title.strip().lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    return next((whose for beginning, whose in _TITLES if plain.startswith(beginning)), None)
