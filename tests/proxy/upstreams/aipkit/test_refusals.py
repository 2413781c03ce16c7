"""Map the site's refusals to errors for clients."""

import json

import pytest

from proxy.upstreams.aipkit.refusals import from_stream_error
from proxy.upstreams.aipkit.requests import LARGE_BYTES, read_cache_key, read_stream_head
from proxy.upstreams.site.refusals import RefusalKind, SiteRefusal, to_refusal
from tests.proxy.upstreams.aipkit.refusal_texts import QUOTAS, RATE_LIMITS, TRANSLATED, UNKNOWN


def status_and_code(refusal: SiteRefusal) -> tuple[int, str | None]:
    error = to_refusal(refusal).error
    assert set(error.body["error"]) == {"message", "type", "param", "code"}
    return error.status, error.code


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Security check failed. Please refresh the page and try again.", (503, "credentials_refused")),
        ("Message not found in cache.", (502, "upstream_error")),
        ("Cached message has expired.", (502, "upstream_error")),
        ("Invalid chatbot specified.", (404, "model_not_found")),
        ("Access disabled for guests.", (403, "guests_refused")),
        ("Access disabled for your account/role.", (403, "guests_refused")),
        ("You have reached your quota for this period.", (429, "insufficient_quota")),
        (
            "Sorry, your message could not be sent as it contains prohibited words.",
            (400, "content_filter"),
        ),
        ("Access from your IP address has been blocked.", (403, "address_blocked")),
        (
            "Your message was flagged by the moderation system and could not be sent.",
            (400, "content_filter"),
        ),
        ("API key missing for DeepSeek.", (502, "upstream_error")),
        ("Azure endpoint is missing.", (502, "upstream_error")),
        ("The selected xAI model does not support image analysis.", (400, "invalid_image")),
        ("xAI image analysis supports JPG and PNG images only.", (400, "invalid_image")),
        (
            "The selected Cloud model cannot process images or web search. Turn off those features or choose another "
            "provider.",
            (400, "invalid_image"),
        ),
        ("Failed to log user message.", (502, "upstream_error")),
        ("This domain is not permitted to access the chatbot.", (403, "address_blocked")),
        ("You have reached your token limit for this period.", (429, "insufficient_quota")),
        ("Too many requests. Please wait a minute and try again.", (429, "rate_limit_exceeded")),
        ("Zugriff für Gäste deaktiviert.", (403, "guests_refused")),
        ("指定的聊天机器人无效。", (404, "model_not_found")),
        ("Zugriff verweigert.", (400, "upstream_refused")),
    ],
)
def test_a_refusal_before_the_model_was_called(text: str, expected: tuple[int, str]) -> None:
    refusal = from_stream_error(text, quota=False, started=False)

    assert status_and_code(refusal) == expected
    # Which the site notices after it logged the message.
    assert refusal.logged == text.startswith(("API key", "Azure", "xAI", "The selected"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("API Error: Incorrect API key provided: sk-dummy. (Code: invalid_api_key)", (502, "upstream_error")),
        (
            "API Error: Rate limit reached for stub-model on requests per min. (Code: rate_limit_exceeded)",
            (429, "rate_limit_exceeded"),
        ),
        ("API Error: The server had an error while processing your request.", (502, "upstream_error")),
        ("API Error: <html><head><title>502 Bad Gateway</title></head></html>", (502, "upstream_error")),
        ("Connection error: no data received from AI.", (502, "upstream_error")),
        ("Connection Error: transfer closed with outstanding read data remaining", (502, "upstream_error")),
        (
            "Connection Error: Operation timed out after 120001 milliseconds with 1890 bytes received",
            (504, "upstream_timeout"),
        ),
        ("API Error: too long (Code: context_length_exceeded)", (400, "context_length_exceeded")),
        ("API Error: prompt is too long: 210000 tokens > 200000 maximum", (400, "context_length_exceeded")),
        ("API Error: This model's maximum context length is 65536 tokens.", (400, "context_length_exceeded")),
        (
            "API Error: The input token count (2000000) exceeds the maximum number of tokens allowed (1048576).",
            (400, "context_length_exceeded"),
        ),
        ("API Error: Slow down. Type: rate_limit_error", (429, "rate_limit_exceeded")),
        ("API Error: Provider returned error (Code: 429)", (429, "rate_limit_exceeded")),
        ("API Error: Resource has been exhausted (e.g. check quota).", (429, "rate_limit_exceeded")),
        (
            "API Error: You exceeded your current quota, please check your plan and billing details. For more …",
            (429, "rate_limit_exceeded"),
        ),
        (
            "API Error: This model's maximum prompt length is 131072 but the request contains 140000 tokens.",
            (400, "context_length_exceeded"),
        ),
        ("Message not found in cache.", (502, "upstream_error")),
    ],
)
def test_a_failure_of_the_model(text: str, expected: tuple[int, str]) -> None:
    refusal = from_stream_error(text, quota=False, started=True)

    assert status_and_code(refusal) == expected
    assert refusal.logged


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        *((text, RefusalKind.QUOTA) for text in QUOTAS),
        *((text, RefusalKind.MINUTE_LIMIT) for text in RATE_LIMITS),
        *((text, RefusalKind.UNRECOGNISED) for text in UNKNOWN),  # a nonce that was refused must be renewed
        *((text, kind) for kind, texts in TRANSLATED.items() for text in texts),
    ],
)
def test_words_tell_a_quota_and_a_rate_limit_where_nothing_else_does(text: str, kind: RefusalKind) -> None:
    assert from_stream_error(text, quota=False, started=False).kind is kind


@pytest.mark.parametrize(
    "text",
    [
        "API-Schlüssel fehlt für DeepSeek.",
        "OpenAIのAPIキーがありません。",
        "缺少 OpenAI 的 API 密钥。",
        "Clé API manquante pour Claude.",
        "API-Schlüssel fehlt für AIPufferCloud.",
    ],
)
def test_a_missing_key_is_known_in_other_languages_since_the_message_is_logged_by_then(text: str) -> None:
    refusal = from_stream_error(text, quota=False, started=False)

    assert (refusal.kind, refusal.logged) == (RefusalKind.BOT_BROKEN, True)


def test_a_quota_notice_counts_whatever_the_words() -> None:
    refusal = from_stream_error("您已达到本周期的配额。", quota=True, started=False)

    error = to_refusal(refusal).error
    assert (error.status, error.code, error.type) == (429, "insufficient_quota", "insufficient_quota")
    assert error.headers["x-should-retry"] == "false"
    assert "您已达到本周期的配额。" in error.message


def step_1(status: int, body: bytes, headers: dict[str, str] | None = None) -> SiteRefusal:
    with pytest.raises(SiteRefusal) as exc_info:
        read_cache_key(status, headers or {}, body)
    assert not exc_info.value.logged
    return exc_info.value


def failure(code: str, text: str = "text") -> bytes:
    return json.dumps({"success": False, "data": {"message": text, "code": code}}).encode()


@pytest.mark.parametrize(
    ("status", "body", "kind", "expected"),
    [
        (403, failure("nonce_failure_cache_sse"), RefusalKind.NONCE, 503),
        (429, failure("h-captcha"), RefusalKind.RATE_LIMIT, 429),  # the plugin's own, and no page
        (200, failure("nonce_failure_cache_sse"), RefusalKind.NONCE, 503),  # something else had begun the answer
        (403, b"", RefusalKind.NONCE, 503),
        (403, b"-1", RefusalKind.NONCE, 503),
        (403, b"\n0", RefusalKind.NONCE, 503),
        (403, b"<html>Forbidden</html>", RefusalKind.FIREWALL, 400),
        (403, b'{"message":"Forbidden"}', RefusalKind.FIREWALL, 400),
        (406, b"", RefusalKind.FIREWALL, 400),
        (405, b"<html>", RefusalKind.FIREWALL, 400),
        (501, b"", RefusalKind.FIREWALL, 400),
        (202, b"<html><SCRIPT>", RefusalKind.CHALLENGE, 503),
        (468, b"<html><script>", RefusalKind.CHALLENGE, 503),
        (500, b"<html><script>", RefusalKind.UPSTREAM, 502),
        (403, failure("embed_not_available"), RefusalKind.BLOCKED, 403),
        (400, failure("empty_data_to_cache"), RefusalKind.UNRECOGNISED, 400),
        (400, failure("invalid_image_type"), RefusalKind.IMAGE, 400),
        (400, failure("too_many_images"), RefusalKind.IMAGE, 400),
        (413, failure("image_too_large"), RefusalKind.TOO_LARGE, 413),
        (500, failure("sse_cache_db_insert_failed"), RefusalKind.UPSTREAM, 502),
        (400, failure("unheard_of"), RefusalKind.UNRECOGNISED, 400),
        (503, failure("unheard_of"), RefusalKind.UPSTREAM, 502),
        (400, b"0", RefusalKind.MOVED, 503),
        (400, b"\n0", RefusalKind.MOVED, 503),
        (404, failure("unheard_of"), RefusalKind.UPSTREAM, 502),
        (404, b"<html>", RefusalKind.MOVED, 503),
        (413, b"<html>", RefusalKind.TOO_LARGE, 413),
        (429, b"slow down", RefusalKind.RATE_LIMIT, 429),
        (504, b"", RefusalKind.TIMEOUT, 504),
        (524, b"<html>", RefusalKind.TIMEOUT, 504),
        (502, b"<html>", RefusalKind.UPSTREAM, 502),
        (302, b"", RefusalKind.UPSTREAM, 502),
        (200, b"[]", RefusalKind.UPSTREAM, 502),
        (200, b'{"success":true,"data":{"cache_key":5}}', RefusalKind.UPSTREAM, 502),
        (200, b"[" * 100_000, RefusalKind.UPSTREAM, 502),
    ],
)
def test_step_1_refusals(status: int, body: bytes, kind: RefusalKind, expected: int) -> None:
    refusal = step_1(status, body)

    assert refusal.kind is kind
    assert status_and_code(refusal)[0] == expected
    assert ("text" if b'"message": "text"' in body else f"HTTP status {status}") in refusal.text


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [(400, b"0", RefusalKind.MOVED), (500, failure("sse_cache_db_insert_failed"), RefusalKind.UPSTREAM)],
)
def test_a_large_message_that_php_or_the_database_dropped_is_too_large(
    status: int, body: bytes, kind: RefusalKind
) -> None:
    for sent, expected in ((LARGE_BYTES - 1, kind), (LARGE_BYTES, RefusalKind.TOO_LARGE)):
        with pytest.raises(SiteRefusal) as exc_info:
            read_cache_key(status, {}, body, sent=sent)
        assert (exc_info.value.kind, exc_info.value.logged) == (expected, False)


def test_the_sites_own_retry_after_is_passed_on() -> None:
    assert to_refusal(step_1(429, b"", {"Retry-After": "17"})).error.headers["retry-after"] == "17"
    assert to_refusal(step_1(429, b"", {"Retry-After": "Wed, 21 Oct 2026"})).error.headers["retry-after"] == "20"
    dates = {"Date": "Wed, 21 Oct 2026 07:28:00 GMT", "Retry-After": "Wed, 21 Oct 2026 07:29:30 GMT"}
    assert to_refusal(step_1(429, b"", dates)).error.headers["retry-after"] == "90"
    assert to_refusal(step_1(429, b"", dates | {"Date": dates["Retry-After"]})).error.headers["retry-after"] == "1"


def test_a_check_page_is_named_as_such() -> None:
    assert step_1(403, b"<html>", {"cf-mitigated": "challenge"}).kind is RefusalKind.CHALLENGE
    with pytest.raises(SiteRefusal) as exc_info:
        read_stream_head(403, "text/html", {"cf-mitigated": "challenge"})
    assert exc_info.value.kind is RefusalKind.CHALLENGE


def test_only_an_event_stream_is_read_as_one() -> None:
    for coding in ({}, {"Content-Encoding": "identity"}, {"Content-Encoding": "none"}):
        read_stream_head(200, "text/event-stream", coding)
    for status, content_type in ((200, "text/html"), (502, "text/event-stream"), (403, "text/html")):
        with pytest.raises(SiteRefusal) as exc_info:
            read_stream_head(status, content_type, {"Retry-After": "17"})
        assert exc_info.value.retry_after == 17.0
    for hidden in ("GZIP", "identity, br"):
        with pytest.raises(SiteRefusal):
            read_stream_head(200, "text/event-stream", {"Content-Encoding": hidden})


def test_a_response_that_is_not_the_plugins_is_reported() -> None:
    moved = step_1(301, b"", {"Location": "https://new.example/ajax.php?_ajax_nonce=0123456789"})
    notice = step_1(200, b"<br /><b>Warning</b>", {"Content-Type": "text/html; charset=UTF-8"})

    assert moved.kind is RefusalKind.MOVED
    assert (
        moved.text
        == "HTTP status 301: it leads to https://new.example/ajax.php; the site may have moved, or want a login"
    )
    assert notice.text == "HTTP status 200 with text/html instead of the chat plugin's JSON"
    assert step_1(400, failure("too_many_images", "Max images: 4.")).text == "Max images: 4."
    with pytest.raises(SiteRefusal, match=r"with text/event-stream \(gzip\) instead of an event stream"):
        read_stream_head(200, "text/event-stream", {"Content-Type": "text/event-stream", "Content-Encoding": "gzip"})


def test_a_long_text_of_the_site_is_shortened_to_one_line() -> None:
    message = to_refusal(SiteRefusal(RefusalKind.UPSTREAM, "x\n y" * 1000, logged=True)).error.message

    assert "\n" not in message
    assert len(message) < 600
    assert to_refusal(SiteRefusal(RefusalKind.UPSTREAM, " ", logged=True)).error.message.endswith(": no reason given")
