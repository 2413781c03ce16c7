"""Telling bot checks, failing sites, caches and browsers that do not start from one another."""

import pytest

from harvester.visit.browser_errors import (
    bot_check,
    in_the_way,
    is_from_cache,
    is_sandbox_failure,
    launch_failure,
    net_error,
    refusal,
    retry_after,
    widget,
)

LAUNCH = """BrowserType.launch: Target page, context or browser has been closed
Browser logs:

<launching> /usr/bin/chromium --headless --user-data-dir=/x
<launched> pid=359
[pid=359][err] [1123/045642.145832:ERROR:dbus/bus.cc:405] Failed to connect to the bus: no such file
{line}
[pid=359] <process did exit: {ended}>
"""


@pytest.mark.parametrize(
    ("headers", "title", "resources", "name"),
    [
        ({"cf-mitigated": "challenge"}, "", [], "Cloudflare"),
        ({"x-amzn-waf-action": "challenge"}, "", [], "AWS WAF"),
        ({"x-amzn-waf-action": "captcha"}, "Human Verification", [], "AWS WAF"),
        ({"x-vercel-mitigated": "challenge"}, "", [], "Vercel"),
        ({"x-vercel-mitigated": "deny"}, "Forbidden", [], None),
        ({"sg-captcha": "challenge"}, "", [], "SiteGround"),
        ({}, "Just a moment...", [], "Cloudflare"),
        ({}, " JUST A MOMENT…", [], "Cloudflare"),
        ({}, "DDoS-Guard", [], "DDoS-Guard"),
        ({}, "Vercel Security Checkpoint", [], "Vercel"),
        ({}, "Making sure you\N{RIGHT SINGLE QUOTATION MARK}re not a bot!", [], "Anubis"),
        ({}, "Ein Moment", ["/.within.website/x/cmd/anubis/static/js/main.mjs?v=1"], "Anubis"),
        ({}, "", ["https://challenges.cloudflare.com/turnstile/v0/api.js"], None),  # it may be a form's
        ({}, "A chat for a moment", ["/chat.js"], None),
        ({"server": "cloudflare"}, "Welcome", ["/cdn-cgi/challenge-platform/h/b/scripts/jsd/main.js"], None),
        ({}, "", [], None),
    ],
)
def test_a_bot_check_is_known_by_its_header_title_or_script(
    headers: dict[str, str], title: str, resources: list[str], name: str | None
) -> None:
    assert bot_check(headers, title, resources) == name


@pytest.mark.parametrize(
    ("resource", "links", "name"),
    [
        ("https://challenges.cloudflare.com/turnstile/v0/api.js", 1, "Turnstile"),
        ("https://js.hcaptcha.com/1/api.js", 0, "hCaptcha"),
        ("https://www.google.com/recaptcha/api.js", 5, "reCAPTCHA"),
        ("https://www.google.com/recaptcha/api.js", 30, None),  # a page with a protected form
        ("/chat.js", 0, None),
    ],
)
def test_a_widget_tells_a_check_where_there_is_hardly_anything_else(
    resource: str, links: int, name: str | None
) -> None:
    assert widget([resource], links) == name


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "120"}, 120.0),
        ({"retry-after": " 7 "}, 7.0),
        ({"retry-after": "99999999999999"}, 86400.0),
        ({"retry-after": "Sun, 20 Sep 2026 10:02:00 GMT", "date": "Sun, 20 Sep 2026 10:00:00 GMT"}, 120.0),
        ({"retry-after": "Sun, 20 Sep 2026 09:00:00 GMT", "date": "Sun, 20 Sep 2026 10:00:00 GMT"}, 0.0),
        ({"retry-after": "Thu, 01 Jan 1970 00:16:50 GMT"}, 10.0),  # without a date of the answer's own
        ({"retry-after": "-5"}, 0.0),
        ({"retry-after": "soon"}, 0.0),
        ({}, 0.0),
    ],
)
def test_how_long_an_answer_asks_to_be_left_alone(headers: dict[str, str], seconds: float) -> None:
    assert retry_after(headers, now=1000.0) == seconds


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ('  - <div class="layer">We use cookies</div> intercepts pointer events\n', '<div class="layer"> lies over it'),
        ("  - element is not enabled\n", "it is disabled"),
        ("", "it does not react"),
    ],
)
def test_what_keeps_a_click_from_its_place_is_told(said: str, reason: str) -> None:
    assert in_the_way(f"Locator.click: Timeout 2000ms exceeded.\nCall log:\n{said}").startswith(reason)


@pytest.mark.parametrize(("status", "is_refusal"), [(0, 0), (200, 0), (404, 0), (401, 1), (403, 1), (429, 1), (503, 1)])
def test_a_status_may_speak_against_a_page(status: int, is_refusal: int) -> None:
    assert bool(refusal(status)) is bool(is_refusal)


@pytest.mark.parametrize(
    ("headers", "cached"),
    [
        ({}, False),
        ({"age": "0"}, False),
        ({"age": "3600"}, True),
        ({"age": "x"}, False),
        ({"cache-control": "hit"}, False),
        ({"cf-cache-status": "HIT"}, True),
        ({"cf-cache-status": "DYNAMIC"}, False),
        ({"x-cache": "Hit from cloudfront"}, True),
        ({"x-cache": "MISS, HIT"}, True),
        ({"x-cache": "MISS"}, False),
        ({"x-litespeed-cache": "hit"}, True),
        ({"x-cache-status": "STALE"}, True),
        ({"x-cache-hits": "0"}, False),
    ],
)
def test_a_page_out_of_a_cache_is_known_by_its_headers(headers: dict[str, str], cached: bool) -> None:
    assert is_from_cache(headers) is cached


def test_network_errors_are_explained_and_only_broken_connections_are_worth_another_try() -> None:
    assert net_error("NAME_NOT_RESOLVED") == (
        "the site's name cannot be resolved; check the address and this machine's network",
        False,
    )
    assert net_error("CONNECTION_RESET")[1] is True
    assert "CERT_DATE_INVALID" in net_error("CERT_DATE_INVALID")[0]
    assert "SOMETHING_NEW" in net_error("SOMETHING_NEW")[0]


def launch(line: str = "", ended: str = "exitCode=1, signal=null") -> str:
    return LAUNCH.format(line=line, ended=ended)


def test_the_line_that_tells_why_a_browser_did_not_start_is_found_among_the_others() -> None:
    said = (
        "/usr/lib/chromium/chromium: error while loading shared libraries: libnss3.so: cannot open shared object file"
    )

    reason, is_passing = launch_failure(launch(f"[pid=359][err] {said}", "exitCode=127, signal=null"))

    assert said in reason
    assert "freeaichat browser install" in reason
    assert not is_passing


def test_a_browser_that_said_nothing_of_use_leaves_its_last_words_or_the_drivers() -> None:
    assert "Failed to connect to the bus" in launch_failure(launch())[0]
    missing = "BrowserType.launch: Failed to launch chromium because executable doesn't exist at /x\nCall log:"
    assert "executable doesn't exist" in launch_failure(missing)[0]
    assert "ended at once" in launch_failure("BrowserType.launch: Target page has been closed\nBrowser logs:")[0]


@pytest.mark.parametrize("ended", ["exitCode=null, signal=SIGKILL", "exitCode=137, signal=null"])
def test_a_browser_that_was_killed_is_worth_another_try(ended: str) -> None:
    assert launch_failure(launch(ended=ended)) == ("it was killed", True)


def test_a_browser_that_finds_no_space_for_its_files_is_told_with_what_to_do() -> None:
    full = "BrowserType.launch: ENOSPC: no space left on device, mkdtemp '/var/visit/playwright-artifacts-nzDZyg'"

    reason, is_passing = launch_failure(full)

    assert "set TMPDIR" in reason
    assert not is_passing


def test_only_a_missing_sandbox_is_taken_for_one() -> None:
    missing = "[1:ERROR:zygote_host_impl_linux.cc:130] No usable sandbox! If this is a Debian system, please install"

    assert is_sandbox_failure(launch(f"[pid=359][err] {missing}"))
    assert not is_sandbox_failure(launch("[pid=1][err] [1:WARNING:sandbox/policy/linux/sandbox_linux.cc:405] threads"))
