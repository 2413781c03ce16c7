"""Translate the refusals and failures of AIPKit sites (PROTOCOL 7, 13).

The plugin's texts are translated on sites in other languages, so structure decides first: HTTP status, JSON code,
`quota_notice`, before or after `message_start`. Only then come the English texts, as one table, and at last the words
that tell them apart in other languages.
"""

import re

from proxy.upstreams.meaning import NO_ACCOUNT, TOO_LONG
from proxy.upstreams.site.refusals import BY_STATUS, FIREWALL_STATUSES, RefusalKind, SiteRefusal
from proxy.upstreams.site.wordings import (
    is_quota,
    is_rate_limit,
    names_a_missing_key,
    names_an_invalid_bot,
    speaks_of_an_address,
    speaks_of_guests,
    speaks_of_the_cache,
)

# The plugin's own texts, by their beginnings in lower case (PROTOCOL 7, step 2, before message_start; 13).
_BEFORE_START = (
    ("security check failed", RefusalKind.NONCE),
    ("message not found in cache", RefusalKind.CACHE_KEY),
    ("cached message has expired", RefusalKind.CACHE_KEY),
    ("invalid chatbot specified", RefusalKind.BOT),
    ("access disabled for guests", RefusalKind.GUESTS),
    ("access disabled for your account", RefusalKind.GUESTS),  # told to one who is logged in
    ("you have reached your quota", RefusalKind.QUOTA),
    ("you have reached your token limit", RefusalKind.QUOTA),
    ("too many requests", RefusalKind.MINUTE_LIMIT),
    ("unable to verify this request", RefusalKind.BUSY),
    ("server error: stream processing components not ready", RefusalKind.BUSY),
    ("sse service components not fully initialized", RefusalKind.BUSY),
    ("could not load chatbot configuration", RefusalKind.BOT_BROKEN),
    ("sorry, your message could not be sent as it contains prohibited words", RefusalKind.FILTERED),
    ("access from your ip address has been blocked", RefusalKind.BLOCKED),
    ("your message was flagged by the moderation system", RefusalKind.FILTERED),
    ("api key missing for", RefusalKind.BOT_BROKEN),
    ("azure endpoint is missing", RefusalKind.BOT_BROKEN),
    ("the selected xai model does not support image", RefusalKind.IMAGE),
    ("xai image analysis supports", RefusalKind.IMAGE),
    ("failed to log user message", RefusalKind.BOT_BROKEN),
    ("this domain is not permitted", RefusalKind.BLOCKED),
    ("the ai request could not be completed", RefusalKind.UPSTREAM),
)
# The same in other languages, by the words in it.
_BY_WORDS = (
    (is_rate_limit, RefusalKind.MINUTE_LIMIT),
    (is_quota, RefusalKind.QUOTA),
    (speaks_of_guests, RefusalKind.GUESTS),
    (names_an_invalid_bot, RefusalKind.BOT),
    (speaks_of_an_address, RefusalKind.BLOCKED),
    (speaks_of_the_cache, RefusalKind.CACHE_KEY),
)
# Noticed after the message was logged, and before the reply begins (PROTOCOL 7, order of checks).
_LOGGED = (
    "api key missing for",
    "azure endpoint is missing",
    "the selected xai model",
    "xai image analysis",
    "the ai request could not be completed",
)
# A search in the bot's knowledge that fails ends the turn in between too (2.4.97): it is told with the HTTP status of
# the service that was asked (in any language), or in the plugin's words; AI Puffer Cloud has its own for all.
_SEARCH = re.compile(
    r"\(([45]\d\d)\)[:：]|[Ee]mbedding|[Kk]nowledge (?:store|search)|Knowledge base not found"
    r"|than this knowledge base|\bCloud (?:could|credit|connection|generation|has|model|re[qs]|spending)"
)
_SEARCH_STATUSES = {**dict.fromkeys((401, 402, 403, 404), RefusalKind.BOT_BROKEN), 429: RefusalKind.RATE_LIMIT}
# Parts of what the model's provider said, passed on by the plugin (after message_start), or of what a search says.
_AFTER_START = (
    ("(code: previous_response_not_found)", RefusalKind.PREVIOUS),
    ("(code: insufficient_quota)", RefusalKind.BOT_BROKEN),
    ("(code: model_not_found)", RefusalKind.BOT_BROKEN),
    ("(code: deploymentnotfound", RefusalKind.BOT_BROKEN),  # Azure's
    *((f"(code: {status}", RefusalKind.BOT_BROKEN) for status in (401, 402, 404)),  # OpenRouter's and Azure's
    ("type: not_found_error", RefusalKind.BOT_BROKEN),  # Claude's, of a model
    ("is not found for api version", RefusalKind.BOT_BROKEN),  # Google's
    ("google rejected the api credentials", RefusalKind.BOT_BROKEN),
    *((words, RefusalKind.BOT_BROKEN) for words in NO_ACCOUNT),
    ("(code: rate_limit", RefusalKind.RATE_LIMIT),
    ("(code: 429", RefusalKind.RATE_LIMIT),
    ("type: rate_limit", RefusalKind.RATE_LIMIT),
    ("rate limit reached", RefusalKind.RATE_LIMIT),
    ("rate limit exceeded", RefusalKind.RATE_LIMIT),
    ("rate limit or quota exceeded", RefusalKind.RATE_LIMIT),  # xAI's
    ("resource has been exhausted", RefusalKind.RATE_LIMIT),
    # Google's, by the minute or the day; it comes without code.
    ("you exceeded your current quota", RefusalKind.RATE_LIMIT),
    ("too many requests", RefusalKind.RATE_LIMIT),
    ("(code: context_length_exceeded)", RefusalKind.CONTEXT_LENGTH),
    *((words, RefusalKind.CONTEXT_LENGTH) for words in TOO_LONG),
    ("too long for the selected cloud model", RefusalKind.CONTEXT_LENGTH),
    ("too long for ai puffer cloud embeddings", RefusalKind.CONTEXT_LENGTH),
    ("(code: content_policy_violation)", RefusalKind.FILTERED),
    ("(code: content_filter)", RefusalKind.FILTERED),
    ("the selected cloud model cannot process images", RefusalKind.IMAGE),
    ("does not support image analysis", RefusalKind.IMAGE),
    ("jpg, png, or webp image", RefusalKind.IMAGE),
    # AI Puffer Cloud's, of the operator's account there.
    ("cloud credit", RefusalKind.BOT_BROKEN),
    ("cloud spending", RefusalKind.BOT_BROKEN),
    ("cloud connection is unavailable", RefusalKind.BOT_BROKEN),
    ("this cloud model is", RefusalKind.BOT_BROKEN),  # unavailable, or no longer available
    ("cloud has reached its daily service limit", RefusalKind.RATE_LIMIT),
    ("api key is missing", RefusalKind.BOT_BROKEN),
    *((words, RefusalKind.BOT_BROKEN) for words in ("knowledge store", "knowledge base", "embedding model")),
    ("select an embedding", RefusalKind.BOT_BROKEN),
    ("operation timed out after", RefusalKind.SITE_LIMIT),
    ("connection timed out after", RefusalKind.TIMEOUT),
)
# What Google says of an interaction that it does not keep (any more) has no code, and the plugin passes on the words
# alone; it swallows what Google says in the stream itself (PROTOCOL 7).
_LOST = re.compile(r"interaction|not[ _]found|expired|invalid argument|no data received", re.IGNORECASE)
_STEP_1_CODES = {
    "nonce_failure_cache_sse": RefusalKind.NONCE,  # whatever the status: it is 200 where the answer had begun before
    "empty_data_to_cache": RefusalKind.UNRECOGNISED,
    "invalid_image_payload": RefusalKind.IMAGE,
    "invalid_image_type": RefusalKind.IMAGE,
    "too_many_images": RefusalKind.IMAGE,
    "image_too_large": RefusalKind.TOO_LARGE,
    "embed_not_available": RefusalKind.BLOCKED,
    "cors_denied": RefusalKind.BLOCKED,
    "sse_cache_db_insert_failed": RefusalKind.UPSTREAM,
}


def from_stream_error(text: str, *, quota: bool, started: bool, check: bool = False) -> SiteRefusal:
    """What an `error` event means, with its text, whether it held a `quota_notice`, whether `message_start` came before
    it, and whether it asked for the *check* that some sites let their visitors pass in the page (`ts_required`)."""
    if check:
        return SiteRefusal(RefusalKind.CHALLENGE, text, logged=started, holds_message=False)
    if quota:
        return SiteRefusal(RefusalKind.QUOTA, text, logged=started)
    if started:
        return SiteRefusal(_after_start(text.lower(), RefusalKind.UPSTREAM), text, logged=True)
    return _before_start(text)


def may_mean_lost(refusal: SiteRefusal) -> bool:
    """Whether *refusal*, before any text of an answer that was to continue an interaction, may mean that Google no
    longer has that one."""
    return refusal.kind is RefusalKind.UPSTREAM and _LOST.search(refusal.brief) is not None


def _after_start(lowered: str, otherwise: RefusalKind) -> RefusalKind:
    return next((kind for part, kind in _AFTER_START if part in lowered), otherwise)


def _before_start(text: str) -> SiteRefusal:
    lowered = text.lower()
    for start, kind in _BEFORE_START:
        if lowered.startswith(start):
            return SiteRefusal(kind, text, logged=lowered.startswith(_LOGGED))
    if search := _SEARCH.search(text):
        kind = _SEARCH_STATUSES.get(int(search[1] or 0), RefusalKind.UPSTREAM)
        return SiteRefusal(_after_start(lowered, kind), text, logged=True)
    if names_a_missing_key(text):
        return SiteRefusal(RefusalKind.BOT_BROKEN, text, logged=True)
    kind = next((kind for speaks_of, kind in _BY_WORDS if speaks_of(text)), RefusalKind.UNRECOGNISED)
    return SiteRefusal(kind, text, logged=False)


def from_step_1(status: int, code: str, text: str, *, retry_after: float | None, by_plugin: bool = True) -> SiteRefusal:
    """What an answer other than success means when the message was to be stored. Nothing is logged by then.

    *code* and *text* are those of the plugin's JSON, or empty where the answer was no such JSON. *by_plugin*: the
    answer is WordPress' or the plugin's own, however short, and no page of a server in front.
    """
    if code in _STEP_1_CODES:
        kind = _STEP_1_CODES[code]
    elif code and status == 400:  # the plugin's own, of a version that we do not know
        kind = RefusalKind.UNRECOGNISED
    elif status in FIREWALL_STATUSES and not by_plugin:
        kind = RefusalKind.FIREWALL
    elif status == 403:
        kind = RefusalKind.NONCE
    else:
        kind = BY_STATUS.get(status, RefusalKind.UPSTREAM)
    return SiteRefusal(
        kind, text or f"HTTP status {status}", logged=False, retry_after=retry_after, by_plugin=by_plugin
    )


def from_step_2(status: int, text: str, *, retry_after: float | None) -> SiteRefusal:
    """What an answer other than an event stream means. Behind a server that fails, the plugin may be at work: it logs
    the message before its first event reaches anybody."""
    refusal = from_step_1(status, "", text, retry_after=retry_after)
    refusal.logged, refusal.by_plugin = status >= 500, False
    return refusal
