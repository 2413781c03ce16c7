"""Which addresses belong to a site, which of its links may lead to a chat, and what need not be loaded. Pure."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from urllib.parse import unquote, urldefrag, urljoin, urlsplit, urlunsplit

from shared.parsing import as_ascii, is_same_host, is_same_site

MAX_CANDIDATES = 3
_SKIPPED_KINDS = frozenset({"image", "media", "font"})
_STRONG = ("chat", "gpt", "聊天", "对话")  # anywhere in a link's path or text
_WEAK = frozenset({"ai", "assistant", "bot", "ask", "claude", "gemini", "deepseek", "llm"})  # as whole words
_OWN_PATHS = ("/wp-content/", "/wp-includes/")  # what only the site's own files have, whatever host serves them
_SCRIPTED = frozenset({"script", "fetch", "xhr"})
_REFRESH = re.compile(
    r"""\s*(\d+)(?:\.[\d.]*)?\s*(?:[;,\s]\s*(?:url\s*=\s*)?(?:"([^"]*)|'([^']*)|(.*)))?""", re.IGNORECASE | re.DOTALL
)
_WORDS = re.compile(r"[^\W\d_]+")
_NO_PAGE = re.compile(r"\.(pdf|zip|png|jpe?g|gif|webp|svg|mp[34]|xml|json|js|css|txt|apk|exe|dmg)$", re.IGNORECASE)
_NOT_FOR_GUESTS = re.compile(r"/(wp-admin|wp-login|wp-json|feed|cart|checkout|tag|category|author|privacy|terms)\b")


@dataclass(frozen=True, slots=True)
class Link:
    """A link as the page shows it."""

    href: str
    text: str


def is_wanted(kind: str, url: str, hosts: Collection[str], *, is_wide: bool = False) -> bool:
    """Whether a visit loads *url*: pictures, media, fonts and most of what other sites serve are not needed.

    *kind* is the browser's name for what is loaded ("document", "script", "image" …); *hosts* are those of the pages
    that the tab showed. *is_wide*: scripts of other hosts, and what they ask for, may be what makes the chat.
    """
    if kind in _SKIPPED_KINDS:
        return False
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or any(is_same_site(host, parts.hostname or "") for host in hosts):
        return True
    return kind in _SCRIPTED and (is_wide or any(part in parts.path for part in _OWN_PATHS))


@dataclass(frozen=True, slots=True)
class Refresh:
    """Where a page leads by itself, and after how many seconds."""

    seconds: float
    url: str


def refresh_of(page_url: str, refreshes: Iterable[str]) -> Refresh | None:
    """The first of *refreshes* (`Refresh` headers or `<meta http-equiv="refresh">`) that leads to another page."""
    for content in refreshes:
        read = _REFRESH.match(content)
        target = next((part for part in read.groups()[1:] if part), "").strip() if read else ""
        try:
            url = urldefrag(urljoin(page_url, target))[0]
            is_page = urlsplit(url).scheme in {"http", "https"}
        except ValueError:
            continue
        if read and is_page and url != urldefrag(page_url)[0]:
            return Refresh(float(read[1][:9]), url)
    return None


def own_pages(page_url: str, urls: Iterable[str], visited: Collection[str]) -> list[str]:
    """Those of *urls* that are pages of the same site, each once; *visited* ones are left out."""
    seen = {_plain(url) for url in visited}
    found = dict.fromkeys(_own_page(page_url, text) for text in urls)
    return [url for url in found if url and _plain(url) not in seen]


def _own_page(page_url: str, written: str) -> str:
    """What a page *written* as an address means, without its fragment; "" where that is not on the same site."""
    try:
        url = urldefrag(urljoin(page_url, written))[0]
        parts, host = urlsplit(url), urlsplit(page_url).hostname or ""
        is_own = parts.scheme in {"http", "https"} and is_same_site(host, parts.hostname or "")
    except ValueError:  # not an address at all
        return ""
    return url if is_own else ""


def own_address(page_url: str, written: str) -> str:
    """What a page *written* as an address means: an absolute http(s) address of its own site, or "" if it is none.

    The visit's cookie and every message go there, so a page cannot name any other place.
    """
    try:
        url = _as_secure(page_url, as_ascii(urljoin(page_url, written)))
        parts, page_host = urlsplit(url), urlsplit(page_url).hostname or ""
        is_own = parts.scheme in {"http", "https"} and is_same_site(page_host, parts.hostname or "")
    except ValueError:
        return ""
    return url if written and is_own else ""


def _as_secure(page_url: str, url: str) -> str:
    """*url* with https where the page has it and the host is the same: a site behind TLS may not know of it, and its
    own scripts reach it since browsers raise such addresses. A port of its own speaks another way."""
    page, parts = urlsplit(page_url), urlsplit(url)
    is_same = is_same_host(page.hostname or "", parts.hostname or "")
    if page.scheme != "https" or parts.scheme != "http" or not is_same or parts.port not in {None, 80, page.port}:
        return url
    host = parts.netloc.removesuffix(":80")
    return urlunsplit(("https", host, parts.path, parts.query, parts.fragment))


def is_chatty(text: str) -> bool:
    """Whether *text* speaks of a chat or a bot."""
    said = text.lower()
    return any(part in said for part in _STRONG) or bool(_WEAK & set(_WORDS.findall(said)))


def chat_candidates(page_url: str, links: Iterable[Link], visited: Collection[str]) -> list[str]:
    """The addresses of the same site that most look like a chat page, best first; the site's front page comes last.

    *visited* addresses are left out.
    """
    base = urlsplit(page_url)
    seen = {_plain(url) for url in visited}
    scores: dict[str, int] = {}
    for link in links:
        url = _own_page(page_url, link.href)
        score = _score(url, link.text) if url else 0
        if score and _plain(url) not in seen:
            scores[url] = max(score, scores.get(url, 0))
    ranked = sorted(scores, key=lambda url: (-scores[url], len(url)))
    front = f"{base.scheme}://{base.netloc}/"
    if _plain(front) not in seen and front not in ranked:
        ranked.append(front)
    return ranked[:MAX_CANDIDATES]


def _score(url: str, text: str) -> int:
    parts = urlsplit(url)
    if _NO_PAGE.search(parts.path) or _NOT_FOR_GUESTS.search(parts.path):
        return 0
    said = unquote(f"{parts.path} {text}").lower()
    strong = sum(4 for part in _STRONG if part in said)
    return strong + (2 if _WEAK & set(_WORDS.findall(said)) else 0)


def _plain(url: str) -> str:
    return url.partition("#")[0].rstrip("/")
