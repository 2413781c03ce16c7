"""Signing in, the dashboard and the keys."""

import asyncio
import re
from time import time

from playwright.async_api import expect

from shared.admin import key_admin
from shared.admin.keys import parse_new_key
from shared.models import Cause, Outcome, Visit
from tests.page.browsing import BREAKS_OFF, MASTER, OpenedPage, PageOpener
from tests.page.test_chat import PNG
from tests.proxy.running import RunningProxy
from tests.site import SimulatedSite

CHARTS = 5
REASON = "The page shows no chat; look whether its address is right."


async def failed_visit(proxy: RunningProxy, site: SimulatedSite) -> None:
    """A visit that found no chat, with its picture."""
    now = time()
    visit = Visit(
        id="visit-1",
        site=site.origin,
        started_at=now - 60,
        seconds=2.5,
        outcome=Outcome.NO_CHAT,
        cause=Cause.NO_CHAT,
        reason=REASON,
        trigger="schedule",
        screenshot=True,
    )
    assert await proxy.store.begin_visit(site.origin, "test", at=now, ttl=60)
    await proxy.store.end_visit(visit, "test", screenshot=PNG)


async def test_without_a_key_nobody_signs_in_and_everything_is_shown(opened: OpenedPage) -> None:
    for screen in ("Chat", "Dashboard", "Keys"):
        await expect(opened.page.get_by_role("link", name=screen, exact=True)).to_be_visible()
    await expect(opened.page.get_by_label("Key", exact=True)).to_have_count(0)
    await expect(opened.page.get_by_role("button", name="Sign out")).to_be_hidden()
    await opened.page.goto(f"{opened.proxy.url}/#/constructor")  # no screen
    await expect(opened.page.get_by_label("Write a message")).to_be_visible()


async def test_a_wrong_key_is_refused_and_the_master_key_opens_everything(opener: PageOpener) -> None:
    opened = await opener.open(key=MASTER)
    page = opened.page
    await opened.sign_in("wrong")
    await expect(page.get_by_role("alert")).to_contain_text("Incorrect API key")
    await expect(page.get_by_role("navigation").get_by_role("link")).to_have_count(0)

    await opened.sign_in()
    await expect(page.get_by_role("link", name="Keys", exact=True)).to_be_visible()
    await opened.send("[[say:signed in]]")
    assert MASTER not in str(await page.evaluate("[document.cookie, {...localStorage}, {...sessionStorage}]"))
    await page.reload()
    await expect(opened.answer).to_contain_text("signed in")

    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_label("Key", exact=True)).to_be_visible()
    await page.reload()
    await expect(page.get_by_label("Key", exact=True)).to_be_visible()


async def test_signing_out_leaves_no_title_for_who_comes_next(opener: PageOpener) -> None:
    opened = await opener.open(key=MASTER)
    page = opened.page
    await opened.sign_in()
    await opened.send("my secret plan")
    assert "my secret plan" in str(await page.evaluate("({...localStorage})"))
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_label("Key", exact=True)).to_be_visible()

    assert "secret plan" not in str(await page.evaluate("({...localStorage})"))
    await opened.sign_in()
    await expect(page.get_by_label("Write a message")).to_be_visible()
    await expect(page.get_by_text("my secret plan")).to_have_count(0)


async def test_who_signs_in_after_another_sees_none_of_its_titles_in_any_tab(opener: PageOpener) -> None:
    opened = await opener.open(key=MASTER)
    page = opened.page
    key, _ = await key_admin.create(opened.proxy.store, parse_new_key("next"), now=time())
    await opened.sign_in()
    await opened.send("my secret plan")
    await page.context.clear_cookies()  # as a session ends by itself
    await page.reload()
    await opened.sign_in()
    await expect(page.get_by_text("my secret plan").first).to_be_visible()
    await page.context.clear_cookies()
    other = OpenedPage(await page.context.new_page(), opened.proxy)
    await other.page.goto(opened.proxy.url)
    await other.sign_in(key)

    for each in (other, opened):
        await expect(each.page.get_by_label("Write a message")).to_be_visible()
        await expect(each.page.get_by_text("my secret plan")).to_have_count(0)
    await opened.send("my own plan")
    assert "secret plan" not in str(await page.evaluate("({...localStorage})"))


async def test_a_key_is_made_shown_once_used_limited_and_revoked(opener: PageOpener) -> None:
    opened = await opener.open(key=MASTER)
    page = opened.page
    await opened.sign_in()
    await opened.go("Keys")
    await expect(page.get_by_text("No keys yet.")).to_be_visible()
    await page.get_by_label("Name").fill("Ada")
    await page.get_by_label("Requests a minute").fill("7")
    await page.get_by_label("Expires").fill("30d")
    await page.get_by_role("button", name="Create a key").dblclick()

    secret = await page.get_by_role("dialog").locator("code").inner_text()
    assert re.fullmatch(r"sk-fac-\S{20,}", secret)
    await page.get_by_role("dialog").get_by_role("button", name="Copy the key").click()
    assert await page.evaluate("navigator.clipboard.readText()") == secret
    await page.get_by_role("button", name="I have copied it").click()
    card = page.get_by_role("listitem").filter(has_text="Ada")
    await expect(card).to_contain_text("active")
    await expect(card).to_contain_text("7")
    await expect(page.get_by_role("alert")).to_be_hidden()
    assert secret not in await page.content()

    guest = await opener.open(key=MASTER)
    await guest.sign_in(secret)
    await guest.send("[[say:hello guest]]")
    await expect(guest.page.get_by_role("navigation").get_by_role("link")).to_have_text(["Chat"])

    await card.get_by_role("button", name="Revoke").click()
    await page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    await expect(card).to_contain_text("active")
    await card.get_by_role("button", name="Revoke").click()
    await page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    await expect(card).to_contain_text("revoked")
    await expect(card.get_by_role("button")).to_have_count(0)
    await guest.page.get_by_label("Write a message").fill("am I still here?")
    await guest.page.keyboard.press("Enter")
    await expect(guest.page.get_by_label("Key", exact=True)).to_be_visible()


async def test_a_new_secret_takes_the_place_of_the_old_one(opener: PageOpener) -> None:
    opened = await opener.open(key=MASTER)
    page = opened.page
    await opened.sign_in()
    await opened.go("Keys")
    secrets = []
    for button in ("Create a key", "New secret"):
        if button == "Create a key":
            await page.get_by_label("Name").fill("Grace")
        await page.get_by_role("button", name=button).click()
        if button == "New secret":
            await page.get_by_role("dialog").get_by_role("button", name=button).click()
        await expect(page.get_by_role("heading", name="Your new key")).to_be_visible()
        secrets.append(await page.get_by_role("dialog").locator("code").inner_text())
        await page.get_by_role("button", name="I have copied it").click()

    statuses = []
    for secret in secrets:
        async with opened.proxy.http.get(f"{opened.proxy.url}/v1/models", headers={"x-api-key": secret}) as response:
            statuses.append(response.status)
    assert statuses == [401, 200]


async def test_an_invalid_new_key_shows_the_error_and_keeps_the_form(opener: PageOpener) -> None:
    opened = await opener.open(key=MASTER)
    await opened.sign_in()
    await opened.go("Keys")
    await opened.page.get_by_label("Name").fill("Ada")
    await opened.page.get_by_label("Expires").fill("soon")
    await opened.page.get_by_role("button", name="Create a key").click()

    await expect(opened.page.get_by_role("alert")).to_contain_text("expires_in")
    assert await opened.page.get_by_label("Name").input_value() == "Ada"


async def test_the_first_key_is_announced_to_close_the_page_and_does(opened: OpenedPage) -> None:
    page = opened.page
    await opened.go("Keys")
    await expect(page.get_by_text("Nobody needs a key now.")).to_be_visible()
    await page.get_by_label("Name").fill("first")
    await page.get_by_role("button", name="Create a key").click()

    await expect(page.get_by_role("dialog").locator("code")).to_contain_text("sk-fac-")
    async with asyncio.timeout(5):
        while (await opened.proxy.http.get(f"{opened.proxy.url}/v1/models")).status == 200:
            await asyncio.sleep(0.02)
    await page.get_by_role("button", name="I have copied it").click()
    await expect(page.get_by_label("Key", exact=True)).to_be_visible()


async def test_the_dashboard_shows_a_site_its_visits_and_the_picture_of_a_failure(
    opened: OpenedPage, site: SimulatedSite
) -> None:
    page = opened.page
    await failed_visit(opened.proxy, site)
    await opened.go("Dashboard")
    card = page.get_by_role("article").filter(has_text=site.origin)

    await expect(card).to_contain_text("ready")
    await expect(card).to_contain_text("AIPKit")
    await expect(card).to_contain_text("closed (all well)")
    await expect(card).to_contain_text("Time left")
    await expect(card).to_contain_text(REASON)
    await card.get_by_role("button", name="Show the screenshot").click()
    picture = page.get_by_role("dialog").get_by_role("img")
    await expect(picture).to_be_visible()
    assert await picture.evaluate("picture => picture.decode().then(() => picture.naturalWidth)") == 1
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)


async def test_a_visit_can_be_asked_for(opened: OpenedPage, site: SimulatedSite) -> None:
    await opened.go("Dashboard")
    await opened.page.get_by_role("button", name="Visit now").click()

    await expect(opened.page.get_by_role("status")).to_have_text("A visit was asked for.")
    assert await opened.proxy.store.pending_ask(site.origin) is not None


async def test_the_dashboard_follows_by_itself(opened: OpenedPage, site: SimulatedSite) -> None:
    await opened.go("Dashboard")
    await expect(opened.page.get_by_text("No visit yet.")).to_be_visible()
    await failed_visit(opened.proxy, site)

    await expect(opened.page.get_by_text(REASON)).to_be_visible()


async def test_usage_is_drawn_by_model_and_counted_in_a_table(opened: OpenedPage) -> None:
    page = opened.page
    await opened.send("hello")
    await opened.send(BREAKS_OFF, state="broken")
    await opened.usage_of(2)
    await opened.go("Dashboard")

    await expect(page.locator("figure canvas")).to_have_count(CHARTS)
    totals = page.get_by_role("region", name="Totals").get_by_role("row")
    row = totals.filter(has_text="everything")
    await expect(row.get_by_role("cell").first).to_have_text("2")
    await expect(row).to_contain_text("upstream_error 1")
    await page.get_by_label("By").select_option("model")
    await expect(totals.filter(has_text="gpt-4o-mini-helper").get_by_role("cell").first).to_have_text("2")
    for span in ("7d", "30d"):
        await page.get_by_label("Time", exact=True).select_option(span)
        await expect(page.locator("figure canvas")).to_have_count(CHARTS)


async def test_latencies_are_drawn_as_median_and_95th_percentile(opened: OpenedPage, site: SimulatedSite) -> None:
    page = opened.page
    await opened.send("hello")
    site.behaviour.delta_delay = 0.05
    await opened.send("[[tokens:10]]")
    await opened.usage_of(2)
    await opened.go("Dashboard")
    charts = page.get_by_role("figure")

    for name in ("Latency (s)", "Until the first text (s)"):
        lines = charts.filter(has_text=name).locator(".u-legend tr")
        await expect(lines).to_have_text([re.compile("Time"), re.compile("median"), re.compile("95th percentile")])
    cell = page.get_by_role("region", name="Totals").get_by_role("cell").last
    await expect(cell).to_have_text(re.compile(r"^[\d.]+ s / [\d.]+ s$"))
    median, p95 = (float(text.removesuffix(" s")) for text in (await cell.inner_text()).split(" / "))
    assert 0 < median < p95
    assert p95 > 0.3
    await page.get_by_label("By").select_option("model")
    await expect(charts.filter(has_text="Latency (s)").locator(".u-legend tr")).to_have_count(3)


async def test_empty_screens_say_what_to_do(opener: PageOpener) -> None:
    opened = await opener.open(captured=False)
    page = opened.page
    await expect(page.get_by_text("No conversations yet. Write a message")).to_be_visible()
    await opened.go("Dashboard")
    for text in (
        "never seen",
        "freeaichat up starts it",
        "none yet: they come with a visit",
        "No visit yet. The harvester visits when it starts; “Visit now” asks for a visit.",
        "Nothing was used in this time. Ask something in the chat",
    ):
        await expect(page.get_by_text(text)).to_be_visible()
    await opened.go("Keys")
    await expect(page.get_by_text("No keys yet. Give each person or program one of its own")).to_be_visible()
