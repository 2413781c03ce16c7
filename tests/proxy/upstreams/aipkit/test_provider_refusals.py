"""Errors of model providers, as the plugin passes them on: whom they concern, and what became of the conversation."""

from dataclasses import replace

import pytest

from proxy.upstreams.aipkit.attempt import Attempt
from proxy.upstreams.aipkit.reader import ReplyReader
from proxy.upstreams.aipkit.refusals import from_stream_error, may_mean_lost
from proxy.upstreams.site.refusals import RefusalKind, SiteRefusal, to_refusal
from tests.proxy.upstreams.aipkit.test_attempt import GUEST, TURN, SplitReply, TextSink
from tests.security.hostile_site import OPENING, delta


@pytest.mark.parametrize(
    "text",
    [
        "API Error: Incorrect API key provided: sk-dummy. (Code: invalid_api_key)",
        "API Error: The model `stub-model` does not exist. (Code: model_not_found)",
        "API Error: You exceeded your current quota, please check your plan … (Code: insufficient_quota)",
        "API Error: Your credit balance is too low to access the Anthropic API.",
        "API Error: Insufficient Balance (Code: invalid_request_error)",
        "API Error: API key not valid. Please pass a valid API key.",
        "API Error: AI Puffer Cloud credits have run out. Free credits refresh on December 1, 2026.",
        "API Error: Not enough Cloud credits left for this request.",
        "API Error: This site has reached its Cloud spending limit. Review the limit in your Cloud account.",
        "API Error: Cloud spending is paused for this account.",
        "API Error: Your Cloud connection is unavailable. Reconnect this website in Settings.",
        "This Cloud model is unavailable. Sync Cloud models in Settings and choose a model again.",
        "API Error: This Cloud model is no longer available.",
        "API Error: API key expired. Please renew the API key.",
        "API Error: Your API key was reported as leaked. Please use another API key.",
        "API Error: models/gemini-pro is not found for API version v1beta, or is not supported for generateContent.",
        "API Error: Your team 1 has either used all available credits or reached its monthly spending limit.",
        "API Error: Your newly created team doesn't have any credits or licenses yet.",
        "API Error: Google rejected the API credentials.",
        "API Error: model: claude-3-opus-20240229 Type: not_found_error",
        "API Error: User not found. (Code: 401)",
        "API Error: This request requires more credits, or fewer max_tokens. (Code: 402)",
        "API Error: No endpoints found for x/y. (Code: 404)",
        "API Error: The API deployment for this resource does not exist. (Code: DeploymentNotFound)",
    ],
)
def test_errors_only_the_operator_can_fix_are_not_retried(text: str) -> None:
    error = to_refusal(from_stream_error(text, quota=False, started=True)).error

    assert (error.status, error.headers["x-should-retry"]) == (502, "false")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("API Error: Google rate limit exceeded.", (429, "rate_limit_exceeded")),
        ("Claude web search failed: rate limit exceeded.", (429, "rate_limit_exceeded")),
        (
            "API Error: Rate limit or quota exceeded. Please wait and retry, or check your xAI Console rate limits and "
            "billing.",
            (429, "rate_limit_exceeded"),
        ),
        ("The selected Cloud model does not support image analysis.", (400, "invalid_image")),
        ("This image could not be prepared. Upload a smaller JPG, PNG, or WebP image.", (400, "invalid_image")),
        ("API Error: Overloaded Type: overloaded_error", (502, "upstream_error")),
    ],
)
def test_what_providers_and_the_plugin_say_in_their_place_has_a_code(text: str, expected: tuple[int, str]) -> None:
    error = to_refusal(from_stream_error(text, quota=False, started=True)).error

    assert (error.status, error.code) == expected


@pytest.mark.parametrize(
    ("text", "is_lost"),
    [
        ("API Error: Interaction v1_x not found.", True),
        ("API Error: Requested entity was not found.", True),
        ("API Error: Request contains an invalid argument.", True),
        ("Connection error: no data received from AI.", True),
        ("API Error: models/x is not found for API version v1beta.", False),
        ("API Error: The service is currently unavailable.", False),
        ("API Error: Resource has been exhausted (e.g. check quota).", False),
        ("Connection Error: Recv failure: Connection reset by peer", False),
    ],
)
def test_an_interaction_that_google_no_longer_has_is_known_by_its_words(text: str, is_lost: bool) -> None:
    assert may_mean_lost(from_stream_error(text, quota=False, started=True)) is is_lost


@pytest.mark.parametrize(
    ("interaction", "before", "kind"),
    [
        ("v1_x", OPENING, RefusalKind.PREVIOUS),
        ("v1_x", OPENING + delta("text"), RefusalKind.UPSTREAM),  # it was not lost then
        ("v1_x", b"", RefusalKind.UNRECOGNISED),
        ("", OPENING, RefusalKind.UPSTREAM),
    ],
)
async def test_a_lost_conversation_shows_only_before_a_continued_answer(
    interaction: str, before: bytes, kind: RefusalKind
) -> None:
    client = SplitReply([before + b'event: error\ndata: {"error":"Requested entity was not found."}\n\n'])
    turn, reader = replace(TURN, interaction_id=interaction), ReplyReader("Google")
    attempt = Attempt(client, GUEST, turn, reader=reader, double_encodes=None, sink=TextSink(1), begun=lambda: None)

    with pytest.raises(SiteRefusal) as exc_info:
        await attempt.run(60.0, None)

    assert exc_info.value.kind is kind
