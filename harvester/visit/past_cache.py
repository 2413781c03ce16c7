"""A fresh nonce for a page that a cache has kept too long, where the site hands out none (PROTOCOL 13 and 14)."""

import logging
from collections.abc import Iterator
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit
from uuid import uuid4

from harvester.visit.tab import PageFailed, Tab
from shared.plugins.aipkit.answers import read_json
from shared.plugins.aipkit.page import configs_in, read_configs
from shared.plugins.aipkit.probe import probe_form, takes_nonce

READ_SECONDS = 8.0  # longest wait for one answer
_AJAX_PATH = "/wp-admin/admin-ajax.php"

log = logging.getLogger(__name__)


async def is_taken(tab: Tab, ajax_url: str, nonce: str) -> bool | None:
    """Whether the site takes *nonce*, which it is asked without a message; None where it does not say."""
    try:
        _, body = await tab.post_form(ajax_url, probe_form(nonce), timeout=READ_SECONDS)
    except (PageFailed, TimeoutError):
        return None
    return takes_nonce(body)


async def fresh_nonce(tab: Tab, page_url: str, ajax_url: str, post_id: int) -> str | None:
    """A nonce that the site takes, from the same page past its cache or from core REST; None where neither has one."""
    for url in _places(page_url, ajax_url, post_id):
        try:
            status, body = await tab.get(url, timeout=READ_SECONDS)
        except (PageFailed, TimeoutError):
            continue
        nonce = nonce_in(body) if status == 200 else ""
        if nonce and await is_taken(tab, ajax_url, nonce):
            log.info("the page's nonce came out of a cache; a fresh one was found past it")
            return nonce
    return None


def nonce_in(body: bytes) -> str:
    """The chat's nonce in a page, or in what core REST tells of pages; "" where there is none."""
    told = read_json(body)
    pages = told if isinstance(told, list) else [told]
    texts = [text for page in pages if (text := _rendered(page))] or [body.decode("utf-8", "replace")]
    for text in texts:
        if (config := read_configs(configs_in(text), {})) and config.nonce:
            return config.nonce
    return ""


def _rendered(page: object) -> str:
    content = page.get("content") if isinstance(page, dict) else None
    text = content.get("rendered") if isinstance(content, dict) else None
    return text if isinstance(text, str) else ""


def _places(page_url: str, ajax_url: str, post_id: int) -> Iterator[str]:
    """Where a page may be had as it is now. Caches go by the whole address, or leave alone what has a query."""
    page = urlsplit(page_url)
    query = urlencode([*parse_qsl(page.query, keep_blank_values=True), ("nocache", uuid4().hex[:12])])
    yield urlunsplit((page.scheme, page.netloc, page.path or "/", query, ""))
    if not urlsplit(ajax_url).path.endswith(_AJAX_PATH):
        return
    root = f"{ajax_url.partition('?')[0].removesuffix(_AJAX_PATH)}/wp-json/wp/v2"
    slug = page.path.rstrip("/").rpartition("/")[2]
    for kind in ("pages", "posts"):
        if post_id:
            yield f"{root}/{kind}/{post_id}"
        elif slug:
            yield f"{root}/{kind}?{urlencode({'slug': slug})}"
