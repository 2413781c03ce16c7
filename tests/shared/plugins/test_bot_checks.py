"""Recognizing the pages of bot checks without a browser."""

import pytest

from shared.plugins.bot_checks import by_page

PLATFORM = "<title>Ein Moment</title><script src='/cdn-cgi/challenge-platform"


@pytest.mark.parametrize(
    ("status", "html", "is_check"),
    [
        (403, f"{PLATFORM}/h/g/orchestrate/chl_page/v1?ray=9'></script>", True),
        (403, f"{PLATFORM}/scripts/jsd/main.js'></script>", False),  # Cloudflare puts it into a firewall's page, too
        (200, f"{PLATFORM}/scripts/jsd/main.js'></script>", False),
        (503, "<div class='cf-turnstile'></div>", True),
        (200, "<div class='cf-turnstile'></div>", False),
        (200, "<title>Just a moment...</title>", True),
        (403, "<title>Attention Required! | Cloudflare</title><h2>One more step</h2>", True),
        (403, '<title>Attention Required! | Cloudflare</title><h1 data-translate="block_headline">Sorry</h1>', False),
        (403, "<title>Sucuri WebSite Firewall - Access Denied</title>", False),
        (200, "<title>Ein Moment</title><script src='/.within.website/x/cmd/anubis/static/js/main.mjs'>", True),
        (
            200,
            '<meta http-equiv="refresh" content="0;/.well-known/sgcaptcha/?r=%2F&y=ipc:192.0.2.1:1796.5"></meta>',
            True,
        ),
        (200, f"<title>Just a moment...</title>{'.' * 65_504}\u00e9", True),  # cut off within a letter
    ],
)
def test_a_bot_check_is_distinguished_from_ordinary_pages(status: int, html: str, is_check: bool) -> None:
    assert by_page(status, html.encode()) is is_check
