"""From what a page showed and asked for to the values of a capture. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit, urlunsplit

from harvester.visit.addresses import is_same_host, is_same_site
from harvester.visit.requests import Observed
from shared.models import Bot
from shared.plugins.aipkit.page import GUEST_ID_KEY, read_configs

MAX_SESSION_ID = 64  # the site fails with a longer one (PROTOCOL 5)
GREETINGS = ("Hi", "Hello", "Good day")


@dataclass(frozen=True, slots=True)
class Reading:
    """What is known of a chat so far; empty values are not known."""

    ajax_url: str
    nonce: str
    session_id: str
    post_id: int
    bots: tuple[Bot, ...]
    greeting: str  # a message that may be typed: no image trigger

    @property
    def is_complete(self) -> bool:
        """Whether nothing is missing that a nonce and a guest id made by us would not mend."""
        return bool(self.ajax_url and self.bots)

    @property
    def needs_consent(self) -> bool:
        """Whether every bot asks for a consent that only the guest himself may give."""
        return bool(self.bots) and all(bot.consent_required for bot in self.bots)


def read_page(
    page_url: str, configs: Sequence[str], local_storage: Mapping[str, str], observed: Sequence[Observed]
) -> Reading:
    """Put together what the page says (*configs*: its `data-config` attributes) and what its requests said.

    The page wins, except for the nonce: one that the site was seen to take is better than one that is only written.
    """
    page = read_configs(configs, local_storage)
    proven = [one for one in observed if one.proves_nonce]
    return Reading(
        ajax_url=_own_address(page_url, page.ajax_url if page else next((one.ajax_url for one in observed), "")),
        nonce=(
            next((one.nonce for one in reversed(proven)), "")
            or (page.nonce if page else "")
            or next((one.nonce for one in observed if one.nonce), "")
        ),
        session_id=session_of(local_storage) or next((one.session_id for one in observed if one.session_id), ""),
        post_id=page.post_id if page else next((one.post_id for one in observed if one.post_id), 0),
        bots=page.bots if page else tuple(Bot(id=number, name="") for number in _bot_ids(observed)),
        greeting=_greeting(page.image_triggers if page else ()),
    )


def session_of(local_storage: Mapping[str, str]) -> str:
    """The guest id that the page keeps, if it is one the site takes."""
    session_id = local_storage.get(GUEST_ID_KEY, "")
    return session_id if len(session_id) <= MAX_SESSION_ID else ""


def _own_address(page_url: str, ajax_url: str) -> str:
    """*ajax_url* as an absolute http(s) address of the page's own site, or "" if it is none.

    The visit's cookie and every message go there, so a page cannot name any other place.
    """
    try:
        url = _as_secure(page_url, urljoin(page_url, ajax_url))
        parts, page_host = urlsplit(url), urlsplit(page_url).hostname or ""
        is_own = parts.scheme in {"http", "https"} and is_same_site(page_host, parts.hostname or "")
    except ValueError:
        return ""
    return url if ajax_url and is_own else ""


def _as_secure(page_url: str, url: str) -> str:
    """*url* with https where the page has it and the host is the same: a site behind TLS may not know of it, and its
    own scripts reach it since browsers raise such addresses. A port of its own speaks another way."""
    page, parts = urlsplit(page_url), urlsplit(url)
    is_same = is_same_host(page.hostname or "", parts.hostname or "")
    if page.scheme != "https" or parts.scheme != "http" or not is_same or parts.port not in {None, 80, page.port}:
        return url
    host = parts.netloc.removesuffix(":80")
    return urlunsplit(("https", host, parts.path, parts.query, parts.fragment))


def _bot_ids(observed: Sequence[Observed]) -> list[int]:
    return list(dict.fromkeys(one.bot_id for one in observed if one.bot_id))


def _greeting(triggers: Sequence[str]) -> str:
    """The first greeting that no trigger begins."""
    return next(word for word in (*GREETINGS, "") if not word.lower().startswith(tuple(triggers)) or not word)
