"""Keys, clicks and the clipboard: where the focus goes, and what is copied and pasted, in any browser."""

from playwright.async_api import Locator, expect

from tests.page.browsing import MASTER, OpenedPage, PageOpener
from tests.page.test_chat import PNG
from tests.page.test_models import VISION
from tests.site import SimulatedSite

WITHOUT_TLS = "delete Clipboard.prototype.writeText"
COPY_REFUSED = "document.execCommand = () => false"
SPREADSHEET_PASTED = """(png) => {
  const given = new DataTransfer();
  given.setData("text/plain", "a\\t1");
  given.items.add(new File([new Uint8Array(png)], "image.png", { type: "image/png" }));
  return document.querySelector("#message").dispatchEvent(
    new ClipboardEvent("paste", { clipboardData: given, cancelable: true }));
}"""


async def press(button: Locator) -> None:
    """Press *button* as who works by keys does."""
    await button.focus()
    await button.press("Enter")


async def test_without_tls_too_a_text_is_copied_and_the_focus_stays(opener: PageOpener) -> None:
    opened = await opener.open(key=MASTER)
    page = opened.page
    await opened.sign_in()
    await page.evaluate(WITHOUT_TLS)
    copying = page.get_by_role("button", name="Copy the command")
    await press(copying)
    assert "curl -N" in await page.evaluate("navigator.clipboard.readText()")
    await expect(copying).to_be_focused()
    await expect(page.locator(".toast.shown")).to_have_text("Copied")

    await opened.go("Keys")
    await page.get_by_label("Name").fill("Ada")
    await page.keyboard.press("Enter")
    shown = page.get_by_role("dialog")
    copying = shown.get_by_role("button", name="Copy the key")
    await press(copying)
    assert await page.evaluate("navigator.clipboard.readText()") == await shown.locator("code").inner_text()
    await expect(copying).to_be_focused()


async def test_what_was_not_copied_is_not_said_to_be(opened: OpenedPage) -> None:
    page = opened.page
    await page.evaluate(f"{WITHOUT_TLS}; {COPY_REFUSED}")
    copying = page.get_by_role("button", name="Copy the command")
    await copying.click()

    await expect(page.get_by_role("status")).to_contain_text("The browser did not copy it")
    await expect(copying).not_to_contain_class("done")


async def test_what_is_copied_in_a_dialog_is_announced_in_it(opener: PageOpener) -> None:
    opened = await opener.open(key=MASTER)
    await opened.sign_in()
    await opened.go("Keys")
    await opened.page.get_by_label("Name").fill("Ada")
    await opened.page.keyboard.press("Enter")
    shown = opened.page.get_by_role("dialog")
    await shown.get_by_role("button", name="Copy the key").click()

    await expect(shown.get_by_role("status")).to_have_text("Copied")  # what is beside a dialog is not read out


async def test_text_that_comes_with_its_picture_is_pasted_as_text(opened: OpenedPage) -> None:
    page = opened.page
    await page.get_by_label("Model", exact=True).select_option(VISION)

    assert await page.evaluate(SPREADSHEET_PASTED, list(PNG)), "the browser does not paste the text"
    await page.get_by_label("Write a message").fill("[[say:seen]]")
    await page.keyboard.press("Enter")  # which waits for pictures
    await opened.wait_for_answer("done", 0)
    await expect(page.locator(".turn.user img")).to_have_count(0)


async def test_a_double_click_on_send_stops_nothing(opened: OpenedPage, site: SimulatedSite) -> None:
    site.behaviour.first_delta_delay = 0.5
    await opened.page.get_by_label("Write a message").fill("[[say:came through]]")
    await opened.page.get_by_role("button", name="Send").dblclick()

    await expect(await opened.wait_for_answer("done", 0)).to_contain_text("came through")
    await opened.page.get_by_label("Write a message").fill("hello")
    site.behaviour.first_delta_delay = 30.0
    await opened.page.get_by_role("button", name="Send").click()
    await opened.page.get_by_role("button", name="Stop").click()
    await expect(await opened.wait_for_answer("broken", 1)).to_contain_text("Stopped")


async def test_the_focus_stays_among_send_stop_and_answer_again(opened: OpenedPage, site: SimulatedSite) -> None:
    page = opened.page
    sending, stopping = page.get_by_role("button", name="Send"), page.get_by_role("button", name="Stop")
    site.behaviour.first_delta_delay = 30.0
    await page.get_by_label("Write a message").fill("hello")
    await press(sending)
    await expect(stopping).to_be_focused()
    await stopping.press("Enter")
    await opened.wait_for_answer("broken", 0)
    await expect(sending).to_be_focused()

    await press(opened.answer.get_by_role("button", name="Answer again"))
    await expect(stopping).to_be_focused()
    await page.get_by_label("Write a message").focus()
    await page.keyboard.press("Escape")
    await opened.wait_for_answer("broken", 0)
    await expect(page.get_by_label("Write a message")).to_be_focused()  # who writes goes on writing


async def test_the_focus_stays_in_the_list_after_a_conversation_of_it_was_deleted(opened: OpenedPage) -> None:
    page = opened.page
    await opened.send("the first")
    await page.get_by_role("link", name="New conversation").click()
    await opened.send("the second")
    await press(page.get_by_role("listitem").filter(has_text="the first").get_by_role("button", name="Delete"))
    await press(page.get_by_role("dialog").get_by_role("button", name="Delete"))

    await expect(page.get_by_text("the first")).to_have_count(0)
    await expect(page.get_by_role("link", name="New conversation")).to_be_focused()


async def test_the_focus_stays_at_a_key_that_was_renewed_or_revoked(opener: PageOpener) -> None:
    opened = await opener.open(key=MASTER)
    page = opened.page
    await opened.sign_in()
    await opened.go("Keys")
    await page.get_by_label("Name").fill("Ada")
    await page.keyboard.press("Enter")
    await press(page.get_by_role("button", name="I have copied it"))
    card = page.locator(".keys .card")
    await press(card.get_by_role("button", name="New secret"))
    await press(page.get_by_role("dialog").get_by_role("button", name="New secret"))
    await press(page.get_by_role("button", name="I have copied it"))
    await expect(card).to_be_focused()
    await press(card.get_by_role("button", name="Revoke"))
    await press(page.get_by_role("dialog").get_by_role("button", name="Revoke"))

    await expect(card).to_contain_text("revoked")
    await expect(card).to_be_focused()
