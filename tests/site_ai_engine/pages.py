"""The site's pages. The one at `/` takes the form that `Behaviour.page` names; `/all/` has every chat."""

import asyncio
from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web

from tests.site.wire import html, php_json
from tests.site_ai_engine.bots import EngineBot
from tests.site_ai_engine.markup import CONSENT_COOKIE, Rendering, container, discussions

if TYPE_CHECKING:
    from tests.site_ai_engine.server import SimulatedAiEngine

SCRIPT_PATH = "/wp-content/plugins/ai-engine/app/chatbot.js"
LATE_PATH = "/late-chats/"
FRAMED_PATH = "/framed/"
REST_PAGES = "/wp/v2/pages"
_SCRIPT = Path(__file__).with_name("chatbot.js")
_CONTEXTS = {"/": 104, "/chat/": 101, "/all/": 112, FRAMED_PATH: 105}
_LATE_SCRIPT = """<script>document.addEventListener("DOMContentLoaded", () => setTimeout(async () => {
  document.getElementById("late").innerHTML = await (await fetch("%s")).text();
}, %d));</script>"""


async def page(site: "SimulatedAiEngine", request: web.BaseRequest, path: str) -> web.StreamResponse:
    """Answer a request for *path*, below the site's base path."""
    if path == SCRIPT_PATH:
        return web.Response(body=_SCRIPT.read_bytes(), content_type="text/javascript", charset="utf-8")
    if path == LATE_PATH:
        return html(request, chats(site, request, path, site.shown))
    if path == "/" and site.behaviour.page_status != 200:
        return html(request, document("<p>There has been a critical error.</p>", script=""), site.behaviour.page_status)
    if path not in _CONTEXTS:
        return html(request, document("<h1>Page not found</h1>", script=""), 404)
    body, script = _body(site, request, path), f'<script src="{site.base_path}{SCRIPT_PATH}"></script>'
    text = document(body + site.more_markup, script=script)
    if path == "/" and site.behaviour.page == "frameset":
        text = f'<html><frameset cols="*"><frame src="{site.base_path}{FRAMED_PATH}"></frameset></html>'
    if path == "/" and site.behaviour.page == "endless":
        return await _endless(site, request, text)
    return html(request, text)  # of a cache's page no header tells, as with the commonest of them


def _body(site: "SimulatedAiEngine", request: web.BaseRequest, path: str) -> str:
    kind = site.behaviour.page if path == "/" else "inline"
    base = site.base_path
    match kind:
        case "late":
            return f'<div id="late"></div>{_LATE_SCRIPT % (base + LATE_PATH, site.behaviour.late_ms)}'
        case "links":
            return f'<p>Welcome.</p><a href="{base}/chat/">Chat with our assistant</a>'
        case "frame":
            return f'<iframe src="{base}{FRAMED_PATH}"></iframe>'
        case "frame_srcdoc":
            script = f'<script src="{base}{SCRIPT_PATH}"></script>'
            inner = document(chats(site, request, path, site.shown), script=script)
            return f'<iframe srcdoc="{escape(inner)}"></iframe>'
        case "blank":
            return "<p>Welcome.</p>"
        case _:
            return chats(site, request, path, site.everything if path == "/all/" else site.shown)


def chats(site: "SimulatedAiEngine", request: web.BaseRequest, path: str, bots: Iterable[EngineBot]) -> str:
    """The containers of *bots*, and what stands around them."""
    behaviour, context_id = site.behaviour, _CONTEXTS.get(path)
    asks = behaviour.consent and f"{CONSENT_COOKIE}=1" not in request.headers.get("Cookie", "")
    rendering = Rendering(context_id, asks, _cached_for(site, request))
    lists = [discussions(site, next(iter(bots)), rendering)] if behaviour.discussions else []
    return "\n".join([*lists, *(container(site, bot, rendering) for bot in bots)])


def _cached_for(site: "SimulatedAiEngine", request: web.BaseRequest) -> str:
    """For whom the page cache has stored the page; "": not cached."""
    return "" if site.behaviour.kept_address and "nocache" in request.query else site.behaviour.kept_for


def document(body: str, *, script: str) -> str:
    """A whole page."""
    head = '<meta charset="utf-8"><title>A site with a chat</title>'
    return f"<!DOCTYPE html>\n<html><head>{head}</head><body>\n{body}\n{script}\n</body></html>"


def rest_pages(site: "SimulatedAiEngine", request: web.BaseRequest, number: str) -> web.Response:
    """Core REST: the page of this number as it is now; its chats know no `contextId` there."""
    if not number.isdigit() or int(number) not in _CONTEXTS.values():
        return web.Response(status=404, body=php_json({"code": "rest_post_invalid_id"}).encode())
    markup = "".join(container(site, bot, Rendering(None)) for bot in site.shown)
    body = php_json({"id": int(number), "content": {"rendered": markup}}, ascii_only=True)
    return web.Response(body=body.encode(), content_type="application/json")


async def _endless(site: "SimulatedAiEngine", request: web.BaseRequest, text: str) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/html; charset=UTF-8"})
    await response.prepare(request)
    await response.write(text.partition("</body>")[0].encode())
    with site.unfinished_pages.counted():
        await asyncio.Event().wait()
    return response
