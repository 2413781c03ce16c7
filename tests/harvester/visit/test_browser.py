"""The real browser's tab, with pages that do to it what pages do."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from playwright.async_api import Browser, BrowserContext, async_playwright

from harvester.visit.browser import open_tab
from harvester.visit.chromium import ChromiumTab
from harvester.visit.errors import BrowserFailed, PageFailed
from harvester.visit.plugins.aipkit import AIPKit, observed_in
from shared.browsers import find_browser
from shared.plugins.aipkit.observed_request import ObservedRequest
from shared.plugins.requests import form_request
from tests.harvester.visiting import wait_for

SCRIPTED = '<script>fetch("/told?" + new URLSearchParams({}))</script>'
POPUP_CHAT = """<div class="aipkit_popup_wrapper"><button class="aipkit_popup_trigger">Open</button>
<div class="aipkit_chat_container" hidden><textarea></textarea></div></div>
<script>
document.querySelector("button").onclick = () => { document.querySelector("[hidden]").hidden = false; };
document.querySelector("textarea").onkeydown = (event) => {
  const body = new URLSearchParams({ action: "aipkit_cache_sse_message", _ajax_nonce: "n", bot_id: 5 });
  if (event.key === "Enter") fetch("/wp-admin/admin-ajax.php", { method: "POST", body });
};
</script>"""


@dataclass
class Pages:
    """A server of pages given as HTML, with extra headers where a page needs them."""

    url: str = ""
    html: dict[str, str] = field(default_factory=dict)
    headers: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    requests: list[web.BaseRequest] = field(default_factory=list)

    async def answer(self, request: web.BaseRequest) -> web.Response:
        self.requests.append(request)
        body = (
            f"<!DOCTYPE html><html><head><title>T</title></head><body>{self.html.get(request.path, '')}</body></html>"
        )
        response = web.Response(text=body, content_type="text/html")
        for name, value in self.headers.get(request.path, []):
            response.headers.add(name, value)
        return response

    def reported(self) -> dict[str, str]:
        """What a page's script sent to `/told`."""
        return next((dict(request.query) for request in self.requests if request.path == "/told"), {})


@pytest.fixture
async def pages() -> AsyncIterator[Pages]:
    """The server, running."""
    pages = Pages()
    runner = web.ServerRunner(web.Server(pages.answer))
    await runner.setup()
    listener = web.TCPSite(runner, "127.0.0.1", 0)
    await listener.start()
    pages.url = f"http://127.0.0.1:{listener.port}"
    yield pages
    await runner.cleanup()


def tab(identity: dict[str, Any] | None = None, session_id: str = "") -> AbstractAsyncContextManager[ChromiumTab]:
    return open_tab(
        async_playwright().start(),
        find_browser("").path,
        url="http://127.0.0.1/",
        identity=json.dumps(identity) if identity else None,
        session_id=session_id,
        is_headed=False,
        timeout=20,
    )


@asynccontextmanager
async def front_page_tab(pages: Pages, **options: Any) -> AsyncIterator[ChromiumTab]:
    """A tab that shows the front page."""
    async with tab(**options) as shown:
        await shown.go(f"{pages.url}/", timeout=10)
        yield shown


def script_page(expression: str) -> str:
    """A page whose script sends the value of a JavaScript *expression* to `/told`."""
    return SCRIPTED.replace("{}", f"{{ value: {expression} }}")


@pytest.mark.parametrize("path", ["/mwai-chat/", "/admin-ajax.php-explained/"])
async def test_a_page_whose_address_is_like_a_plugins_is_a_page_all_the_same(pages: Pages, path: str) -> None:
    pages.headers[path] = [("Age", "60")]
    async with tab() as shown:
        await shown.go(f"{pages.url}{path}", timeout=10)
        page = await shown.snapshot()

        assert (page.status, page.headers.get("age"), page.loads) == (200, "60", 1)
        assert shown.requests() == []


async def test_the_browser_does_not_hide_that_it_is_automated(pages: Pages) -> None:
    pages.html["/"] = script_page("`${navigator.webdriver} ${navigator.userAgent}`")
    async with front_page_tab(pages) as shown:
        await wait_for(pages.reported, "the page's script has run")

        assert pages.reported() == {"value": f"true {await shown.user_agent()}"}
        assert pages.requests[0].headers["User-Agent"] == await shown.user_agent()


async def test_a_known_guest_is_known_before_the_pages_own_script_runs(pages: Pages) -> None:
    pages.html["/"] = script_page("localStorage.getItem('aipkit_guest_uuid')")
    async with front_page_tab(pages, session_id="known") as shown:
        await wait_for(pages.reported, "the page's script has run")

        assert pages.reported() == {"value": "known"}
        assert (await shown.snapshot()).stored == {"aipkit_guest_uuid": "known"}
        assert "known" in await shown.identity()


async def test_a_guest_id_that_the_page_has_is_never_overwritten(pages: Pages) -> None:
    origin = {"origin": pages.url, "localStorage": [{"name": "aipkit_guest_uuid", "value": "stored"}]}
    async with front_page_tab(pages, identity={"cookies": [], "origins": [origin]}, session_id="other") as shown:
        await shown.set_storage(AIPKit().guest_storage("third"))

        assert (await shown.snapshot()).stored == {"aipkit_guest_uuid": "stored"}


async def test_a_page_that_may_store_nothing_is_read_all_the_same(pages: Pages) -> None:
    pages.headers["/"] = [("Content-Security-Policy", "sandbox allow-scripts")]
    async with front_page_tab(pages, session_id="known") as shown:
        await shown.set_storage(AIPKit().guest_storage("known"))

        look = await shown.snapshot()
    assert look.stored == {}
    assert look.headers["content-security-policy"] == "sandbox allow-scripts"


async def test_odd_markup_and_scripts_do_not_disturb_the_look(pages: Pages) -> None:
    pages.html["/"] = (
        '<svg><a href="/drawn"><text>Chat</text></a></svg><a href="http://[">x</a><a>no address</a>'
        "<script>Array.from = () => { throw new Error('mine'); };</script>"
        "<div data-config='{&quot;a&quot;: 1}'></div><script src='/late.js'></script>"
    )
    async with front_page_tab(pages) as shown:
        await wait_for(lambda: len(pages.requests) > 1, "the page has come")
        look = await shown.snapshot()

    assert [link.href for link in look.links] == ["/drawn", "http://["]
    assert look.configs == [{"data-config": '{"a": 1}'}]
    assert look.resources == ["/late.js"]


async def test_a_cookie_that_the_browser_refuses_is_the_only_one_lost(pages: Pages) -> None:
    good = {"name": "good", "value": 'a"b,c', "domain": "127.0.0.1", "path": "/", "expires": -1}
    bad = good | {"name": "bad", "value": "two\r\nlines"}
    async with front_page_tab(pages, identity={"cookies": [bad, good], "origins": []}) as shown:
        assert await shown.cookie_header(pages.url) == 'good=a"b,c'
    assert pages.requests[0].headers["Cookie"] == 'good=a"b,c'


async def test_the_cookie_header_is_what_the_browser_itself_sends(pages: Pages) -> None:
    pages.headers["/"] = [
        ("Set-Cookie", cookie)
        for cookie in ("a=1; Path=/", "nameless; Path=/", "deep=2; Path=/wp-admin", "empty=; Path=/", "u=世界; Path=/")
    ]
    pages.html["/"] = '<script>fetch("/wp-admin/admin-ajax.php")</script>'
    async with front_page_tab(pages) as shown:
        await wait_for(lambda: len(pages.requests) > 1, "the page has asked for more")
        header = await shown.cookie_header(f"{pages.url}/wp-admin/admin-ajax.php")

    sent = pages.requests[1].headers["Cookie"]
    assert header.encode() == sent.encode("utf-8", "surrogateescape")
    assert header.startswith("deep=2; ")


async def test_windows_that_a_page_opens_are_closed(pages: Pages) -> None:
    pages.html["/"] = '<script>window.open("/other"); setInterval(() => fetch("/tick"), 20)</script>'
    pages.html["/other"] = '<script>setInterval(() => fetch("/ping"), 20)</script>'
    async with front_page_tab(pages):
        await wait_for(lambda: [one.path for one in pages.requests[-20:]] == ["/tick"] * 20, "it alone is heard of")


async def test_a_message_is_typed_into_a_popup_after_it_is_opened_and_its_request_seen(pages: Pages) -> None:
    pages.html["/"] = POPUP_CHAT
    async with front_page_tab(pages) as shown:
        assert await shown.type_message("Hi", mark="aipkit", opener=".aipkit_popup_trigger", timeout=2)
        await wait_for(lambda: any(one.status for one in shown.requests()), "the request was answered")

        ajax = f"{pages.url}/wp-admin/admin-ajax.php"
        expected = ObservedRequest(ajax_url=ajax, action="aipkit_cache_sse_message", nonce="n", bot_id=5, status=200)
        assert observed_in(shown.requests()) == [expected]


async def test_without_a_field_to_be_seen_nothing_is_typed(pages: Pages) -> None:
    hidden = '<div class="chat"><i class="aipkit_send"></i><textarea hidden></textarea></div>'
    pages.html["/"] = f"{hidden}<form><textarea></textarea></form>"
    async with front_page_tab(pages) as shown:
        assert (await shown.snapshot()).fields == ["aipkit"]
        assert not await shown.type_message("Hi", mark="aipkit", opener=".aipkit_popup_trigger", timeout=2)


async def test_a_field_that_is_not_the_plugins_is_none_of_its_chat(pages: Pages) -> None:
    pages.html["/"] = (
        '<div class="aipkit_search" id="aipkit-1"><form class="chaty-contact-form"><textarea></textarea></form></div>'
        '<form id="commentform"><textarea></textarea></form>'
        "<script>document.body.className = 'page-chat'</script>"
    )
    async with front_page_tab(pages) as shown:
        assert (await shown.snapshot()).fields == []
        assert not await shown.type_message("Hi", mark="aipkit", opener=".aipkit_popup_trigger", timeout=2)


async def test_a_form_that_cannot_be_posted_is_a_failure_of_the_page(pages: Pages, free_port: int) -> None:
    async with front_page_tab(pages) as shown:
        with pytest.raises(PageFailed, match="ECONNREFUSED"):
            await shown.post(form_request(f"http://127.0.0.1:{free_port}/", {"a": "b"}), timeout=2)
        with pytest.raises(PageFailed, match="refuses connections"):
            await shown.go(f"http://127.0.0.1:{free_port}/", timeout=5)


@pytest.mark.parametrize("call", ["new_context", "new_page"])
async def test_a_browser_that_ends_while_its_tab_is_opened_is_noticed_at_once(
    monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    async def hang(of: Browser | BrowserContext, **_: object) -> None:
        browser = of.browser if isinstance(of, BrowserContext) else of
        assert browser is not None
        await browser.close()  # as where it is killed
        await asyncio.Event().wait()

    monkeypatch.setattr(Browser if call == "new_context" else BrowserContext, call, hang)

    with pytest.raises(BrowserFailed, match="ended while its tab was opened") as failed:
        async with tab():
            pass
    assert failed.value.is_transient
