"""Detecting age gates, login walls and bot checks."""

from dataclasses import replace

import pytest

from harvester.visit.addresses import Link
from harvester.visit.obstacles import (
    bot_check,
    click_hint,
    find_wall,
    firewall,
    missing_chat,
    older_chat,
    refusal,
    widget,
)
from harvester.visit.tab import PageDetails
from shared.models import Cause
from tests.harvester.fake_tab import SITE, page

MANY_LINKS = [Link(f"/{number}/", "Page") for number in range(30)]


def signs(text: str = "", *buttons: str, asks_password: bool = False) -> PageDetails:
    return PageDetails(text=text, buttons=list(buttons), asks_password=asks_password)


@pytest.mark.parametrize(
    "text",
    [
        "Are you over 18?",
        "I am 21 or older",
        "You must be at least 18 years old to enter",
        "Please verify your age",
        "Sind Sie über 18 Jahre alt?",
        "您必须年满18周岁",
    ],
)
def test_an_age_gate_is_known_by_its_question(text: str) -> None:
    assert "confirm their age" in str(find_wall(page(), signs(text, "Yes", "No")))


@pytest.mark.parametrize(
    "text", ["Welcome to our 18 models", "Our assistant", f"For those over 18. {'Much to read. ' * 200}"]
)
def test_other_texts_are_no_age_gates(text: str) -> None:
    assert find_wall(page(), signs(text, "OK")) is None


def test_an_age_gate_asks_by_buttons_or_has_hardly_a_link_and_may_ask_in_its_title() -> None:
    question = "Are you over 18?"

    assert "confirm their age" in str(find_wall(page(links=MANY_LINKS), signs(question, "Yes")))
    assert "confirm their age" in str(find_wall(page(), signs(question)))
    assert "confirm their age" in str(find_wall(page(title=question), signs("Enter", "Yes")))
    assert find_wall(page(links=MANY_LINKS), signs(question)) is None


def test_a_login_wall_is_known_by_its_field_and_what_is_said_around_it() -> None:
    by_place = page(f"{SITE}/wp-login.php", links=MANY_LINKS)
    by_text = page()

    assert "log in" in str(find_wall(by_place, signs(asks_password=True)))
    assert "log in" in str(find_wall(by_text, signs("Members, sign in here", asks_password=True)))
    for shown, text in (((), "Much to read. " * 200), (MANY_LINKS, "Much to see"), ((), "This content is protected")):
        wall = find_wall(page(links=list(shown)), signs(text, asks_password=True))
        assert "asks for a password" in str(wall)


def test_a_small_form_to_log_in_on_a_page_of_its_own_contents_is_no_wall() -> None:
    assert find_wall(page(links=MANY_LINKS), signs(f"Log in {'Much to read. ' * 200}", asks_password=True)) is None
    assert find_wall(page(), signs("Log in")) is None
    for links, is_wall in ((5, True), (6, False)):
        wall = find_wall(page(links=MANY_LINKS[:links]), signs("Much to read. " * 200, asks_password=True))
        assert (wall is not None) is is_wall


def test_the_chat_of_an_older_plugin_is_named() -> None:
    assert "the chat of AI Power" in str(older_chat(replace(signs(), older="AI Power")))
    assert older_chat(signs()) is None


def test_a_button_that_speaks_of_a_chat_is_named() -> None:
    assert '"Chat with us"' in str(click_hint(signs("", "Menu", " Chat\n with us ")))
    assert click_hint(signs("", "Menu", "OK")) is None


def test_a_chat_that_the_page_says_is_not_there_is_reported() -> None:
    marks = ("", "AI Engine: Chatbot '")
    missing = missing_chat(signs("Welcome.\nAI Engine: Chatbot 'gone'\nnot found. If you meant", ""), marks)

    assert "\"AI Engine: Chatbot 'gone' not found." in str(missing)
    assert missing_chat(signs("AI Engine: a chatbot", ""), marks) is None


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
    assert bot_check(page(headers=headers, title=title, resources=resources)) == name


@pytest.mark.parametrize(
    ("title", "is_blocked", "vendor"),
    [
        ("Attention Required! | Cloudflare", True, "Cloudflare"),
        ("Attention Required! | Cloudflare", False, None),
        ("Sucuri WebSite Firewall - Access Denied", False, "Sucuri"),
    ],
)
def test_a_firewall_that_blocks_is_no_check(title: str, is_blocked: bool, vendor: str | None) -> None:
    shown = page(title=title, is_blocked=is_blocked)

    assert firewall(shown) == vendor
    assert (bot_check(shown) is None) is (vendor is not None)


@pytest.mark.parametrize(
    ("resource", "links", "name"),
    [
        ("https://challenges.cloudflare.com/turnstile/v0/api.js", 1, "Turnstile"),
        ("https://js.hcaptcha.com/1/api.js", 0, "hCaptcha"),
        ("/cdn-cgi/challenge-platform/h/g/orchestrate/chl_page/v1?ray=9", 0, "Cloudflare"),
        ("/cdn-cgi/challenge-platform/h/g/scripts/jsd/769ce3c24a3b/main.js", 0, None),
        ("https://www.google.com/recaptcha/api.js", 5, "reCAPTCHA"),
        ("https://www.google.com/recaptcha/api.js", 30, None),  # a page with a protected form
        ("/chat.js", 0, None),
    ],
)
def test_a_widget_tells_a_check_where_there_is_hardly_anything_else(
    resource: str, links: int, name: str | None
) -> None:
    assert widget(page(resources=[resource], links=MANY_LINKS[:links])) == name


@pytest.mark.parametrize(
    ("status", "cause"),
    [
        *((status, None) for status in (0, 200, 404)),
        *((status, Cause.REFUSED) for status in (401, 403, 451)),
        (429, Cause.TOO_MANY),
        *((status, Cause.SITE_DOWN) for status in (500, 503)),
    ],
)
def test_a_status_may_speak_against_a_page(status: int, cause: Cause | None) -> None:
    found = refusal(status)

    assert (found[0] if found else None) is cause
