"""Bot checks of content delivery networks."""

from aiohttp import web

from tests.site.wire import html

_PAGE = """<!DOCTYPE html>
<html lang="en-US"><head><title>Just a moment...</title><meta name="robots" content="noindex,nofollow"></head>
<body><div class="main-wrapper" role="main"><div class="main-content">
<h1>Checking your browser</h1><p>Verify you are human by completing the action below.</p>
<div id="challenge-running"></div><noscript>Enable JavaScript and cookies to continue</noscript>
</div></div></body></html>
"""
_AWS_WAF = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title></title>
<script src="https://0123456789ab.edge.sdk.awswaf.com/0123456789ab/challenge.js"></script></head>
<body><div id="challenge-container"></div><noscript><h1>JavaScript is disabled</h1></noscript></body></html>
"""
_ANUBIS = """<!doctype html><html lang="de"><head><title>Ich stelle sicher, dass du kein Bot bist!</title>
<script id="anubis_challenge" type="application/json">{"rules":{"algorithm":"fast","difficulty":4}}</script></head>
<body id="top"><main><h1 id="title">Ich stelle sicher, dass du kein Bot bist!</h1>
<script async type="module" src="/.within.website/x/cmd/anubis/static/js/main.mjs?cacheBuster=v1.20.0"></script>
</main></body></html>
"""
_VERCEL = """<!DOCTYPE html><html lang="en"><head><title>Vercel Security Checkpoint</title></head>
<body><p id="header-text">We're verifying your browser</p><script>window.checking = true;</script></body></html>
"""
_IMUNIFY = """<!DOCTYPE html><html><head><title>One moment, please...</title></head>
<body><h1>Please wait while your request is being verified...</h1><script>window.checking = true;</script></body></html>
"""
# Of a host that lets pass whose browser runs scripts: like most of the kind, it has no title and no mark of its own.
_COOKIE = """<html><body><script src="/aes.js"></script><script>
document.cookie = "__test=4bf24b82b9e30ff2a98e7e609d919077; max-age=21600; path=/"; location.href = "/?i=1";
</script><noscript>This site requires Javascript to work</noscript></body></html>
"""
_BLOCKED = """<!DOCTYPE html><html lang="en-US"><head><title>Attention Required! | Cloudflare</title></head>
<body><div id="cf-wrapper"><div class="cf-wrapper cf-header cf-error-overview">
<h1 data-translate="block_headline">Sorry, you have been blocked</h1></div></div></body></html>
"""
_CHECKS: dict[str, tuple[str, int, dict[str, str]]] = {
    "challenge": (_PAGE, 403, {"cf-mitigated": "challenge"}),
    "aws_waf": (_AWS_WAF, 202, {"x-amzn-waf-action": "challenge"}),
    "anubis": (_ANUBIS, 200, {}),
    "imunify": (_IMUNIFY, 200, {}),
    "cookie": (_COOKIE, 200, {}),
    "blocked": (_BLOCKED, 403, {}),  # no check: what a firewall says to a request that it minds
    "vercel": (_VERCEL, 429, {"x-vercel-mitigated": "challenge", "x-vercel-challenge-token": "2.1.60.x"}),
}
CHECKS = frozenset(_CHECKS)


def challenge(request: web.BaseRequest, kind: str = "challenge") -> web.Response:
    """The check of this *kind*, marked as its maker marks it."""
    page, status, headers = _CHECKS[kind]
    return html(request, page, status, headers)
