"""What the site's own refusals mean, against recorded ones and those of servers in front."""

import pytest
from multidict import CIMultiDict

from proxy.upstreams.ai_engine.refusals import from_answer, from_text
from proxy.upstreams.site.refusals import RefusalKind
from tests.site_checks.ai_engine.recordings import recording

HTML = {"Content-Type": "text/html"}


@pytest.mark.parametrize(
    ("name", "kind", "by_plugin"),
    [
        ("20-no-nonce", RefusalKind.NONCE, False),
        ("20b-wrong-nonce", RefusalKind.NONCE, False),
        ("14-browser-expired", RefusalKind.NONCE, False),
        ("17-browser-nonce-of-a-cached-user", RefusalKind.NONCE, False),
        ("77b-guest-nonce-with-login-cookies", RefusalKind.NONCE, False),
        ("23-empty", RefusalKind.UNRECOGNISED, True),  # 403 as well, and no refusal of the nonce
        ("23f-escaped-surrogate", RefusalKind.UNRECOGNISED, False),
        ("24-too-long-plain", RefusalKind.UNRECOGNISED, True),
        ("06j-upload-bad-type", RefusalKind.IMAGE, True),
        ("40-upstream-err429-plain", RefusalKind.RATE_LIMIT, True),
        ("40-upstream-errhtml-plain", RefusalKind.EMPTY, True),
        ("41c-webserver-timeout-plain", RefusalKind.TIMEOUT, False),
    ],
)
def test_a_recorded_refusal_is_understood(name: str, kind: RefusalKind, by_plugin: bool) -> None:
    recorded = recording(f"{name}.http")
    status = int(recorded.head.split()[1])
    refusal = from_answer(status, {"Content-Type": "application/json"}, recorded.body)

    assert (refusal.kind, refusal.by_plugin, refusal.logged) == (kind, by_plugin, False)


@pytest.mark.parametrize(
    ("status", "headers", "body", "kind"),
    [
        (404, {}, b'{"code":"rest_no_route"}', RefusalKind.NONCE),
        (401, {}, b'{"code":"rest_login_required","message":"Members."}', RefusalKind.GUESTS),
        (500, {}, b'{"code":"internal_server_error","message":"<p>"}', RefusalKind.UPSTREAM),
        *((status, HTML, b"<h1>No</h1>", RefusalKind.FIREWALL) for status in (403, 405, 406, 501)),
        (403, HTML, b"<title>Just a moment...</title>", RefusalKind.CHALLENGE),
        (403, {**HTML, "cf-mitigated": "challenge"}, b"", RefusalKind.CHALLENGE),
        (308, {**HTML, "Location": "https://new.example/wp-json"}, b"", RefusalKind.MOVED),
        (413, HTML, b"", RefusalKind.TOO_LARGE),
        (429, {**HTML, "Retry-After": "7"}, b"", RefusalKind.RATE_LIMIT),
        (429, {"Retry-After": "7"}, b'{"code":"too_many_requests","message":"Slow down."}', RefusalKind.RATE_LIMIT),
        (503, {}, b'{"code":"maintenance","message":"Briefly unavailable."}', RefusalKind.UPSTREAM),
        (403, {}, b'{"code":"rest_login_required","message":"Members."}', RefusalKind.GUESTS),
        (403, {}, b'{"code":"rest_cookie_invalid_nonce"}', RefusalKind.NONCE),
        (502, HTML, b"", RefusalKind.UPSTREAM),
        (504, HTML, b"", RefusalKind.TIMEOUT),
        (524, HTML, b"", RefusalKind.TIMEOUT),
        (200, HTML, b"<html>", RefusalKind.UPSTREAM),
        (200, HTML, b"\xef\xbb\xbf\n<html><script src=a></script>", RefusalKind.CHALLENGE),
        (200, {}, b'{"success":true,"reply":"It begins with <script', RefusalKind.UPSTREAM),
        (404, HTML, b"<html>", RefusalKind.MOVED),
    ],
)
def test_what_comes_in_place_of_an_answer_is_understood(
    status: int, headers: dict[str, str], body: bytes, kind: RefusalKind
) -> None:
    refusal = from_answer(status, CIMultiDict(headers), body)

    assert refusal.kind is kind
    assert refusal.retry_after == (7.0 if status == 429 else None)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Sorry, your query has been rejected.", RefusalKind.UNRECOGNISED),
        ("The model 'x' is not available.", RefusalKind.BOT_BROKEN),
        ("AI Engine: No environment found for ID (x).", RefusalKind.BOT_BROKEN),
        ("Sie haben Ihr Kontingent aufgebraucht.", RefusalKind.QUOTA),
        ("您已达到今天的次数上限", RefusalKind.QUOTA),
        (
            "OpenAI (Responses API): Error: Incorrect API key provided: sk. (invalid_api_key) (x)",
            RefusalKind.BOT_BROKEN,
        ),
        ("Custom: Error: You exceeded your current quota. (insufficient_quota) (x)", RefusalKind.BOT_BROKEN),
        ("Custom: This model's maximum context length is 128000 tokens.", RefusalKind.CONTEXT_LENGTH),
        ("Custom: cURL error 7: Failed to connect", RefusalKind.UPSTREAM),
        ("Custom: cURL error 28: Operation timed out after 300000 milliseconds", RefusalKind.TIMEOUT),
        ("Something else", RefusalKind.UPSTREAM),
        ("Sorry, your message has been rejected by moderation.", RefusalKind.FILTERED),
        ("Unauthorized query.", RefusalKind.UNRECOGNISED),
        # Of some providers the plugin tells the bare words.
        ("Rate limit reached for gpt-4o on requests per min. Limit: 3", RefusalKind.RATE_LIMIT),
        ("Request too large for gpt-4o on tokens per min (TPM): Limit 30000, Requested 40000.", RefusalKind.RATE_LIMIT),
        ("Your account is not active, please check your billing details on our website.", RefusalKind.BOT_BROKEN),
        ("Project `p` does not have access to model `gpt-5`", RefusalKind.BOT_BROKEN),
        ("The server had an error while processing your request.", RefusalKind.UPSTREAM),
        ("No file provided.", RefusalKind.TOO_LARGE),
        ("File type is not allowed.", RefusalKind.IMAGE),
        ("Daily limit reached: please register.", RefusalKind.QUOTA),
        ("Custom: quota exceeded for this project", RefusalKind.UPSTREAM),
        ("From Google: API key not valid. Please pass a valid API key.", RefusalKind.BOT_BROKEN),
        ("Anthropic: Error: invalid x-api-key (authentication_error)", RefusalKind.BOT_BROKEN),
        ("Anthropic: Your credit balance is too low to access the Anthropic API.", RefusalKind.BOT_BROKEN),
        ("DeepSeek: Insufficient Balance", RefusalKind.BOT_BROKEN),
        ("Google: Error: You exceeded your current quota. (429) (RESOURCE_EXHAUSTED)", RefusalKind.RATE_LIMIT),
        ("Google: You exceeded your current quota. * Quota exceeded for metric: m, limit: 10", RefusalKind.RATE_LIMIT),
        ("OpenRouter: Error: Provider returned error (429)", RefusalKind.RATE_LIMIT),
        ("AI Engine (Gemini Interactions) HTTP 429: The quota is exceeded.", RefusalKind.RATE_LIMIT),
        ("Google: models/m is not found for API version v1beta, or is not supported.", RefusalKind.BOT_BROKEN),
        ("OpenAI: The model `m` has been deprecated, learn more here: https://h/d", RefusalKind.BOT_BROKEN),
        ("OpenAI (Responses API): Country, region, or territory not supported", RefusalKind.BOT_BROKEN),
        ("OpenAI (Responses API): The model `m` does not exist. https://h/v1/responses", RefusalKind.BOT_BROKEN),
        ("OpenRouter: Rate limit exceeded: free-models-per-day.", RefusalKind.RATE_LIMIT),
        (
            "Anthropic: This request would exceed your organization's rate limit of 50,000 tokens.",
            RefusalKind.RATE_LIMIT,
        ),
        (
            "xAI: This model's maximum prompt length is 131072 but the request contains 200000 tokens.",
            RefusalKind.CONTEXT_LENGTH,
        ),
        ("Custom: The response was filtered due to Azure OpenAI's content management policy.", RefusalKind.FILTERED),
        (
            'OpenAI (Responses API): {"error":{"message":"x","code":"context_length_exceeded"}}',
            RefusalKind.CONTEXT_LENGTH,
        ),
        ('Custom: {"error":{"message":"The server had an error","type":"server_error"}}', RefusalKind.UPSTREAM),
        ("OpenAI (Responses API): cURL error 18: transfer closed with outstanding read data", RefusalKind.UPSTREAM),
        ("OpenAI (Responses API): cURL error 52: Empty reply from server", RefusalKind.UPSTREAM),
        (
            "Oops! Something went wrong on the server. Please check the PHP Error Logs for details.",
            RefusalKind.UPSTREAM,
        ),
    ],
)
def test_the_plugins_words_are_understood(text: str, kind: RefusalKind) -> None:
    assert from_text(text).kind is kind


def test_a_word_that_is_not_allowed_and_an_address_that_is_not_are_reported_alike() -> None:
    message = from_text("Your query has been rejected.").text

    assert "a word" in message
    assert "this address" in message
