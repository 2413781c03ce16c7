"""What the simulated AI Engine site does beyond the recordings: errors, versions, files, a page cache."""

import html
import json
import re
from typing import Any

import aiohttp
import pytest

from tests.site_ai_engine import EngineBot, SimulatedAiEngine
from tests.site_checks.raw import RawAnswer, exchange, get, multipart, post

JSON = "application/json"
START, SUBMIT, UPLOAD = "/mwai/v1/start_session", "/mwai-ui/v1/chats/submit", "/mwai-ui/v1/files/upload"


async def submit(site: SimulatedAiEngine, text: Any, *headers: str, **fields: Any) -> RawAnswer:
    """One turn as a guest."""
    body = {"botId": "chatbot-resp", "newMessage": text, **fields}
    nonce = headers or (f"X-WP-Nonce: {site.nonce}",)
    return await post(f"{site.rest_url}{SUBMIT}", json.dumps(body).encode(), JSON, *nonce)


def code(answer: RawAnswer) -> str:
    return str(json.loads(answer.body)["code"])


def systems(text: str) -> list[Any]:
    """The `data-system` of all chats in a page."""
    return [json.loads(html.unescape(found)) for found in re.findall(r"data-system='([^']*)'", text)]


async def test_what_is_no_json_or_no_text_is_refused_as_wordpress_does() -> None:
    async with SimulatedAiEngine() as site:
        url, nonce = f"{site.rest_url}{SUBMIT}", f"X-WP-Nonce: {site.nonce}"
        answers = [await post(url, body, JSON, nonce) for body in (b"{", b'{"botId":"\xff"}')]
        listed = await submit(site, ["a"])

    assert [json.loads(each.body)["data"]["json_error_code"] for each in answers] == [4, 5]
    assert (listed.head[9:12], code(listed)) == (b"500", "internal_server_error")


async def test_routes_are_only_there_for_those_who_post_and_who_may() -> None:
    async with SimulatedAiEngine() as site:
        read = await get(f"{site.rest_url}{SUBMIT}")
        site.behaviour.rest_closed = True
        closed = await exchange(f"{site.rest_url}{START}", "POST", b"", [])
        site.behaviour.rest_closed, site.behaviour.version = False, "2.4.1"
        missing = await exchange(f"{site.rest_url}{START}", "POST", b"", [])

    assert (code(read), code(closed), code(missing)) == ("rest_no_route", "rest_login_required", "rest_no_route")


async def test_a_renewal_with_a_dead_nonce_fails_and_without_any_succeeds() -> None:
    async with SimulatedAiEngine() as site:
        old = site.nonce
        site.rotate_nonce()
        dead = await exchange(f"{site.rest_url}{START}", "POST", b"", [f"X-WP-Nonce: {old}"])
        fresh = await exchange(f"{site.rest_url}{START}", "POST", b"", [])

    assert code(dead) == "rest_cookie_invalid_nonce"
    assert json.loads(fresh.body)["restNonce"] == site.nonce != old


@pytest.mark.parametrize(
    ("version", "page_nonce", "cookies"), [("2.4.1", True, 0), ("2.8.4", False, 0), ("3.6.2", False, 2)]
)
async def test_versions_hand_out_nonces_and_cookies_each_in_its_way(
    version: str, page_nonce: bool, cookies: int
) -> None:
    async with SimulatedAiEngine() as site:
        site.behaviour.version = version
        system = systems((await get(site.url)).text)[0]
        started = await exchange(f"{site.rest_url}{START}", "POST", b"", [])

    assert bool(system["restNonce"]) is page_nonce
    assert started.head.count(b"Set-Cookie") == cookies
    assert (system["sessionId"] is None) is (version == "3.6.2")


async def test_an_unknown_bot_is_the_default_one_except_in_old_versions() -> None:
    async with SimulatedAiEngine() as site:
        answer = await submit(site, "who", botId="gone")
        site.behaviour.version = "2.8.4"
        refused = await submit(site, "who", botId="gone", stream=True)

    assert "[gpt-5-mini]" in answer.text
    assert refused.text == 'data: {"type":"error","data":"Sorry, your query has been rejected."}\n\n'
    assert b"Content-Type: application/json" in refused.head


async def test_a_shortcodes_settings_live_for_a_while_after_a_page_showed_them() -> None:
    bot = EngineBot("default", custom_id="my-bot", instructions="CUSTOM", max_length=3)
    async with SimulatedAiEngine([EngineBot("default", model="gpt-5-mini"), bot]) as site:
        site.shown = [bot]
        await get(site.url)
        await submit(site, "longer than three", botId=None, customId="my-bot")
        site.behaviour.custom_life = 0.0
        await submit(site, "later", botId=None, customId="my-bot")

    assert [call.body["instructions"] == "CUSTOM" for call in site.model_calls] == [True, False]


async def test_a_picture_is_uploaded_and_reaches_the_model_with_its_turn() -> None:
    async with SimulatedAiEngine() as site:
        form, content_type = multipart({"type": "N/A", "purpose": "N/A"})
        boundary = content_type.partition("boundary=")[2]
        part = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'.encode()
        body = part + b"\x89PNG\r\n\x1a\n\r\n" + form
        nonce = f"X-WP-Nonce: {site.nonce}"
        uploaded = json.loads((await post(f"{site.rest_url}{UPLOAD}", body, content_type, nonce)).body)
        answer = await submit(site, "look", botId="chatbot-vision", newFileId=uploaded["data"]["id"])
        unnamed = await post(f"{site.rest_url}{UPLOAD}", body.replace(b'"purpose"', b'"other"'), content_type, nonce)

    assert list(site.files) == [uploaded["data"]["id"]]
    assert "images=1" in answer.text
    assert unnamed.head.startswith(b"HTTP/1.1 400")


async def test_what_overrides_the_operator_is_noted() -> None:
    async with SimulatedAiEngine() as site:
        await submit(site, "x", model="gpt-4.1-mini", temperature=0.1, session=None)

    assert site.overrides == ["model", "temperature"]
    assert site.model_calls[0].body["model"] == "gpt-4.1-mini"


async def test_a_page_kept_since_somebody_was_logged_in_bears_a_nonce_that_guests_cannot_use() -> None:
    async with SimulatedAiEngine() as site:
        site.behaviour.kept_for = "user"
        system = systems((await get(site.url)).text)[0]
        refused = await submit(site, "x", f"X-WP-Nonce: {system['restNonce']}")
        past = systems((await get(f"{site.url}?nocache=1")).text)[0]

    assert system["userData"]["ID"] == 1
    assert code(refused) == "rest_cookie_invalid_nonce"
    assert past["restNonce"] is None


async def test_an_old_page_kept_for_guests_bears_a_dead_nonce_and_core_rest_a_live_one() -> None:
    async with SimulatedAiEngine() as site:
        site.behaviour.version, site.behaviour.kept_for = "2.4.1", "guest"
        system = systems((await get(site.url)).text)[0]
        refused = await submit(site, "x", f"X-WP-Nonce: {system['restNonce']}")
        async_page = json.loads(await _plain_get(f"{site.rest_url}/wp/v2/pages/104"))
    rendered = systems(async_page["content"]["rendered"])[0]

    assert code(refused) == "rest_cookie_invalid_nonce"
    assert (rendered["restNonce"], rendered["contextId"]) == (site.nonce, None)


async def _plain_get(url: str) -> str:
    async with aiohttp.ClientSession() as http, http.get(url) as answer:
        return await answer.text()


@pytest.mark.parametrize("engine", ["chatbot-resp", "chatbot-cc"])
@pytest.mark.parametrize("mode", ["err400", "err401", "err429", "err500", "refused", "reset", "failed", "cut"])
async def test_provider_errors_are_an_event_or_a_500(mode: str, engine: str) -> None:
    async with SimulatedAiEngine() as site:
        streamed = await submit(site, f"[[mode:{mode}]] x", botId=engine, stream=True)
        plain = await submit(site, f"[[mode:{mode}]] x", botId=engine)

    assert '"type":"error"' in streamed.text
    assert '"type":"end"' not in streamed.text
    assert plain.head.startswith(b"HTTP/1.1 500")


@pytest.mark.parametrize("mode", ["cut_clean", "late_error", "incomplete"])
async def test_custom_endpoints_that_break_off_politely_leave_no_sign(mode: str) -> None:
    async with SimulatedAiEngine() as site:
        broken = await submit(site, f"[[mode:{mode}]] x", botId="chatbot-cc", stream=True)
        whole = await submit(site, "x", botId="chatbot-cc", stream=True)

    assert '\\"accuracy\\":\\"estimated\\"' in broken.text
    assert '\\"accuracy\\":\\"estimated\\"' in whole.text
