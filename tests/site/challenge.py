"""A bot check as a content network puts it before a site."""

from aiohttp import web

from tests.site.wire import html

_PAGE = """<!DOCTYPE html>
<html lang="en-US"><head><title>Just a moment...</title><meta name="robots" content="noindex,nofollow"></head>
<body><div class="main-wrapper" role="main"><div class="main-content">
<h1>Checking your browser</h1><p>Verify you are human by completing the action below.</p>
<div id="challenge-running"></div><noscript>Enable JavaScript and cookies to continue</noscript>
</div></div></body></html>
"""


def challenge(request: web.BaseRequest) -> web.Response:
    """The check: 403, marked by its header."""
    return html(request, _PAGE, 403, {"cf-mitigated": "challenge"})
