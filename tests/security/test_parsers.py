"""Every parser of what others send gives a value or its declared error for any input, never another exception."""

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harvester.visit.plugins.aipkit import observed_in
from harvester.visit.plugins.aipkit import read_page as read_chat_page
from harvester.visit.requests import PageRequest
from proxy.api.chat_completions.reply import ChatReply
from proxy.api.chat_completions.request import ChatRequest, parse_chat, read_messages
from proxy.api.completions.shapes import to_chat_body
from proxy.api.conversations.items import page_of, read_page
from proxy.api.parameters import read_metadata
from proxy.api.responses.reply import ResponseReply
from proxy.api.responses.request import parse_response
from proxy.chat.ask import Ask
from proxy.chat.errors import ServiceError
from proxy.chat.tokens import Usage
from proxy.chat.upstream import End
from proxy.server.bodies import parse_json
from proxy.upstreams.aipkit.reader import ReplyReader, sources
from proxy.upstreams.aipkit.requests import (
    SiteTurn,
    message_fields,
    multipart,
    read_cache_key,
    stream_url,
)
from proxy.upstreams.event_decoder import EventDecoder, ServerEvent
from proxy.upstreams.site.refusals import SiteRefusal, read_retry_after, to_refusal
from shared.conversations import Message
from shared.logs import redact
from shared.parsing import duration, pairs, site, sites, words
from shared.plugins.aipkit.nonce import read_nonce
from shared.plugins.aipkit.page import read_configs
from shared.settings import SettingsError, load
from tests.harvester.fake_tab import page as shown_page
from tests.proxy.access.rules import access

texts = st.text(st.characters(), max_size=20)  # with halves of surrogate pairs
odd = st.sampled_from(["", "0", "\0", "\ud800", "\u2028", "\r\n", "http://[", "data:,", "9" * 5000, "[" * 2000, "NaN"])
scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts | odd
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=10
)
deep = st.sampled_from([b"[" * 100_000, b'{"data":' * 100_000, b'{"tools":[' + b"[" * 900 + b"]" * 900 + b"]}"])


def fields(*names: str) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with some of these keys, and values that fit or do not."""
    return st.dictionaries(st.sampled_from(names) | texts, values, max_size=6)


def bodies(*names: str) -> st.SearchStrategy[bytes]:
    """Request bodies and answers: JSON with these keys, broken JSON, and anything else."""
    return fields(*names).map(dumped) | st.binary(max_size=60) | values.map(dumped) | deep


def dumped(value: object) -> bytes:
    return json.dumps(value).encode()


def valid_json(events: bytes) -> None:
    """Fail unless *events* is what any client can read: strict JSON in UTF-8."""
    for event in events.split(b"\n\n"):
        for line in event.split(b"\n"):
            if line.startswith(b"data: ") and line != b"data: [DONE]":
                orjson.loads(line.removeprefix(b"data: "))


def declared(error: Exception, *statuses: int) -> None:
    """Fail unless *error* says something, with one of *statuses* where it carries one."""
    assert str(error)
    assert not isinstance(error, ServiceError) or error.status in statuses


contents = st.lists(
    fields("type", "text", "image_url", "refusal") | st.just({"type": "text", "text": "a"}) | texts, max_size=3
)
messages = st.lists(
    st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant", "x"]) | values, "content": contents | values}),
    max_size=3,
)
CHAT = (
    *("model", "messages", "stream", "stream_options", "conversation_id", "web_search", "stop", "max_tokens", "n"),
    *("tools", "tool_choice", "response_format", "metadata", "web_search_options", "prompt", "seed"),
)
RESPONSES = (
    *("model", "input", "instructions", "previous_response_id", "conversation", "stream", "store", "tools", "text"),
    *("tool_choice", "metadata", "max_output_tokens", "temperature", "truncation", "user", "parallel_tool_calls"),
)


@given(bodies(*CHAT), messages)
@example(b"{}", [{"role": "user", "content": [{"type": []}]}])
@example(b"{}", [{"role": [], "content": [{"type": "image_url", "image_url": {"url": {}}}]}])
def test_chat_requests(body: bytes, sent: list[Any]) -> None:
    try:
        read = parse_json(body)
        for value in (read, {"model": "m", **read, "messages": sent}, to_chat_body({"model": "m", **read})):
            parse_chat(value)
    except ServiceError as error:
        declared(error, 400)


@given(bodies(*RESPONSES), messages | texts)
@example(b"{}", [{"type": {}, "role": "user", "content": "hi"}])
@example(b'{"tools":[{"type":"web_search","deep":' + b"[" * 400 + b"]" * 400 + b"}]}", "hi")
def test_responses_requests_and_what_is_echoed_of_them(body: bytes, sent: Any) -> None:
    try:
        read = parse_json(body)
        request_body = json.loads(json.dumps({**read, "model": "m", "input": sent}).encode("utf-8", "replace"))
        request = parse_response(parse_json(dumped(request_body)))
    except ServiceError as error:
        declared(error, 400)
        return
    reply = ResponseReply(request, id="resp_1", message_id="msg_1", created=1, model="m")
    valid_json(reply.opening() + reply.text_of(0)("a") + reply.closing([End()], Usage(1, 1)))


@given(values)
def test_lists_of_messages_and_metadata(value: Any) -> None:
    for read in (read_messages, read_metadata):
        try:
            read(value)
        except ServiceError as error:
            declared(error, 400)


@given(st.dictionaries(st.sampled_from(["limit", "order", "after"]), texts | odd | st.integers().map(str)))
def test_pages_of_lists(query: dict[str, str]) -> None:
    try:
        listed = page_of([Message(role="user", text="a", id="msg_1")], read_page(query))
    except ServiceError as error:
        declared(error, 400, 404)
    else:
        assert len(listed["data"]) <= 1


TURN = SiteTurn(5, "OpenAI", "hi", (), "session", "uuid")


@given(st.sampled_from([200, 400, 403, 500]), bodies("success", "data", "code"), fields("cache_key", "code", "message"))
def test_answers_to_the_message(status: int, body: bytes, data: dict[str, Any]) -> None:
    for answer in (body, dumped({"success": True, "data": data})):
        try:
            key = read_cache_key(status, {}, answer)
        except SiteRefusal as refusal:
            valid_json(b"data: " + orjson.dumps(to_refusal(refusal).error.body))
        else:
            assert urlsplit(stream_url("http://site/x", TURN, "nonce", key)).query.isascii()


@given(st.sampled_from([200, 500]), bodies("success", "data"), fields("nonce"))
def test_nonces(status: int, body: bytes, data: dict[str, Any]) -> None:
    for answer in (body, dumped({"success": True, "data": data})):
        if nonce := read_nonce(status, answer):
            multipart(message_fields(TURN, nonce), "boundary")


events = st.builds(
    ServerEvent,
    st.sampled_from(
        [
            *("message", "status", "message_start", "done", "error", "warning", "citations", "openai_response_id"),
            *("google_interaction_id", "x"),
        ]
    ),
    bodies("delta", "type", "error", "id", "citations", "quota_notice").map(
        lambda body: body.decode("utf-8", "replace")
    )
    | st.lists(fields("url", "title", "source_title", "start_char_index", "end_char_index"), max_size=3).map(
        lambda citations: json.dumps([{"url": "http://a/", **citation} for citation in citations])
    ),
)


@given(st.lists(events, max_size=6), st.sampled_from(["OpenAI", "Google", "Claude", "OpenRouter", ""]))
def test_events_of_a_reply_and_what_clients_are_sent(stream: list[ServerEvent], provider: str) -> None:
    reader = ReplyReader(provider)
    reply = ChatReply(ChatRequest(Ask("m", ()), {}, include_usage=True), id="chatcmpl-1", created=1, model="m")
    sent = reply.opening()
    try:
        for event in stream:
            sent += reply.text_of(0)(reader.read(event))
        reader.end()
        end = End(reader.finish_reason, reader.refusal, sources(reader.citations))
        sent += reply.closing([end], Usage(1, 1))
    except SiteRefusal as refusal:
        sent += reply.failure(to_refusal(refusal).error)
    valid_json(sent)


@given(st.lists(st.binary(max_size=40), max_size=6))
def test_event_streams(pieces: list[bytes]) -> None:
    decoder, whole = EventDecoder(), EventDecoder()

    assert [event for piece in pieces for event in decoder.feed(piece)] == whole.feed(b"".join(pieces))


@given(st.lists(bodies("botId", "ajaxUrl", "nonce", "postId", "headerName", "imageTriggers", "provider"), max_size=3))
def test_pages_with_chats(attributes: list[bytes]) -> None:
    configs = [attribute.decode("utf-8", "replace") for attribute in attributes]
    full = [json.dumps({"ajaxUrl": "/a", **_object(config), "botId": 5}) for config in configs]
    read_configs(configs, {})
    read_configs(full, {})
    found = read_chat_page(shown_page("https://site.example/chat/", *full, *configs, stored={}), [])
    assert not found.ajax_url or (urlsplit(found.ajax_url).hostname or "").endswith("site.example")


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


AJAX = "https://a/wp-admin/admin-ajax.php"
ADDRESSES = st.sampled_from([AJAX, f"{AJAX}?action=aipkit_x&bot_id=", "http://[", "//", "data:"])
KINDS = st.sampled_from(["application/x-www-form-urlencoded", "multipart/form-data; boundary=b", "multipart/form-data"])


@given(ADDRESSES, texts, KINDS | texts, st.none() | st.binary(max_size=60))
@example(AJAX, "", "multipart/form-data; boundary=b", b"--b\r\n\r\n--b--")
@example(AJAX, "", "application/x-www-form-urlencoded", b"a=b&" * 100_000)
def test_requests_of_a_page(start: str, rest: str, kind: str, body: bytes | None) -> None:
    observed_in([PageRequest(start + rest, kind, body or b"", 200)])


@pytest.mark.parametrize("parse", [duration, pairs, site, sites])
def test_notations_of_settings(parse: Callable[[str], object]) -> None:
    @given(texts | odd | st.from_regex(r"[0-9]{0,4}[smhd ]{0,3}|https?://[\[\]a-z0-9:.%@/?-]{0,12}|[a-z]*=[0-9]*"))
    def check(text: str) -> None:
        words(text)
        try:
            parse(text)
        except ValueError as error:
            declared(error)

    check()


@given(texts | odd, texts | odd)
def test_headers_that_clients_choose(first: str, second: str) -> None:
    for rules in (access(), access("k", cors_origins=["http://a"])):
        rules.allows_origin(f"{first}{second}")
        rules.allows_origin(f"http://{first}:{second}")
        sendable = {"Authorization": as_header(first), "x-api-key": as_header(second)}
        with suppress(ServiceError):
            rules.identify(sendable, now=0.0)
        try:
            rules.check_local(first, {})
        except ServiceError as error:
            declared(error, 403)
    read_retry_after({"Retry-After": first})


def as_header(text: str) -> str:
    """*text* as the server reads it from a header's bytes."""
    return text.encode("utf-8", "surrogatepass").decode("utf-8", "surrogateescape")


@given(texts | odd)
def test_lines_of_the_log(text: str) -> None:
    redact(text)
    assert "4711" not in redact(f"{text} cookie=4711{text}")


LINES = st.binary(max_size=40) | st.sampled_from(
    [
        *(b"COOKIE=", b"FREEAICHAT_PORT=1", b"FREEAICHAT_SITES=http://[", b"\n", b"'", b'"'),
        *(b"\\", b"export ", b"$", b"\xff", b"\0"),
    ]
)


@given(st.lists(LINES, max_size=6))
def test_files_of_settings(parts: list[bytes]) -> None:
    with TemporaryDirectory() as directory, pytest.MonkeyPatch.context() as patch:
        file = Path(directory) / ".env"
        file.write_bytes(b"".join(parts))
        patch.setenv("FREEAICHAT_ENV_FILE", str(file))
        try:
            load()
        except SettingsError as error:
            declared(error)
