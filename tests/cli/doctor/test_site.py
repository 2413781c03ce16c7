"""The doctor's judgement of a page and of the clock."""

import asyncio
import html
import json
from dataclasses import replace
from email.utils import formatdate

import pytest

from shared.cli.doctor.check import Level
from shared.cli.doctor.site import check_clock, check_page, check_site, judge_page
from shared.cli.doctor.store import check_credentials
from shared.parsing import site
from shared.plugins.aipkit.page import configs_in
from shared.site_client.client import SiteClient
from tests.shared.samples import credentials
from tests.site import SimulatedSite

CONFIG = {"botId": 8, "ajaxUrl": "https://chat.example/wp-admin/admin-ajax.php", "nonce": "0123456789"}
PAGE = f"<html><div data-config='{html.escape(json.dumps(CONFIG))}'></div><p data-config>"


def judge(status: int, page: str, **headers: str) -> Level:
    return judge_page("https://chat.example/", status, headers, page.encode()).level


def test_a_page_with_the_chat_is_fine() -> None:
    assert judge(200, PAGE) is Level.OK


def test_attributes_are_unescaped_and_empty_ones_skipped() -> None:
    assert [json.loads(attribute) for attribute in configs_in(PAGE)] == [CONFIG]


@pytest.mark.parametrize("status", [404, 500])
def test_an_error_page_is_a_failure(status: int) -> None:
    assert judge(status, "<html>") is Level.FAIL


def test_a_page_without_chat_is_a_warning_since_a_script_may_add_it() -> None:
    assert judge(200, "<html>") is Level.WARN


def test_a_check_of_visitors_is_distinguished_from_an_error() -> None:
    page = "<title>Just a moment...</title><script src=/cdn-cgi/challenge-platform/x.js></script>"
    found = judge_page("https://chat.example/", 403, {"cf-mitigated": "challenge"}, page.encode())

    assert found.level is Level.WARN
    assert "--headed" in found.advice
    assert judge(503, page) is Level.WARN


@pytest.mark.parametrize(
    ("status", "headers", "page"),
    [
        (202, {"x-amzn-waf-action": "challenge"}, "<html>"),
        (429, {"x-vercel-mitigated": "challenge"}, "<html>"),
        (200, {}, "<title>Making sure you&#39;re not a bot!</title>"),
        (200, {}, '<script src="/.within.website/x/cmd/anubis/static/js/main.mjs"></script>'),
    ],
)
def test_checks_of_all_makers_are_known(status: int, headers: dict[str, str], page: str) -> None:
    assert "check of visitors" in judge_page("https://chat.example/", status, headers, page.encode()).what


def test_a_page_that_may_not_be_shown_is_reported() -> None:
    assert "legal reasons" in judge_page("https://chat.example/", 451, {}, b"<html>").what
    blocked = b'<title>Attention Required! | Cloudflare</title><h1 data-translate="block_headline">'
    assert "its firewall (Cloudflare) blocks" in judge_page("https://chat.example/", 403, {}, blocked).what


def test_that_the_chat_in_use_is_another_pages_is_a_warning() -> None:
    named = site("https://chat.example/")
    other = credentials()  # of /chat/

    assert [found.level for found in check_page(named, other)] == [Level.WARN]
    assert other.page_url in check_page(named, other)[0].what
    assert check_page(site(other.page_url), other) == []
    assert check_page(named, None) == []
    led_to = replace(other, is_led_to=True, named_url=named.url)
    assert check_page(named, led_to) == []
    assert len(check_page(site(f"{named.url}shop/"), led_to)) == 1


@pytest.mark.parametrize(("difference", "level"), [(0, Level.OK), (-3600, Level.WARN), (3600, Level.WARN)])
def test_a_clock_that_is_wrong_is_a_warning(difference: float, level: Level) -> None:
    now = 1_790_000_000.0

    assert check_clock({"Date": formatdate(now - difference, usegmt=True)}, now).level is level
    headers = {"Date": formatdate(now - difference - 7200, usegmt=True), "Age": "7200"}  # by a cache on the way
    assert check_clock(headers, now).level is level


@pytest.mark.parametrize("date", ["", "today", "Mon, 23 Nov 2026 00:59:56 +99999999999999"])
def test_without_a_date_there_is_nothing_to_compare(date: str) -> None:
    assert check_clock({"Date": date}, 0.0).what == "the site names no date to compare with"


async def test_a_site_that_redirects_to_no_address_fails_the_check(free_port: int) -> None:
    server = await asyncio.start_server(_redirect_to_nowhere, "127.0.0.1", free_port)
    async with server, SiteClient() as client:
        found = await check_site(client, site(f"http://127.0.0.1:{free_port}/"), now=0.0)

    assert (found[0].level, found[0].what) == (Level.FAIL, f"http://127.0.0.1:{free_port}/ answers with HTTP 302")


async def _redirect_to_nowhere(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 302 Found\r\nLocation: https://[x/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    writer.close()


async def test_where_a_site_hands_out_no_nonce_it_is_judged_by_the_one_that_is_there() -> None:
    async with SimulatedSite() as old, SiteClient() as client:
        old.behaviour.nonce_action = False  # as before version 2.3.41
        alive = replace(credentials(old.nonce), site=old.origin, ajax_url=old.ajax_url)
        dead = replace(alive, nonce="0000000000")
        levels = [(await check_credentials(client, old.origin, each, now=0.0)).level for each in (alive, dead)]

    assert levels == [Level.OK, Level.FAIL]
