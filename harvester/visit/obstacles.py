"""What stands between a guest and the chat: bot checks, HTTP errors, login walls, age gates, a click. Pure."""

import re
from collections.abc import Iterable
from urllib.parse import unquote, urlsplit

from harvester.visit.addresses import is_chatty
from harvester.visit.tab import Signs, Snapshot
from shared.models import Cause
from shared.plugins import bot_checks

BY_HAND = "which only a person may do: `freeaichat harvest --headed` opens a window for it, and the answer is kept"
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
    """Whose bot check a page is beyond doubt, whatever else may come of it."""
    return (
        bot_checks.by_scripts(page.resources) or bot_checks.by_headers(page.headers) or bot_checks.by_title(page.title)
    )


def widget(page: Snapshot) -> str | None:
    """Whose bot check's widget is all that a page seems to be there for.

    Pages of a site have such widgets for their forms, too: this counts once the page's own scripts had their time and
    brought no chat.
    """
    return bot_checks.by_widgets(page.resources) if len(page.links) <= _FEW_LINKS else None


def refusal(status: int) -> tuple[Cause, str] | None:
    """Why a page with this HTTP status is the site's own failure; None: the status says nothing against it."""
    if status >= 500:
        return Cause.SITE_DOWN, f"the site answered with HTTP {status}; it may recover by itself"
    cause = Cause.TOO_MANY if status == 429 else Cause.REFUSED
    return (cause, _REFUSALS[status]) if status in _REFUSALS else None


def wall(page: Snapshot, signs: Signs) -> tuple[Cause, str] | None:
    """Why the page lets guests see nothing of the site; None: nothing seems to stand before it."""
    if signs.asks_password:
        place = unquote(urlsplit(page.url).path)
        if _LOGIN.search(f"{place} {page.title}") or (len(page.links) <= _FEW_LINKS and _LOGIN.search(signs.text)):
            return Cause.LOGIN, f"{page.url} asks visitors to log in, and a guest cannot"
        if len(page.links) <= _FEW_LINKS or len(signs.text) < _MAX_AGE_TEXT:
            return Cause.LOGIN, f"{page.url} asks for a password, which a guest does not have"
    if (
        (signs.buttons or len(page.links) <= _FEW_LINKS)
        and len(signs.text) < _MAX_AGE_TEXT
        and _AGE.search(f"{page.title} {signs.text}")
    ):
        return Cause.AGE, f"{page.url} asks visitors to confirm their age, {BY_HAND}"
    return None


def missing_chat(signs: Signs, marks: Iterable[str]) -> str | None:
    """That the page names a chat which its site does not have: one of the *marks* stands in its place."""
    at = next((begin for mark in marks if mark and (begin := signs.text.find(mark)) >= 0), None)
    if at is None:
        return None
    said = " ".join(signs.text[at:].split())[:_MAX_SHOWN]
    return f"in a chat's place the page says \"{said}\": its site's operator can mend that, or name another page"


def older_chat(signs: Signs) -> str | None:
    """That the page has the chat of an older plugin, which no visit can use."""
    if not signs.older:
        return None
    return f"it has the chat of {signs.older}, which cannot be used; its site's operator can mend that by an update"


def click_hint(signs: Signs) -> str | None:
    """That a chat may come after a click; a visit clicks on nothing that it does not know."""
    said = next((" ".join(button.split()) for button in signs.buttons if is_chatty(button)), None)
    if said is None:
        return None
    return (
        f'its button "{said[:_MAX_SHOWN]}" may open one, but a chat that comes only after a click is not found; name a '
        "page that shows the chat at once in FREEAICHAT_SITES, or click yourself with `freeaichat harvest --headed`"
    )
