"""The site's pages. The one at `/` takes the form that `Behaviour.page` names."""

import asyncio
import json
import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING

from aiohttp import web

from tests.site.bad_pages import DOWNLOAD_PATH, WINDOW_PATH, WITH_CHATS, WITH_LINK, bad_markup
from tests.site.bots import SiteBot
from tests.site.challenge import CHECKS, challenge
from tests.site.markup import PageFacts, inline_chat, popup_chat
from tests.site.nonces import BOUND_COOKIE, token_in
from tests.site.odd_pages import (
    FRAMED_PATH,
    INSERTING_ASSET,
    INSERTING_SCRIPT,
    LATE,
    LOGIN_PATH,
    WITH_FURTHER_CHAT,
    inserting_script,
    login_body,
    odd_body,
    redirecting_page,
)
from tests.site.resources import SCRIPT_PATH, resource_tags
from tests.site.wire import ajax_json, html

if TYPE_CHECKING:
    from tests.site.server import SimulatedSite

# Whole Set-Cookie values whose characters need care, for `Behaviour.page_cookies`.
ODD_COOKIES = (
    "session_mark=a|b,c$d%20e; Path=/",
    'quoted="x y\\z"; Path=/; HttpOnly',
    "kept=1=2==; Path=/; Max-Age=86400; SameSite=Lax",
    "hidden=$HOME'`; Path=/; Max-Age=86400; HttpOnly",
)
LATE_PATH = "/late-chats/"
_REST_PAGES = "wp/v2/pages"
_NEW_TOKEN = web.RequestKey("new_token", str)
_POST_IDS = {"/chat/": 18, "/all/": 19, "/": 20, "/draft/": 22}
_PLAIN_PAGES = {"/about/": "About us", "/contact/": "Contact", "/blog/": "Blog"}
_PLAIN_FORM = """<form class="plain_chat" onsubmit="return false"><div class="aipkit_chat_messages"></div>
<textarea name="message" placeholder="Ask anything"></textarea>
<button type="button" class="aipkit_chat_action_btn">Send</button></form>"""

_BODIES = {
    "late": '<div id="late"></div>',
    "links": "<p>Welcome. Our assistant is on its own page.</p>",
    "bare_form": _PLAIN_FORM,
}


async def page(site: "SimulatedSite", request: web.BaseRequest, path: str) -> web.StreamResponse:
    """Answer a request for *path* (below the site's base path)."""
    site.record(request, "", dict(request.query))
    if path == "/":
        await asyncio.sleep(site.behaviour.page_delay)
        return await _home(site, request)
    if path.startswith(WINDOW_PATH):
        return await _window(site, path)
    if path == DOWNLOAD_PATH:
        return _file()
    if path in _POST_IDS:
        return _finished(site, request, html(request, _document(site, request, _chats(site, request, path))))
    if (route := _rest_route(site, request, path)) is not None:
        return _rest(site, request, route)
    return _plain(site, request, path)


def _plain(site: "SimulatedSite", request: web.BaseRequest, path: str) -> web.Response:
    """A page without a chat, what other pages show of one, or no page."""
    if path in {LATE_PATH, FRAMED_PATH}:
        return html(request, _inline(site, request, _shown(site), "/"))
    found = f"<h1>{_PLAIN_PAGES[path]}</h1>" if path in _PLAIN_PAGES else ""
    body = login_body() if path == LOGIN_PATH else found
    return html(request, _document(site, request, body or "<h1>Page not found</h1>"), 200 if body else 404)


async def _home(site: "SimulatedSite", request: web.BaseRequest) -> web.StreamResponse:
    behaviour, kind = site.behaviour, site.behaviour.page
    if behaviour.page_status != 200:
        text = "<p>There has been a critical error on this website.</p>"
        more = {"Retry-After": behaviour.page_retry_after} if behaviour.page_retry_after else {}
        return html(request, f"<html><body>{text}</body></html>", behaviour.page_status, more)
    if kind in {"endless_blank", "endless_chat"}:
        return await _endless(site, request)
    if (other := _intercepted(site, request)) is not None:
        return other
    return _finished(site, request, html(request, _document(site, request, _home_body(site, request))))


def _intercepted(site: "SimulatedSite", request: web.BaseRequest) -> web.Response | None:
    """The response that replaces the site's own page, if any."""
    kind = site.behaviour.page
    if kind in CHECKS:
        return challenge(request, kind)
    if (target := _target(site, request)) is not None:
        return web.Response(status=302, headers={"Location": target})
    if kind in {"refresh", "refresh_header"}:
        return redirecting_page(request, kind, site.base_path)
    return _file() if kind == "download" else None


def _target(site: "SimulatedSite", request: web.BaseRequest) -> str | None:
    """Where the page at `/` leads at once, if it does."""
    match site.behaviour.page:
        case "redirects":
            return site.url
        case "login":
            return f"{site.base_path}{LOGIN_PATH}"
        case "moved" if request.host != site.other_host:
            return f"http://{site.other_host}{site.base_path}/"
        case _:
            return None


def _rest_route(site: "SimulatedSite", request: web.BaseRequest, path: str) -> str | None:
    """What is asked of core REST; None where it is not asked."""
    root, _, query = site.behaviour.rest_root.partition("?")
    if query:
        return request.query.get("rest_route", "").lstrip("/") or None if path == root else None
    return path.removeprefix(root) if path.startswith(root) else None


def _rest(site: "SimulatedSite", request: web.BaseRequest, route: str) -> web.Response:
    """A page as core REST tells it, by its id or its slug: no cache keeps it, and its chats have no `postId`."""
    number = route.removeprefix(_REST_PAGES).strip("/")
    pages = {str(post_id): path for path, post_id in _POST_IDS.items()}
    slugs = {path.strip("/"): path for path in _POST_IDS if path != "/"}
    path = pages.get(number) if number else slugs.get(request.query.get("slug", ""))
    if not site.behaviour.rest_pages or path is None or not route.startswith(_REST_PAGES):
        return ajax_json(request, {"code": "rest_no_route", "data": {"status": 404}}, 404)
    facts = PageFacts(site.ajax_url, site.nonce, 0)
    text = "".join(inline_chat(bot, facts) for bot in _shown(site))
    page = {"id": _POST_IDS[path], "slug": path.strip("/"), "content": {"rendered": text, "protected": False}}
    return ajax_json(request, page if number else [page])


def _home_body(site: "SimulatedSite", request: web.BaseRequest) -> str:
    kind = site.behaviour.page
    bad = bad_markup(kind, site.base_path)
    if kind == "inline" or kind in WITH_CHATS:
        return bad + _chats(site, request, "/")
    if kind == "popup":
        return _popups(site, request)
    chats = _chats(site, request, "/")
    unusual = odd_body(kind, site.base_path, chats, f"http://localhost:{site.third_party_port}")
    if unusual is not None:
        return unusual
    return bad or _BODIES.get(kind, "<p>Nothing here yet.</p>")


async def _window(site: "SimulatedSite", path: str) -> web.Response:
    if path == WINDOW_PATH:
        return web.Response(status=302, headers={"Location": f"{site.base_path}{WINDOW_PATH}slow/"})
    await asyncio.sleep(1.0)
    return web.Response(text="An offer")


def _file() -> web.Response:
    headers = {"Content-Disposition": 'attachment; filename="report.bin"'}
    return web.Response(body=b"\0" * 1000, content_type="application/octet-stream", headers=headers)


async def _endless(site: "SimulatedSite", request: web.BaseRequest) -> web.StreamResponse:
    body = _chats(site, request, "/") if site.behaviour.page == "endless_chat" else "<p>Loading</p>"
    head = _document(site, request, body).removesuffix("</body></html>\n")
    response = web.StreamResponse(headers={"Content-Type": "text/html; charset=UTF-8"})
    with site.unfinished_pages.counted():
        await response.prepare(request)
        await response.write(head.encode())
        await asyncio.Event().wait()
    return response


def _finished(site: "SimulatedSite", request: web.BaseRequest, response: web.Response) -> web.Response:
    """Add the page's cookies."""
    if site.behaviour.cookie_bound_nonce:
        response.headers.add("Set-Cookie", f"{BOUND_COOKIE}={_token(request)}; Path=/; HttpOnly")
    for cookie in site.behaviour.page_cookies:
        response.headers.add("Set-Cookie", cookie)
    return response


def _token(request: web.BaseRequest) -> str:
    """The visitor's token: the one he has, or one made for this request."""
    if known := token_in(request.headers.get("Cookie", "")):
        return known
    if _NEW_TOKEN not in request:
        request[_NEW_TOKEN] = secrets.token_hex(16)
    return request[_NEW_TOKEN]


def _shown(site: "SimulatedSite") -> list[SiteBot]:
    return [bot for bot in site.bots.values() if bot.published and not bot.popup]


def _chats(site: "SimulatedSite", request: web.BaseRequest, path: str) -> str:
    bots = list(site.bots.values())
    drafts = [bot for bot in bots if not bot.published]
    shown = _shown(site) or bots
    on_page = {
        "/chat/": shown[:1],
        "/draft/": [*drafts, shown[0], shown[0]],
        "/all/": [*shown, shown[0]],
        "/": shown,
    }
    return _inline(site, request, on_page[path], path)


def inserted_chats(site: "SimulatedSite", request: web.BaseRequest) -> web.Response | None:
    """The script of another host that puts the chats into the page at `/`, if that is what *request* asks for."""
    if request.path not in {INSERTING_SCRIPT, INSERTING_ASSET}:
        return None
    return web.Response(text=inserting_script(_chats(site, request, "/")), content_type="text/javascript")


def _popups(site: "SimulatedSite", request: web.BaseRequest) -> str:
    """The popups of the page at `/`; where the site has none, all its chats as popups."""
    facts = _facts(site, request, "/")
    bots = [bot for bot in site.bots.values() if bot.popup] or _shown(site)
    return "".join(popup_chat(bot, facts) for bot in bots)


def _inline(site: "SimulatedSite", request: web.BaseRequest, bots: Sequence[SiteBot], path: str) -> str:
    facts = _facts(site, request, path)
    return "".join(inline_chat(bot, facts) for bot in bots)


def _facts(site: "SimulatedSite", request: web.BaseRequest, path: str) -> PageFacts:
    behaviour = site.behaviour
    token = _token(request) if behaviour.cookie_bound_nonce else ""
    is_cached = behaviour.stale_page_nonce and not (behaviour.cache_minds_queries and request.query_string)
    nonce = site.nonces.current(token, ticks_ago=5 if is_cached else 0)
    shown = nonce if behaviour.page_nonce is None else behaviour.page_nonce
    moved = site.ajax_url.replace(site.origin, f"http://{site.other_host}")
    return PageFacts(moved if behaviour.page == "moved" else site.ajax_url, shown, _POST_IDS[path])


def _document(site: "SimulatedSite", request: web.BaseRequest, body: str) -> str:
    links = [("/", "Home"), ("/about/", "About us"), ("/contact/", "Contact"), ("/blog/", "Blog")]
    if site.behaviour.page in {"inline", "links"} | WITH_LINK | WITH_FURTHER_CHAT:
        links.insert(2, ("/chat/", "Chat with our AI"))
    nav = "".join(f'<li><a href="{site.base_path}{path}">{text}</a></li>' for path, text in links)
    script = f'<script src="{site.base_path}{SCRIPT_PATH}"></script>'
    if site.behaviour.names_rest:
        rest = f"{site.url.removesuffix('/')}{site.behaviour.rest_root}"
        script = f'<link rel="https://api.w.org/" href="{rest}" />{script}'
    return (
        '<!DOCTYPE html>\n<html lang="en-US"><head><meta charset="UTF-8"><title>A site with a chat</title>\n'
        f"<script>window.simulatedSite = {_script_settings(site, request)};</script>\n{script}\n</head>\n"
        f'<body class="page"><nav><ul>{nav}</ul></nav>\n<main>\n{body}</main>\n{resource_tags(site)}</body></html>\n'
    )


def _script_settings(site: "SimulatedSite", request: web.BaseRequest) -> str:
    behaviour = site.behaviour
    is_home = request.path == f"{site.base_path}/"
    settings: dict[str, object] = {"makesGuestId": behaviour.makes_guest_id}
    if is_home and behaviour.page in LATE:
        settings |= {"lateUrl": f"{site.base_path}{LATE_PATH}", "lateMs": behaviour.late_ms}
    if is_home and behaviour.page == "bare_form":
        facts = _facts(site, request, "/")
        first = (_shown(site) or list(site.bots.values()))[0]
        settings["plainChat"] = {"botId": first.id, "ajaxUrl": facts.ajax_url, "nonce": facts.nonce, "postId": 0}
    return json.dumps(settings)
