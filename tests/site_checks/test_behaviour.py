"""The site's switches, over plain HTTP."""

import asyncio
import time

import pytest

from tests.site import SimulatedSite
from tests.site.behaviour import PAGES, Behaviour
from tests.site.resources import HANGING_PATH
from tests.site_checks.raw import RawAnswer, exchange, get
from tests.site_checks.visitor import Visitor


async def home(**switches: object) -> RawAnswer:
    """The page at / of a site with these switches."""
    async with SimulatedSite() as site:
        site.behaviour.update(switches)
        return await get(site.url)


@pytest.mark.parametrize("page", ["blank", "links", "late", "bare_form", "busy"])
async def test_pages_without_a_chat_in_their_html(page: str) -> None:
    answer = await home(page=page)

    assert b"200 OK" in answer.head
    assert "data-config" not in answer.text
    assert ('href="/chat/"' in answer.text) is (page == "links")


async def test_a_bot_check_can_stand_before_the_page_and_before_admin_ajax() -> None:
    async with SimulatedSite(page="challenge") as site:
        site.behaviour.challenge_ajax = True
        page = await get(site.url)
        ajax = await Visitor(site).store("x")

    for answer in (page, ajax):
        assert answer.head.startswith(b"HTTP/1.1 403 ")
        assert b"cf-mitigated: challenge" in answer.head
        assert "Just a moment..." in answer.text


async def test_a_page_can_fail_or_be_late() -> None:
    failed = await home(page_status=500)
    started = time.monotonic()
    await home(page_delay=0.2)

    assert failed.head.startswith(b"HTTP/1.1 500 ")
    assert time.monotonic() - started >= 0.2


async def test_a_redirect_loop_leads_to_itself_and_a_download_is_one() -> None:
    import aiohttp

    async with SimulatedSite(page="redirects") as site, aiohttp.ClientSession() as http:
        async with http.get(site.url, allow_redirects=False) as response:
            assert (response.status, response.headers["Location"]) == (302, site.url)
        site.behaviour.page = "download"
        async with http.get(site.url) as response:
            assert response.headers["Content-Disposition"].startswith("attachment")


@pytest.mark.parametrize(("page", "has_chat"), [("endless_blank", False), ("endless_chat", True)])
async def test_an_endless_page_never_ends_but_the_site_closes_at_once(page: str, has_chat: bool) -> None:
    async with SimulatedSite(page=page) as site:
        port = int(site.origin.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        text = await reader.readuntil(b"</main>")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.readuntil(b"</html>"), 0.2)
        started = time.monotonic()
    took = time.monotonic() - started
    writer.close()
    await writer.wait_closed()

    assert took < 1
    assert (b"data-config" in text) is has_chat


async def test_the_nonce_action_can_be_missing() -> None:
    async with SimulatedSite() as site:
        site.behaviour.nonce_action = False
        answer = await Visitor(site).post_action("aipkit_get_frontend_chat_nonce")

    assert (answer.head[:12], answer.body) == (b"HTTP/1.1 400", b"0")


async def test_a_cookie_bound_nonce_fails_without_its_cookie() -> None:
    async with SimulatedSite() as site:
        site.behaviour.cookie_bound_nonce = True
        page = await get(site.url)
        cookie = "Cookie: " + page.head.decode().partition("Set-Cookie: ")[2].partition(";")[0]
        nonce = page.text.partition("&quot;nonce&quot;:&quot;")[2].partition("&")[0]
        visitor = Visitor(site)
        without = await visitor.store("x", _ajax_nonce=nonce)
        general = await visitor.store("x", 5, cookie, _ajax_nonce=site.nonce)
        with_cookie = await visitor.store("x", 5, cookie, _ajax_nonce=nonce)
        renewed = await get(f"{site.ajax_url}?action=aipkit_get_frontend_chat_nonce", cookie)

    assert [answer.head[9:12] for answer in (without, general, with_cookie)] == [b"403", b"403", b"200"]
    assert nonce in renewed.text


async def test_admin_ajax_can_fail_for_one_action_and_a_few_times() -> None:
    async with SimulatedSite() as site:
        site.behaviour.update(
            {"ajax_status": 429, "ajax_status_action": "aipkit_cache_sse_message", "ajax_status_times": 1}
        )
        visitor = Visitor(site)
        other = await visitor.post_action("aipkit_get_frontend_chat_nonce")
        first = await visitor.store("x")
        second = await visitor.store("x")

    assert [answer.head[9:12] for answer in (other, first, second)] == [b"200", b"429", b"200"]
    assert b"Retry-After: 7" in first.head


async def test_a_german_site_sends_german_errors_of_the_same_form() -> None:
    async with SimulatedSite() as site:
        site.behaviour.language = "de"
        visitor = Visitor(site)
        refused = await visitor.stream(await visitor.key(), 999)
        failed = await visitor.send("[[mode:err429]] x")
        unlogged = await visitor.store("x", _ajax_nonce="bad")

    assert '{"error":"Ungültiger Chatbot angegeben."}' in refused.text
    assert '{"error":"API-Fehler: Rate limit' in failed.text
    assert '"code":"nonce_failure_cache_sse"' in unlogged.text
    assert "Ihre Sitzung" in unlogged.text


async def test_a_custom_stream_error_leaves_nothing_in_the_log() -> None:
    async with SimulatedSite() as site:
        site.behaviour.stream_error = "No."
        answer = await Visitor(site).send("x")

    assert '{"error":"No."}\n\nevent: done' in answer.text
    assert site.logs == {}


async def test_a_stream_can_end_without_done_or_break() -> None:
    async with SimulatedSite() as site:
        visitor = Visitor(site)
        site.behaviour.drop_done = True
        ended = await visitor.send("x")
        site.behaviour.cut_connection_after = 2
        with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
            await visitor.send("x")

    assert "event: openai_response_id" in ended.text
    assert "event: done" not in ended.text


async def test_the_first_delta_can_be_late() -> None:
    async with SimulatedSite() as site:
        site.behaviour.first_delta_delay = 0.3
        started = time.monotonic()
        await Visitor(site).send("x")

    assert 0.3 <= time.monotonic() - started < 1


async def test_a_hanging_script_is_asked_for_and_never_answered() -> None:
    async with SimulatedSite() as site:
        site.behaviour.hanging_script = True
        page = await get(site.url)
        asking = asyncio.create_task(get(f"{site.origin}{HANGING_PATH}"))
        async with asyncio.timeout(5):
            while not site.resource_hits[HANGING_PATH]:
                await asyncio.sleep(0.01)
        await get(site.url)  # what is asked later is answered
        assert not asking.done()
        asking.cancel()
        await asyncio.wait({asking})

    assert f'<script src="{HANGING_PATH}">' in page.text
    assert site.resource_hits[HANGING_PATH] == 1


async def test_the_database_refuses_a_message_over_its_packet_size() -> None:
    async with SimulatedSite() as site:
        site.behaviour.max_allowed_packet = 1000
        answer = await Visitor(site).store("x" * 1001)

    assert answer.head.startswith(b"HTTP/1.1 500 ")
    assert '"code":"sse_cache_db_insert_failed"' in answer.text


async def test_the_web_server_can_refuse_a_body() -> None:
    async with SimulatedSite() as site:
        site.behaviour.body_limit = 1000
        answer = await Visitor(site).store("x" * 1000)

    assert answer.head.startswith(b"HTTP/1.1 413 Request Entity Too Large")
    assert answer.text.startswith("<html>")


@pytest.mark.parametrize(
    ("origin", "status"),
    [("http://127.0.0.1:1", b"200"), ("https://127.0.0.1", b"403"), ("null", b"403"), ("http://evil.example", b"403")],
)
async def test_an_origin_counts_by_scheme_and_host(origin: str, status: bytes) -> None:
    async with SimulatedSite() as site:
        visitor = Visitor(site)
        named = await visitor.store("x", 5, f"Origin: {origin}")
        unnamed = await visitor.store("x", 5, f"Origin: {origin}", bot_id="")

    assert named.head[9:12] == status
    assert unnamed.head[9:12] == b"200"


async def test_the_stream_is_also_given_to_a_post_with_the_same_query() -> None:
    async with SimulatedSite() as site:
        visitor = Visitor(site)
        query = f"cache_key={await visitor.key()}&bot_id=5&session_id=s&conversation_uuid=c&_ajax_nonce={site.nonce}"
        answer = await exchange(f"{site.ajax_url}?action=aipkit_frontend_chat_stream&{query}", "POST", b"", [])

    assert '"finished":true' in answer.text


async def test_a_site_may_live_in_a_sub_folder() -> None:
    async with SimulatedSite(base_path="/blog") as site:
        page = await get(site.url)
        answer = await Visitor(site).send("hi")

    assert f"{site.url.replace('/', chr(92) + '/')}wp-admin" in page.text
    assert "You said: " in answer.text


def test_switches_are_checked() -> None:
    behaviour = Behaviour()
    behaviour.update({"page_delay": 1, "page": PAGES[0]})

    assert behaviour.page_delay == 1.0
    for wrong in ({"no_such": 1}, {"page": "nope"}, {"nonce_action": 1}, {"late_ms": "5"}):
        with pytest.raises(ValueError, match=r"switch|page|must be"):
            behaviour.update(wrong)


async def test_a_firewall_blocks_by_the_message_text() -> None:
    async with SimulatedSite() as site:
        site.behaviour.update({"firewall_words": ["<script>"], "firewall_status": 406})
        visitor = Visitor(site)
        blocked, passed = await visitor.store("<script>"), await visitor.store("script")

    assert blocked.head.startswith(b"HTTP/1.1 406 Not Acceptable")
    assert "<html>" in blocked.text
    assert passed.head[9:12] == b"200"


@pytest.mark.parametrize(
    ("language", "text"),
    [("en", "Too many requests. Please wait a minute and try again."), ("zh", "请求过多。请等待一分钟后重试。")],
)
async def test_turns_in_a_minute_can_be_limited_for_an_address(language: str, text: str) -> None:
    async with SimulatedSite() as site:
        site.behaviour.update({"rate_limit": 1, "language": language})
        visitor = Visitor(site)
        answers = [await visitor.send("x") for _ in range(3)]  # the minute may end once in between

    assert f'{{"error":"{text}"}}\n\nevent: done' in "".join(answer.text for answer in answers[1:])
    assert "message_start" in answers[0].text


@pytest.mark.parametrize(
    ("version", "has_padding", "has_status", "has_action"),
    [
        ("2.3", False, False, 400),
        ("2.3.43", False, False, 200),
        ("2.3.69", False, True, 200),
        ("2.3.93", True, True, 200),
    ],
)
async def test_older_plugins_send_less(version: str, has_padding: bool, has_status: bool, has_action: int) -> None:
    async with SimulatedSite() as site:
        site.behaviour.version = version
        visitor = Visitor(site)
        answer = await visitor.send("x")
        response = await visitor.post_action("aipkit_get_frontend_chat_nonce")

    assert answer.text.startswith(":  ") is has_padding
    assert ("event: status" in answer.text) is has_status
    assert "event: openai_response_id" in answer.text
    assert int(response.head[9:12]) == has_action


async def test_a_page_cache_may_depend_on_the_query_and_core_rest_is_not_cached() -> None:
    async with SimulatedSite() as site:
        site.behaviour.stale_page_nonce = True
        always = await get(f"{site.url}?x=1")
        site.behaviour.update({"cache_minds_queries": True, "rest_pages": True})
        plain, query = await get(site.url), await get(f"{site.url}?x=1")
        rest = [await get(f"{site.url}wp-json/wp/v2/pages{which}") for which in ("/20", "?slug=chat")]
        missing = await get(f"{site.url}wp-json/wp/v2/pages/99")
        nonce = site.nonce

    assert [nonce in page.text for page in (always, plain, query, *rest)] == [False, False, True, True, True]
    assert missing.head[9:12] == b"404"
