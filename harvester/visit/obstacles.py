"""Detection of obstacles before the chat: bot checks, HTTP errors, login walls, age gates, a click. Pure."""

import re
from collections.abc import Iterable
from urllib.parse import unquote, urlsplit

from harvester.visit.addresses import mentions_chat
from harvester.visit.errors import BY_HAND
from harvester.visit.tab import PageDetails, Snapshot
from shared.models import Cause
from shared.plugins import bot_checks

_ATTENDED_HINT = f"which only a person may do: {BY_HAND} opens a window for it, and the answer is kept"
_AGE = re.compile(
    r"\b(over|least|under|am|are|be) (you )?(already )?(over |at least )?(16|18|19|21)\b"
    r"|\b(16|18|19|21)\+? (years( of age| old)?|or (older|over|above))\b"
    r"|\b(verify|confirm|check) your age\b|\bage (verification|check|gate)\b|\blegal (drinking )?age\b"
    r"|\b(18|21) Jahre|Altersprüfung|Alter bestätigen|volljährig|18 ans|majeur|18 años|mayor de edad"
    r"|[年满滿]\s*(18|十八)|(18|十八)\s*[周岁歲]|成年",
    re.IGNORECASE,
)
_LOGIN = re.compile(
    r"\blog[ -]?in\b|\bsign[ -]?in\b|members? only"
    r"|anmelden|einloggen|connexion|iniciar sesi|entrar|登录|登錄|登入|ログイン",
    re.IGNORECASE,
)
_MAX_AGE_TEXT = 1500  # characters; an age gate says little else
_FEW_LINKS = 5  # a page with more is a page of the site, be it one with a protected form
_MAX_SHOWN = 60
_REFUSALS = {
    401: "the site asks for a user's name and password before the page (HTTP 401), which guests do not have",
    403: "the site refused the page with HTTP 403",
    429: "the site answered with HTTP 429: too many requests from this address",
    451: "the site may not show the page here, for legal reasons (HTTP 451)",
}


def bot_check(page: Snapshot) -> str | None:
    """The vendor of the bot check that a page certainly is; None: it is none."""
    found = bot_checks.by_scripts(page.resources) or bot_checks.by_headers(page.headers)
    return found or (None if firewall(page) else bot_checks.by_title(page.title))


def firewall(page: Snapshot) -> str | None:
    """The vendor of the firewall that lets this visitor not pass, without a check to pass; None: none."""
    return bot_checks.blocking_firewall(page.title, has_element=page.is_blocked)


def widget(page: Snapshot) -> str | None:
    """The vendor of the CAPTCHA widget of a page with little else on it; None: no such page.

    Ordinary pages have such widgets in forms, too: use this once the page's own scripts had their time and brought no
    chat.
    """
    return bot_checks.by_widgets(page.resources) if len(page.links) <= _FEW_LINKS else None


def refusal(status: int) -> tuple[Cause, str] | None:
    """Cause and reason of an HTTP error status; None: no error."""
    if status >= 500:
        return Cause.SITE_DOWN, f"the site answered with HTTP {status}; it may recover by itself"
    cause = Cause.TOO_MANY if status == 429 else Cause.REFUSED
    return (cause, _REFUSALS[status]) if status in _REFUSALS else None


def find_wall(page: Snapshot, details: PageDetails) -> tuple[Cause, str] | None:
    """Cause and reason of a login wall or an age gate; None: none was found."""
    if details.asks_password:
        path = unquote(urlsplit(page.url).path)
        if _LOGIN.search(f"{path} {page.title}") or (len(page.links) <= _FEW_LINKS and _LOGIN.search(details.text)):
            return Cause.LOGIN, f"{page.url} asks visitors to log in, and a guest cannot"
        if len(page.links) <= _FEW_LINKS or len(details.text) < _MAX_AGE_TEXT:
            return Cause.LOGIN, f"{page.url} asks for a password, which a guest does not have"
    if (
        (details.buttons or len(page.links) <= _FEW_LINKS)
        and len(details.text) < _MAX_AGE_TEXT
        and _AGE.search(f"{page.title} {details.text}")
    ):
        return Cause.AGE, f"{page.url} asks visitors to confirm their age, {_ATTENDED_HINT}"
    return None


def missing_chat(details: PageDetails, marks: Iterable[str]) -> str | None:
    """A hint that the page names a chat which the site does not have: one of the *marks* is in its place; else None."""
    start = next((index for mark in marks if mark and (index := details.text.find(mark)) >= 0), None)
    if start is None:
        return None
    quoted = " ".join(details.text[start:].split())[:_MAX_SHOWN]
    return f"in a chat's place the page says \"{quoted}\": its site's operator can mend that, or name another page"


def older_chat(details: PageDetails) -> str | None:
    """A hint that the page has the chat of an older plugin, which is not supported; else None."""
    if not details.older:
        return None
    return f"it has the chat of {details.older}, which cannot be used; its site's operator can mend that by an update"


def click_hint(details: PageDetails) -> str | None:
    """A hint that a chat may open after a click on an unknown button, which a visit does not do; else None."""
    text = next((" ".join(button.split()) for button in details.buttons if mentions_chat(button)), None)
    if text is None:
        return None
    return (
        f'its button "{text[:_MAX_SHOWN]}" may open one, but a chat that comes only after a click is not found; name a '
        f"page that shows the chat at once in FREEAICHAT_SITES, or click yourself with {BY_HAND}"
    )
