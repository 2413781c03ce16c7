"""URLs of a visited site: which belong to it, which may lead to a chat, which need not be loaded. Pure."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from urllib.parse import unquote, urldefrag, urljoin, urlsplit, urlunsplit

from shared.urls import as_ascii, is_same_host, is_same_site

MAX_CANDIDATES = 3
_SKIPPED_KINDS = frozenset({"image", "media", "font"})
_STRONG_HINTS = ("chat", "gpt", "聊天", "对话")  # anywhere in a link's path or text
_WEAK_HINTS = frozenset({"ai", "assistant", "bot", "ask", "claude", "gemini", "deepseek", "llm"})  # as whole words
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


def should_load(kind: str, url: str, hosts: Collection[str], *, is_wide: bool = False) -> bool:
    """Whether a visit loads *url*: not images, media, fonts and most resources of other sites.

    *kind*: Playwright's resource type ("document", "script", "image" …); *hosts*: those of the pages that the tab
    showed. *is_wide*: load scripts of other hosts, and their requests, too, since they may create the chat.
    """
    if kind in _SKIPPED_KINDS:
        return False
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or any(is_same_site(host, parts.hostname or "") for host in hosts):
        return True
    return kind in _SCRIPTED and (is_wide or any(part in parts.path for part in _OWN_PATHS))


@dataclass(frozen=True, slots=True)
class Refresh:
    """The target of a page's refresh, and its delay in seconds."""

    seconds: float
    url: str


def find_refresh(page_url: str, refreshes: Iterable[str]) -> Refresh | None:
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


def pages_on_site(page_url: str, urls: Iterable[str], visited: Collection[str]) -> list[str]:
    """Those of *urls* that are pages of the same site, each once, without *visited* ones."""
    seen = {_normalized(url) for url in visited}
    found = dict.fromkeys(_page_on_site(page_url, text) for text in urls)
    return [url for url in found if url and _normalized(url) not in seen]


def _page_on_site(page_url: str, written: str) -> str:
    """*written* resolved against *page_url*, without its fragment; "" where it is not on the same site."""
    try:
        url = urldefrag(urljoin(page_url, written))[0]
        return url if _is_on_site(page_url, url) else ""
    except ValueError:  # not an address at all
        return ""


def url_on_site(page_url: str, written: str) -> str:
    """*written* resolved against *page_url*: an absolute http(s) URL of the same site, else "".

    The guest's cookie and messages are sent there, so other sites are refused.
    """
    try:
        url = _as_secure(page_url, as_ascii(urljoin(page_url, written)))
        return url if written and _is_on_site(page_url, url) else ""
    except ValueError:
        return ""


def _is_on_site(page_url: str, url: str) -> bool:
    """Whether *url* is an http(s) URL of the same site. Raises ValueError where it is no address."""
    parts = urlsplit(url)
    return parts.scheme in {"http", "https"} and is_same_site(urlsplit(page_url).hostname or "", parts.hostname or "")


def _as_secure(page_url: str, url: str) -> str:
    """*url* with https if the page has it and the host is the same: a site behind a TLS proxy may write http, which
    browsers upgrade. Not for another port."""
    page, parts = urlsplit(page_url), urlsplit(url)
    is_same = is_same_host(page.hostname or "", parts.hostname or "")
    if page.scheme != "https" or parts.scheme != "http" or not is_same or parts.port not in {None, 80, page.port}:
        return url
    host = parts.netloc.removesuffix(":80")
    return urlunsplit(("https", host, parts.path, parts.query, parts.fragment))


def mentions_chat(text: str) -> bool:
    """Whether *text* mentions a chat or a bot."""
    lowered = text.lower()
    return any(part in lowered for part in _STRONG_HINTS) or bool(_WEAK_HINTS & set(_WORDS.findall(lowered)))


def chat_candidates(page_url: str, links: Iterable[Link], visited: Collection[str]) -> list[str]:
    """The URLs of the same site that most look like a chat page, best first; the front page comes last.

    *visited* URLs are left out.
    """
    base = urlsplit(page_url)
    seen = {_normalized(url) for url in visited}
    scores: dict[str, int] = {}
    for link in links:
        url = _page_on_site(page_url, link.href)
        score = _score(url, link.text) if url else 0
        if score and _normalized(url) not in seen:
            scores[url] = max(score, scores.get(url, 0))
    ranked = sorted(scores, key=lambda url: (-scores[url], len(url)))
    front = f"{base.scheme}://{base.netloc}/"
    if _normalized(front) not in seen and front not in ranked:
        ranked.append(front)
    return ranked[:MAX_CANDIDATES]


def _score(url: str, text: str) -> int:
    parts = urlsplit(url)
    if _NO_PAGE.search(parts.path) or _NOT_FOR_GUESTS.search(parts.path):
        return 0
    words = unquote(f"{parts.path} {text}").lower()
    strong = sum(4 for part in _STRONG_HINTS if part in words)
    return strong + (2 if _WEAK_HINTS & set(_WORDS.findall(words)) else 0)


def _normalized(url: str) -> str:
    return url.partition("#")[0].rstrip("/")
