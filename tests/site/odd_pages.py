"""Pages whose chat is not in their plain markup: in frames, shadow roots, after a scroll or a click, behind walls."""

import json
from html import escape

from aiohttp import web

from tests.site.wire import html

FRAMED_PATH = "/framed/"  # nothing but the chats
LOGIN_PATH = "/members/login/"
INSERTING_SCRIPT = "/insert.js"  # on another host
INSERTING_ASSET = "/wp-content/plugins/aipkit/insert.js"  # the same, as a content network serves it
WITH_FURTHER_CHAT = frozenset({"late_link"})  # they link to /chat/
LATE = frozenset({"late", "late_link", "turnstile_late", "moved"})
_PLACE = '<div id="late"></div>'
_BELOW = '<div style="height: 5000px">Much to read</div>'
_INSERT = "document.getElementById('late').innerHTML = {chats}; window.startChats();"
_TURNSTILE = """<form><input name="email">
<div class="cf-turnstile" data-sitekey="1x00000000000000000000AA"></div></form>
<script src="https://challenges.cloudflare.com/turnstile/v0/api.js" async defer></script>
"""
_FORERUNNER = """<div class="wpaicg-chat-shortcode" data-user-name="You" data-post-id="20" data-bot-id="0"
data-nonce="0123456789" data-ai-name="AI" data-type="shortcode"><ul class="wpaicg-chat-shortcode-messages"></ul>
<div class="wpaicg-chat-shortcode-type"><textarea class="wpaicg-chat-shortcode-typing"></textarea>
<span class="wpaicg-chat-shortcode-send" role="button">Chat</span></div></div>
"""
_AGE_GATE = """<div role="dialog"><h1>Age verification</h1><p>You must be at least 18 years old to enter.</p>
<button>I am over 18</button><button>Leave</button></div>
"""
_LOGIN = """<h1>Members</h1><form method="post"><label>Name <input name="log"></label>
<label>Password <input type="password" name="pwd"></label><button>Log in</button></form>
"""
_COVERED = """<div class="aipkit_popup_wrapper"><button type="button" class="aipkit_popup_trigger">Chat</button>
<div class="aipkit_chat_container" hidden><form><textarea></textarea></form></div></div>
<div class="cookie-layer" style="position: fixed; inset: 0; background: #fffc">We use cookies <button>OK</button></div>
"""
_OPENER = '<button id="open">Ask our AI</button>'
_DETACHED = """const pop = document.getElementById("pop");
document.getElementById("open").addEventListener("click", () => document.body.append(pop));
pop.remove();"""
_LAZY = """const frame = document.querySelector("iframe");
new IntersectionObserver((seen) => {
  if (seen.some((one) => one.isIntersecting)) frame.src = frame.dataset.src;
}).observe(frame);"""


def odd_body(kind: str, base: str, chats: str, other_host: str) -> str | None:
    """The body of a page of this *kind*, None for any other; *base*: the site's path, *other_host*: an origin."""
    insert = inserting_script(chats)
    framed = f"{base}{FRAMED_PATH}"
    in_shadow = f"document.getElementById('host').attachShadow({{ mode: 'open' }}).innerHTML = {json.dumps(chats)};"
    bodies = {
        "late_link": _PLACE,
        "turnstile_late": _PLACE + _TURNSTILE,
        "moved": _PLACE,
        "frame": f'<iframe src="{framed}"></iframe>',
        "frame_srcdoc": f'<iframe srcdoc="{escape(chats)}"></iframe>',
        "frame_lazy": f'{_BELOW}<iframe data-src="{framed}"></iframe>{_script(_LAZY)}',
        "frame_clicked": f'<iframe src="about:blank" data-lazy-src="{framed}"></iframe>',
        "scrolled": f"{_PLACE}{_BELOW}{_script(_once('window', 'scroll', insert))}",
        "wheeled": f"{_PLACE}{_script(_once('window', 'wheel', insert))}",
        "shadow": f'<div id="host"></div>{_script(in_shadow)}',
        "clicked": f'{_PLACE}<button id="open">Ask our AI</button>{_script(_once("open", "click", insert))}',
        "detached": f'<div id="pop">{chats}</div>{_OPENER}{_script(_DETACHED)}',
        "template": f'<template id="pop">{chats}</template>{_OPENER}',
        "elsewhere_script": f'{_PLACE}<script defer src="{other_host}{INSERTING_SCRIPT}"></script>',
        "elsewhere_assets": f'{_PLACE}<script defer src="{other_host}{INSERTING_ASSET}"></script>',
        "refresh_far": f"<meta http-equiv='refresh' content='3600;URL=\"{framed}\"'>",
        "forerunner": _FORERUNNER,
        "age_gate": _AGE_GATE,
        "covered": _COVERED,
    }
    return bodies.get(kind)


def redirecting_page(request: web.BaseRequest, kind: str, base: str) -> web.Response:
    """A page without any script that leads to /chat/ after a second, by a meta tag or a header."""
    target = f"1; url={base}/chat/"
    if kind == "refresh_header":
        return html(request, "<html><body>You are being led on</body></html>", more={"Refresh": target})
    return html(request, f'<html><head><meta http-equiv="refresh" content="{target}"></head><body></body></html>')


def login_body() -> str:
    """The page for members."""
    return _LOGIN


def inserting_script(chats: str) -> str:
    """A script that puts the *chats* into the page."""
    return _INSERT.format(chats=json.dumps(chats))


def _script(text: str) -> str:
    safe = text.replace("</", "<\\/")
    return f"<script>{safe}</script>"


def _once(element: str, event: str, action: str) -> str:
    return f"{element}.addEventListener('{event}', () => {{ {action} }}, {{ once: true }});"
