"""How each recorded answer came about: the requests, sent again, end in the answer to compare."""

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from tests.site_checks.raw import RawAnswer, multipart, post
from tests.site_checks.visitor import URLENCODED, Visitor

Scenario = Callable[[Visitor], Awaitable[RawAnswer]]
SCENARIOS: dict[str, Scenario] = {}
PLEASE = "[[mode:{}]] please"
FOREIGN = "Origin: https://evil.example"
_PNG = {"mime_type": "image/png", "base64_data": base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()}


def _scenario(name: str) -> Callable[[Scenario], Scenario]:
    def register(scenario: Scenario) -> Scenario:
        SCENARIOS[name] = scenario
        return scenario

    return register


def _turn(name: str, text: str, bot: int = 5, **query: str) -> None:
    async def scenario(visitor: Visitor) -> RawAnswer:
        return await visitor.send(text, bot, **query)

    SCENARIOS[name] = scenario


def _refused_stream(name: str, *headers: str, **changes: str | None) -> None:
    async def scenario(visitor: Visitor) -> RawAnswer:
        bot = changes.pop("bot", "5") or ""
        return await visitor.stream(await visitor.key(), bot, *headers, **changes)

    SCENARIOS[name] = scenario


def _refused_message(name: str, text: str, *headers: str, **more: str) -> None:
    async def scenario(visitor: Visitor) -> RawAnswer:
        return await visitor.store(text, 5, *headers, **more)

    SCENARIOS[name] = scenario


_turn("03-stream-ok.http", "Hello 世界 😀")
_turn("03d-stream-minimal.http", "minimal query")
_turn("04-stream-conv-state-1.http", "state 1", 6)
_turn("04d-stream-conv-state-badprev.http", "state 4", 6, previous_openai_response_id="bogus_1")
_turn("05-stream-websearch.http", "search it", 7, frontend_web_search_active="true")
_turn("07-stream-e_deepseek.http", "hi there", 9)
_turn("07-stream-f_openrouter.http", "hi there", 10)
_turn("07-stream-g_google.http", "hi google", 11, frontend_google_search_grounding_active="true")
_turn("07-stream-h_claude.http", "hi there", 12)
_turn("08-stream-markdown.http", "[[mode:markdown]] hi")
_turn("08b-stream-burst.http", "[[mode:burst]] hello")
_turn("08c-stream-bytewise.http", "[[mode:bytewise]][[delay:0]] hi")
_turn("08d-stream-keepalive.http", "[[mode:keepalive]] hi")
for mode in (
    "cut", "cut_clean", "empty", "err401", "err429", "err500", "errhtml", "error_event", "incomplete", "late_error",
    "refusal",
):  # fmt: skip
    _turn(f"40-upstream-{mode}.http", PLEASE.format(mode))
_turn("41-google-late_error.http", PLEASE.format("late_error"), 11)
_turn("43-upstream-refused.http", PLEASE.format("refused"))
_turn("44-apikey-missing.http", "hi", 17)
_turn("48-message-json-stream_context.http", json.dumps({"stream_context": "content_writer"}))
_turn("63-openai-chatcompletions-mode.http", "hi", 18)
_turn("32-guest-disabled.http", "hi", 14)

_refused_stream("21-get-nonce-wrong.http", _ajax_nonce="0123456789")
_refused_stream("22b-get-cachekey-unknown.http", cache_key="aipkit_sse_" + "a" * 32)
_refused_stream("23-get-bot-unknown.http", bot="99999")
_refused_stream("24-get-conv-missing.http", conversation_uuid=None)
_refused_stream("24e-conv-37.http", conversation_uuid="c" * 37)
_refused_stream("25-get-session-missing.http", session_id=None)
_refused_stream("30d-get-foreign-origin.http", FOREIGN)

_refused_message("02-cache-post-multipart.http", "Hello 世界 😀")
_refused_message("20-post-nonce-wrong.http", "x", _ajax_nonce="0123456789")
_refused_message("26-post-empty.http", "")
_refused_message("26c-post-zero.http", "0")
_refused_message("30-post-foreign-origin.http", "x", FOREIGN)
_refused_message("28c-img-gif.http", "x", image_inputs=json.dumps([_PNG | {"mime_type": "image/gif"}]))
_refused_message("28d-img-five.http", "x", image_inputs=json.dumps([_PNG] * 5))


@_scenario("01-nonce-post.http")
async def _nonce(visitor: Visitor) -> RawAnswer:
    return await visitor.post_action("aipkit_get_frontend_chat_nonce", bot_id="5")


@_scenario("02b-cache-post-urlencoded.http")
async def _urlencoded(visitor: Visitor) -> RawAnswer:
    return await visitor.store("urlencoded & plus + percent %41 世界", 5, URLENCODED)


@_scenario("03b-stream-ok-2nd-turn.http")
async def _second_turn(visitor: Visitor) -> RawAnswer:
    await visitor.send("Hello 世界 😀")
    answer = await visitor.store("urlencoded & plus + percent %41 世界", 5, URLENCODED)
    return await visitor.stream(json.loads(answer.body)["data"]["cache_key"])


@_scenario("04b-stream-conv-state-2.http")
async def _state_with_id(visitor: Visitor) -> RawAnswer:
    first = await visitor.send("state 1", 6)
    visitor.conversation = "another"
    return await visitor.send("state 2", 6, previous_openai_response_id=_id_in(first))


@_scenario("04c-stream-conv-state-3-noprev.http")
async def _state_without_id(visitor: Visitor) -> RawAnswer:
    await visitor.send("state 1", 6)
    await visitor.send("state 2", 6)
    return await visitor.send("state 3", 6)


@_scenario("06-stream-image.http")
async def _image(visitor: Visitor) -> RawAnswer:
    return await visitor.stream(await visitor.key("look", 8, image_inputs=json.dumps([_PNG])), 8)


@_scenario("06b-stream-image-only.http")
async def _image_only(visitor: Visitor) -> RawAnswer:
    return await visitor.stream(await visitor.key("", 8, image_inputs=json.dumps([_PNG])), 8)


@_scenario("07b-stream-google-2.http")
async def _google_with_id(visitor: Visitor) -> RawAnswer:
    first = await visitor.send("hi google", 11)
    visitor.conversation = "another"
    return await visitor.send("again", 11, previous_google_interaction_id=_id_in(first))


@_scenario("21c-get-after-nonce-failure.http")
async def _nonce_failure_keeps_the_key(visitor: Visitor) -> RawAnswer:
    key = await visitor.key("x")
    await visitor.stream(key, _ajax_nonce="0123456789")
    return await visitor.stream(key)


@_scenario("22c-get-cachekey-used.http")
async def _used_key(visitor: Visitor) -> RawAnswer:
    key = await visitor.key()
    await visitor.stream(key)
    return await visitor.stream(key)


@_scenario("22d-get-cachekey-expired.http")
async def _expired_key(visitor: Visitor) -> RawAnswer:
    key = await visitor.key()
    visitor.site.behaviour.cache_key_seconds = 0.0
    return await visitor.stream(key)


@_scenario("26f-post-badutf8.http")
async def _bad_utf8(visitor: Visitor) -> RawAnswer:
    body, content_type = multipart(
        {"action": "aipkit_cache_sse_message", "_ajax_nonce": visitor.site.nonce, "message": "good BAD good"}
    )
    return await post(visitor.site.ajax_url, body.replace(b"BAD", b"\xff\xfe"), content_type)


@_scenario("27f-post-70M.http")
async def _over_post_max_size(visitor: Visitor) -> RawAnswer:
    return await visitor.store("x" * 70_000_000, 5, "Expect: 100-continue")


@_scenario("28i-img-21MB.http")
async def _large_image(visitor: Visitor) -> RawAnswer:
    image = _PNG | {"base64_data": base64.b64encode(b"\0" * (21 << 20)).decode()}
    return await visitor.store("x", 5, "Expect: 100-continue", image_inputs=json.dumps([image]))


@_scenario("29-unknown-action.http")
async def _unknown_action(visitor: Visitor) -> RawAnswer:
    return await visitor.post_action("aipkit_frontend_chat_message")


@_scenario("31-quota-3.http")
async def _quota(visitor: Visitor) -> RawAnswer:
    for number in (1, 2):
        assert '"finished":true' in (await visitor.send(f"quota {number}", 15)).text
    return await visitor.send("quota 3", 15)


@_scenario("42-upstream-stall.http")
async def _stall(visitor: Visitor) -> RawAnswer:
    visitor.site.behaviour.upstream_timeout = 0.2
    return await visitor.send(PLEASE.format("stall"))


@_scenario("45-banned-word.http")
async def _banned_word(visitor: Visitor) -> RawAnswer:
    visitor.site.behaviour.banned_words = ["forbidden"]
    return await visitor.send("a Forbidden thing")


@_scenario("46-banned-ip.http")
async def _banned_ip(visitor: Visitor) -> RawAnswer:
    visitor.site.behaviour.banned_ips = ["127.0.0.1"]
    return await visitor.send("hi")


@_scenario("47-openai-moderation.http")
async def _moderation(visitor: Visitor) -> RawAnswer:
    visitor.site.behaviour.flagged_words = ["violence"]
    return await visitor.send("violence")


@_scenario("50g-hist-after-error.http")
async def _after_an_error(visitor: Visitor) -> RawAnswer:
    for text in ("first", "second", "[[mode:err500]] boom"):
        await visitor.send(text)
    return await visitor.send("sixth")


@_scenario("51b-after-abort.http")
async def _after_an_abort(visitor: Visitor) -> RawAnswer:
    await _after_an_error(visitor)
    await _abort(visitor, await visitor.key("[[mode:long]][[n:60]] abort me"))
    return await visitor.send("seventh")


@_scenario("52b-history.http")
async def _history(visitor: Visitor) -> RawAnswer:
    await _after_an_abort(visitor)
    return await visitor.post_action(
        "aipkit_get_conversation_history", bot_id="5", conversation_uuid=visitor.conversation
    )


@_scenario("57b-entities-2.http")
async def _entities(visitor: Visitor) -> RawAnswer:
    await visitor.send("if a < b && c > d <script>x</script>")
    return await visitor.send("next")


async def _abort(visitor: Visitor, key: str) -> None:
    """Begin a stream, and go away in its middle."""
    site = visitor.site
    parts = urlsplit(site.ajax_url)
    query = (
        f"action=aipkit_frontend_chat_stream&cache_key={key}&bot_id=5&session_id={visitor.session_id}"
        f"&conversation_uuid={visitor.conversation}&_ajax_nonce={site.nonce}"
    )
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(f"GET {parts.path}?{query} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode())
    await reader.readuntil(b"word2 ")
    aborted = site.aborted_streams
    writer.close()
    while site.aborted_streams == aborted:
        await asyncio.sleep(0.01)


def _id_in(answer: RawAnswer) -> str:
    """The response or interaction id in a stream."""
    return answer.text.rpartition('{"id":"')[2].partition('"')[0]
