"""What the site's own refusals mean, against recorded ones and those of servers in front."""

import pytest
from multidict import CIMultiDict

from proxy.upstreams.ai_engine.refusals import from_answer, from_text
from proxy.upstreams.site.refusals import Kind
from tests.site_checks.ai_engine.recordings import recording

HTML = {"Content-Type": "text/html"}


@pytest.mark.parametrize(
    ("name", "kind", "by_plugin"),
    [
        ("20-no-nonce", Kind.NONCE, False),
        ("20b-wrong-nonce", Kind.NONCE, False),
        ("14-browser-expired", Kind.NONCE, False),
        ("17-browser-nonce-of-a-cached-user", Kind.NONCE, False),
        ("77b-guest-nonce-with-login-cookies", Kind.NONCE, False),
        ("23-empty", Kind.UNRECOGNISED, True),  # 403 as well, and no refusal of the nonce
        ("23f-escaped-surrogate", Kind.UNRECOGNISED, False),
        ("24-too-long-plain", Kind.UNRECOGNISED, True),
        ("06j-upload-bad-type", Kind.IMAGE, True),
        ("40-upstream-err429-plain", Kind.RATE_LIMIT, True),
        ("40-upstream-errhtml-plain", Kind.EMPTY, True),
        ("41c-webserver-timeout-plain", Kind.TIMEOUT, False),
    ],
)
def test_a_recorded_refusal_is_understood(name: str, kind: Kind, by_plugin: bool) -> None:
    made = recording(f"{name}.http")
    status = int(made.head.split()[1])
    refusal = from_answer(status, {"Content-Type": "application/json"}, made.body)

    assert (refusal.kind, refusal.by_plugin, refusal.logged) == (kind, by_plugin, False)


@pytest.mark.parametrize(
    ("status", "headers", "body", "kind"),
    [
        (404, {}, b'{"code":"rest_no_route"}', Kind.NONCE),
        (401, {}, b'{"code":"rest_login_required","message":"Members."}', Kind.GUESTS),
        (500, {}, b'{"code":"internal_server_error","message":"<p>"}', Kind.UPSTREAM),
        (403, HTML, b"<h1>Forbidden</h1>", Kind.FIREWALL),
        (403, HTML, b"<title>Just a moment...</title>", Kind.CHALLENGE),
        (403, {**HTML, "cf-mitigated": "challenge"}, b"", Kind.CHALLENGE),
        (308, {**HTML, "Location": "https://new.example/wp-json"}, b"", Kind.MOVED),
        (413, HTML, b"", Kind.TOO_LARGE),
        (429, {**HTML, "Retry-After": "7"}, b"", Kind.RATE_LIMIT),
        (429, {"Retry-After": "7"}, b'{"code":"too_many_requests","message":"Slow down."}', Kind.RATE_LIMIT),
        (503, {}, b'{"code":"maintenance","message":"Briefly unavailable."}', Kind.UPSTREAM),
        (403, {}, b'{"code":"rest_login_required","message":"Members."}', Kind.GUESTS),
        (403, {}, b'{"code":"rest_cookie_invalid_nonce"}', Kind.NONCE),
        (502, HTML, b"", Kind.UPSTREAM),
        (504, HTML, b"", Kind.TIMEOUT),
        (524, HTML, b"", Kind.TIMEOUT),
        (200, HTML, b"<html>", Kind.UPSTREAM),
        (404, HTML, b"<html>", Kind.MOVED),
    ],
)
def test_what_comes_in_place_of_an_answer_is_understood(
    status: int, headers: dict[str, str], body: bytes, kind: Kind
) -> None:
    refusal = from_answer(status, CIMultiDict(headers), body)

    assert refusal.kind is kind
    assert refusal.retry_after == (7.0 if status == 429 else None)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Sorry, your query has been rejected.", Kind.UNRECOGNISED),
        ("The model 'x' is not available.", Kind.BOT_BROKEN),
        ("AI Engine: No environment found for ID (x).", Kind.BOT_BROKEN),
        ("Sie haben Ihr Kontingent aufgebraucht.", Kind.QUOTA),
        ("您已达到今天的次数上限", Kind.QUOTA),
        ("OpenAI (Responses API): Error: Incorrect API key provided: sk. (invalid_api_key) (x)", Kind.BOT_BROKEN),
        ("Custom: Error: You exceeded your current quota. (insufficient_quota) (x)", Kind.BOT_BROKEN),
        ("Custom: This model's maximum context length is 128000 tokens.", Kind.CONTEXT_LENGTH),
        ("Custom: cURL error 7: Failed to connect", Kind.UPSTREAM),
        ("Custom: cURL error 28: Operation timed out after 300000 milliseconds", Kind.TIMEOUT),
        ("Something else", Kind.UPSTREAM),
        ("Sorry, your message has been rejected by moderation.", Kind.FILTERED),
        ("Unauthorized query.", Kind.UNRECOGNISED),
        # Of some providers the plugin tells the bare words.
        ("Rate limit reached for gpt-4o on requests per min. Limit: 3", Kind.RATE_LIMIT),
        ("Request too large for gpt-4o on tokens per min (TPM): Limit 30000, Requested 40000.", Kind.RATE_LIMIT),
        ("Your account is not active, please check your billing details on our website.", Kind.BOT_BROKEN),
        ("Project `p` does not have access to model `gpt-5`", Kind.BOT_BROKEN),
        ("The server had an error while processing your request.", Kind.UPSTREAM),
        ("No file provided.", Kind.TOO_LARGE),
        ("File type is not allowed.", Kind.IMAGE),
        ("Daily limit reached: please register.", Kind.QUOTA),
        ("Custom: quota exceeded for this project", Kind.UPSTREAM),
        ("From Google: API key not valid. Please pass a valid API key.", Kind.BOT_BROKEN),
        ("Anthropic: Error: invalid x-api-key (authentication_error)", Kind.BOT_BROKEN),
        ("Anthropic: Your credit balance is too low to access the Anthropic API.", Kind.BOT_BROKEN),
        ("DeepSeek: Insufficient Balance", Kind.BOT_BROKEN),
        ("Google: Error: You exceeded your current quota. (429) (RESOURCE_EXHAUSTED)", Kind.RATE_LIMIT),
        ("Google: You exceeded your current quota. * Quota exceeded for metric: m, limit: 10", Kind.RATE_LIMIT),
        ("OpenRouter: Error: Provider returned error (429)", Kind.RATE_LIMIT),
        ("OpenAI (Responses API): Country, region, or territory not supported", Kind.BOT_BROKEN),
        ("OpenAI (Responses API): The model `m` does not exist. https://h/v1/responses", Kind.BOT_BROKEN),
        ("OpenRouter: Rate limit exceeded: free-models-per-day.", Kind.RATE_LIMIT),
        ("Anthropic: This request would exceed your organization's rate limit of 50,000 tokens.", Kind.RATE_LIMIT),
        (
            "xAI: This model's maximum prompt length is 131072 but the request contains 200000 tokens.",
            Kind.CONTEXT_LENGTH,
        ),
        ("Custom: The response was filtered due to Azure OpenAI's content management policy.", Kind.FILTERED),
        ('OpenAI (Responses API): {"error":{"message":"x","code":"context_length_exceeded"}}', Kind.CONTEXT_LENGTH),
        ('Custom: {"error":{"message":"The server had an error","type":"server_error"}}', Kind.UPSTREAM),
        ("OpenAI (Responses API): cURL error 18: transfer closed with outstanding read data", Kind.UPSTREAM),
        ("OpenAI (Responses API): cURL error 52: Empty reply from server", Kind.UPSTREAM),
        ("Oops! Something went wrong on the server. Please check the PHP Error Logs for details.", Kind.UPSTREAM),
    ],
)
def test_the_plugins_words_are_understood(text: str, kind: Kind) -> None:
    assert from_text(text).kind is kind


def test_a_word_that_is_not_allowed_and_an_address_that_is_not_are_told_alike() -> None:
    told = from_text("Your query has been rejected.").text

    assert "a word" in told
    assert "this address" in told
