"""Checks of the site: its page answers, carries the chat, and its clock agrees with ours."""

from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from urllib.parse import urljoin, urlsplit

from shared.cli import text
from shared.cli.doctor.check import Check, fail, ok, warn
from shared.cli.doctor.network import diagnose, what_to_do
from shared.models import AI_ENGINE, AIPKIT, Credentials
from shared.parsing import Site
from shared.plugins import bot_checks
from shared.plugins.ai_engine.page import PARAMS, SYSTEM, read_chats
from shared.plugins.aipkit.page import configs_in, read_configs
from shared.plugins.markup import elements_in
from shared.site_client.client import MAX_PAGE_BYTES, USER_AGENT, Response, SiteClient
from shared.site_client.errors import SiteUnreachable

PAGE_SECONDS = 20.0
MAX_REDIRECTS = 3
CLOCK_SECONDS = 300.0  # ages and expiry are counted by our clock alone; TLS fails at about a day
_REDIRECTS = {301, 302, 303, 307, 308}


async def fetch_page(client: SiteClient, site: Site) -> tuple[str, Response]:
    """Fetch the page of *site* without a browser; returns its final URL and response. Raises `SiteUnreachable`."""
    url = site.url
    for _ in range(MAX_REDIRECTS):
        response = await _get(client, url)
        target = _target(url, response)
        if not target:
            return url, response
        url = target
    return url, await _get(client, url)


def _target(url: str, response: Response) -> str:
    """The URL that *response*, from *url*, redirects to; "" where it does not."""
    try:
        target = urljoin(url, response.headers.get("Location", ""))
        is_page = response.status in _REDIRECTS and urlsplit(target).scheme in {"http", "https"}
    except ValueError:  # the site wrote no address
        return ""
    return target if is_page else ""


async def _get(client: SiteClient, url: str) -> Response:
    return await client.get(url, {"User-Agent": USER_AGENT}, timeout=PAGE_SECONDS)


async def check_site(client: SiteClient, site: Site, now: float) -> list[Check]:
    """The page of *site*, and the clock of its server (*now*: ours, in Unix seconds)."""
    try:
        url, response = await fetch_page(client, site)
    except SiteUnreachable as error:
        kind = await diagnose(error, site.url)
        return [fail("site", f"{site.url}: {kind}: {error}", what_to_do(kind, "FREEAICHAT_SITES"))]
    return [
        judge_page(url, response.status, response.headers, response.body, site.origin),
        check_clock(response.headers, now),
    ]


def judge_page(url: str, status: int, headers: Mapping[str, str], body: bytes, site: str = "SITE") -> Check:
    """What a page of *status*, *headers* and *body* is: the chat, a check of visitors, or something else.

    *site*: the origin of the settings' site to which it belongs.
    """
    page = body.decode("utf-8", "replace")
    for kind, found in (
        (AIPKIT, read_configs(configs_in(page), {})),
        (AI_ENGINE, read_chats(elements_in(page, (PARAMS, SYSTEM)))),
    ):
        if found is not None and status == 200:
            return ok("site", f"{url} answers and carries the chat ({text.bots(found.bots)} of {text.plugin(kind)})")
    harvest = f"freeaichat harvest --site {site}"
    if bot_checks.by_headers(headers) or bot_checks.by_page(status, body):
        advice = f"`{harvest} --headed` opens a window in which you may pass it yourself"
        return warn(
            "site", f"{url} shows a check of visitors (HTTP {status})", f"a browser may get through; else {advice}"
        )
    if status != 200:
        is_forbidden = status == HTTPStatus.UNAVAILABLE_FOR_LEGAL_REASONS
        why = ": for legal reasons it may not be shown here" if is_forbidden else ""
        if vendor := bot_checks.blocking_firewall(page):
            why = f": its firewall ({vendor}) blocks this address, which only its operator can allow"
        return fail(
            "site", f"{url} answers with HTTP {status}{why}", "open it in a browser; FREEAICHAT_SITES names the page"
        )
    if len(body) >= MAX_PAGE_BYTES:
        return warn("site", f"{url} is too large to look through here", f"`{harvest}` looks with a browser")
    advice = f"`{harvest}` looks with a browser, and on further pages; FREEAICHAT_SITES names the page"
    return warn("site", f"{url} answers, but its markup holds no chat (it may come by script)", advice)


def check_page(site: Site, found: Credentials | None) -> list[Check]:
    """Whether the chat in use is on the page of the settings; nothing where none is in use."""
    if found is None or not found.is_on_other_page(site.url):
        return []
    what = f"the chat in use is that of {found.page_url}, not of {site.url}, which the settings name"
    harvest = f"freeaichat harvest --site {site.origin}"
    advice = f"name the page that you want in FREEAICHAT_SITES; `{harvest}` shows what a visit finds"
    return [warn("page", what, advice)]


def check_clock(headers: Mapping[str, str], now: float) -> Check:
    """Whether our clock agrees with the `Date` of the site's answer."""
    try:
        theirs = parsedate_to_datetime(headers.get("Date", "")).timestamp() + _seconds_kept(headers)
    except (ValueError, OverflowError):
        return ok("clock", "the site names no date to compare with")
    difference = now - theirs
    if abs(difference) <= CLOCK_SECONDS:
        return ok("clock", f"agrees with the site's within {text.duration(abs(difference))}")
    direction = "ahead of" if difference > 0 else "behind"
    return warn("clock", f"{text.duration(abs(difference))} {direction} the site's", "set this machine's clock (NTP)")


def _seconds_kept(headers: Mapping[str, str]) -> int:
    """How long a cache on the way has kept the answer, whose `Date` is that of its making."""
    age = headers.get("Age", "")
    return int(age) if age.isascii() and age.isdigit() and len(age) < 10 else 0
