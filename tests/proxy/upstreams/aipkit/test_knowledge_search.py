"""A search in the bot's knowledge that fails: since plugin 2.4.97 that ends the turn, before an answer begins.

The user's message is in the site's log by then. Older plugins (2.4.79) pass over such a failure and ask the model.
"""

import pytest

from proxy.upstreams.aipkit.refusals import from_stream_error
from proxy.upstreams.site.refusals import RefusalKind
from tests.proxy.running import RunningProxy
from tests.site import SimulatedSite

LIMITED = "OpenAI Embeddings API Error (429): Rate limit reached for text-embedding-3-small on requests per min."
TOO_LONG = (
    "OpenAI Embeddings API Error (400): This model&#039;s maximum context length is 8192 tokens, however you requested "
    "9001 tokens (9001 in your prompt; 0 for the completion). Please reduce your prompt; or completion length."
)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (LIMITED, RefusalKind.RATE_LIMIT),
        ("Google Embeddings API Error (429): Google rate limit exceeded.", RefusalKind.RATE_LIMIT),
        ("OpenAI-Embeddings-API-Fehler (429): Rate limit reached for requests.", RefusalKind.RATE_LIMIT),
        ("Cloud has reached its daily service limit. Please try again later.", RefusalKind.RATE_LIMIT),
        (TOO_LONG, RefusalKind.CONTEXT_LENGTH),
        (
            "A text chunk is too long for AI Puffer Cloud embeddings (8,000 bytes). Re-index to use smaller chunks.",
            RefusalKind.CONTEXT_LENGTH,
        ),
        (
            "OpenAI Embeddings API Error (429): You exceeded your current quota. (Code: insufficient_quota)",
            RefusalKind.BOT_BROKEN,
        ),
        ("Google Embeddings API Error (400): API key not valid. Please pass a valid API key.", RefusalKind.BOT_BROKEN),
        ("Pinecone API Error (401): Invalid API Key", RefusalKind.BOT_BROKEN),
        ("Qdrant API Error (404): Not found: Collection `x` doesn&#039;t exist!", RefusalKind.BOT_BROKEN),
        ("Connect Pinecone to search the selected knowledge store.", RefusalKind.BOT_BROKEN),
        ("The selected knowledge store is unavailable. Select an existing store.", RefusalKind.BOT_BROKEN),
        ("Select an embedding provider and model for the knowledge search.", RefusalKind.BOT_BROKEN),
        ("Knowledge base not found.", RefusalKind.BOT_BROKEN),
        ("The question was embedded with a different model than this knowledge base.", RefusalKind.BOT_BROKEN),
        ("API key is missing for OpenAI embedding generation.", RefusalKind.BOT_BROKEN),
        ("Not enough Cloud credits left for this request.", RefusalKind.BOT_BROKEN),
        (
            "This site has reached its Cloud spending limit. Review the limit in your Cloud account.",
            RefusalKind.BOT_BROKEN,
        ),
        ("HTTP error during embedding generation.", RefusalKind.UPSTREAM),
        ("OpenAI Vector API Error (500): The server had an error.", RefusalKind.UPSTREAM),
    ],
)
def test_it_is_told_as_what_failed_and_the_message_is_in_the_log(text: str, kind: RefusalKind) -> None:
    refusal = from_stream_error(text, quota=False, started=False)

    assert (refusal.kind, refusal.logged) == (kind, True)


@pytest.mark.parametrize(
    "text", ["File upload is unavailable.", "Ask us about our knowledge instead.", "Your credits are used up."]
)
def test_other_refusals_are_not_taken_for_one(text: str) -> None:
    assert not from_stream_error(text, quota=False, started=False).logged


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (LIMITED, (429, "rate_limit_exceeded")),
        (TOO_LONG, (400, "context_length_exceeded")),
        ("Knowledge base not found.", (502, "upstream_error")),
        ("HTTP error during embedding generation.", (502, "upstream_error")),
    ],
    ids=["limited", "too long", "not found", "no answer"],
)
async def test_the_bot_has_the_message_once_when_it_is_sent_again(
    proxy: RunningProxy, site: SimulatedSite, text: str, expected: tuple[int, str]
) -> None:
    first = await proxy.chat("my name is Ada")
    history = ("my name is Ada", {"role": "assistant", "content": first.text}, "who am I?")
    site.behaviour.search_error = text
    failed = await proxy.chat(*history)
    asked = len(site.model_calls)
    site.behaviour.search_error = ""
    again = await proxy.chat(*history)

    assert asked == 2
    assert again.status == 200
    assert str(site.model_calls[-1].context).count("who am I?") == 1
    assert (failed.status, failed.code) == expected
