"""Which addresses belong to a site, which of its links may lead to a chat, and what need not be loaded. Pure."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

MAX_CANDIDATES = 3
_SKIPPED_KINDS = frozenset({"image", "media", "font"})
_STRONG = ("chat", "gpt", "聊天", "对话")  # anywhere in a link's path or text
_WEAK = frozenset({"ai", "assistant", "bot", "ask", "claude", "gemini", "deepseek", "llm"})  # as whole words
_WORDS = re.compile(r"[^\W\d_]+")
_NO_PAGE = re.compile(r"\.(pdf|zip|png|jpe?g|gif|webp|svg|mp[34]|xml|json|js|css|txt|apk|exe|dmg)$", re.IGNORECASE)
_NOT_FOR_GUESTS = re.compile(r"/(wp-admin|wp-login|wp-json|feed|cart|checkout|tag|category|author|privacy|terms)\b")


@dataclass(frozen=True, slots=True)
class Link:
    """A link as the page shows it."""

    href: str
    text: str


def is_same_host(host: str, other: str) -> bool:
    """Whether two host names are the same; a leading `www.` does not count."""
    return host.lower().removeprefix("www.") == other.lower().removeprefix("www.")


def is_same_site(host: str, other: str) -> bool:
    """Whether two host names are one site: equal, or one below the other; a leading `www.` does not count."""
    host, other = host.lower().removeprefix("www."), other.lower().removeprefix("www.")
    return host == other or other.endswith(f".{host}") or ("." in other and host.endswith(f".{other}"))


def is_wanted(kind: str, url: str, host: str) -> bool:
    """Whether a visit of *host* loads *url*: pictures, media, fonts and what other sites serve are not needed.

    *kind* is the browser's name for what is loaded ("document", "script", "image" …).
    """
    if kind in _SKIPPED_KINDS:
        return False
    parts = urlsplit(url)
    return parts.scheme not in {"http", "https"} or is_same_site(host, parts.hostname or "")


def chat_candidates(page_url: str, links: Iterable[Link], visited: Collection[str]) -> list[str]:
    """The addresses of the same site that most look like a chat page, best first; the site's front page comes last.

    *visited* addresses are left out.
    """
    base = urlsplit(page_url)
    seen = {_plain(url) for url in visited}
    scores: dict[str, int] = {}
    for link in links:
        try:
            url = urldefrag(urljoin(page_url, link.href))[0]
            score = _score(url, link.text, base.hostname or "")
        except ValueError:  # not an address at all
            continue
        if score and _plain(url) not in seen:
            scores[url] = max(score, scores.get(url, 0))
    ranked = sorted(scores, key=lambda url: (-scores[url], len(url)))
    front = f"{base.scheme}://{base.netloc}/"
    if _plain(front) not in seen and front not in ranked:
        ranked.append(front)
    return ranked[:MAX_CANDIDATES]


def _score(url: str, text: str, host: str) -> int:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not is_same_site(host, parts.hostname or ""):
        return 0
    if _NO_PAGE.search(parts.path) or _NOT_FOR_GUESTS.search(parts.path):
        return 0
    said = unquote(f"{parts.path} {text}").lower()
    strong = sum(4 for part in _STRONG if part in said)
    return strong + (2 if _WEAK & set(_WORDS.findall(said)) else 0)


def _plain(url: str) -> str:
    return url.partition("#")[0].rstrip("/")
