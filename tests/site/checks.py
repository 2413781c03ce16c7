"""Step 2's checks, in the plugin's order (PROTOCOL 7), up to the point where the message may be logged."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tests.site import texts
from tests.site.bots import SiteBot
from tests.site.message_cache import CachedMessage, sanitize_key

if TYPE_CHECKING:
    from tests.site.server import SimulatedSite

MAX_SESSION_CHARS = 64
MAX_CONVERSATION_CHARS = 36


class RefusedStream(Exception):
    """Step 2 says no with this text; quotas are the only ones with structure."""

    def __init__(self, text: str, *, is_quota: bool = False) -> None:
        super().__init__(text)
        self.text, self.is_quota = text, is_quota


@dataclass(frozen=True, slots=True)
class Admitted:
    """A turn that passed all checks."""

    bot: SiteBot
    session_id: str
    conversation_uuid: str
    message: CachedMessage
    web_search: bool
    previous_id: str | None

    @property
    def row(self) -> tuple[int, str, str]:
        """Where the conversation is logged."""
        return self.bot.id, self.session_id, self.conversation_uuid


def admit(site: "SimulatedSite", fields: Mapping[str, str], *, token: str, origin: str | None, ip: str) -> Admitted:
    """Run all checks. The cache key is used up as soon as the nonce was right. Raises `RefusedStream`."""
    if not site.nonces.accepts(fields.get("_ajax_nonce", ""), token):
        raise RefusedStream(texts.NONCE_STREAM)
    if fields.get("bot_id") and is_foreign(origin, site.origin):
        raise RefusedStream(texts.DOMAIN)
    message = _take_message(site, fields.get("cache_key", ""))
    message = _routed(message)
    bot = site.bots.get(_leading_number(fields.get("bot_id", "")))
    if bot is None or not bot.published:
        raise RefusedStream(texts.BOT)
    conversation = sanitize_key(fields.get("conversation_uuid", ""))
    if not conversation:
        raise RefusedStream(texts.CONVERSATION)
    session = fields.get("session_id", "").strip()
    if not session:
        raise RefusedStream(texts.SESSION)
    if message.text in {"", "0"} and not message.images:
        raise RefusedStream(texts.NO_CONTENT)
    _check_rate(site, ip)
    _check_quota(site, bot, session)
    _check_contents(site, message.text, ip)
    if len(conversation) > MAX_CONVERSATION_CHARS or len(session) > MAX_SESSION_CHARS:
        raise RefusedStream(texts.LOGGING)
    return Admitted(bot, session, conversation, message, _searches(bot, fields), _previous_id(bot, fields))


def is_foreign(origin: str | None, site_origin: str) -> bool:
    """Whether an Origin header names another site; the port does not count (PROTOCOL 11)."""
    if origin is None:
        return False
    sent, expected = urlsplit(origin), urlsplit(site_origin)
    return (sent.scheme, sent.hostname) != (expected.scheme, expected.hostname)


def _take_message(site: "SimulatedSite", key: str) -> CachedMessage:
    if not key:
        raise RefusedStream(texts.KEY_MISSING)
    message = site.cache.take(key)
    if message is None:
        raise RefusedStream(texts.KEY_UNKNOWN)
    if site.cache.is_expired(message):
        raise RefusedStream(texts.KEY_EXPIRED)
    return message


def _routed(message: CachedMessage) -> CachedMessage:
    """A JSON object with a `stream_context` is what another module stored, or the chat itself (PROTOCOL 4)."""
    try:
        parsed = json.loads(message.text)
    except (ValueError, RecursionError):
        return message
    context = parsed.get("stream_context") if isinstance(parsed, dict) else None
    if context is None:
        return message
    if context == "chat":
        return replace(message, text=str(parsed.get("user_message") or ""))
    raise RefusedStream(texts.WRITER if context == "content_writer" else texts.CONTEXT)


def _leading_number(text: str) -> int:
    match = re.match(r"\s*(\d+)", text)
    return int(match[1]) if match else 0


def _check_rate(site: "SimulatedSite", ip: str) -> None:
    """So many turns in each minute of the clock (PROTOCOL 13)."""
    if site.behaviour.rate_limit and not site.rates.take(ip, site.behaviour.rate_limit):
        raise RefusedStream(texts.RATE)


def _check_quota(site: "SimulatedSite", bot: SiteBot, session: str) -> None:
    if not bot.guests:
        raise RefusedStream(texts.GUESTS)
    if bot.quota_tokens is not None and site.history.used_tokens(session, bot.id) >= bot.quota_tokens:
        raise RefusedStream(site.behaviour.quota_text, is_quota=site.behaviour.is_since("2.4.5"))


def _check_contents(site: "SimulatedSite", text: str, ip: str) -> None:
    behaviour = site.behaviour
    if ip in behaviour.banned_ips:
        raise RefusedStream(texts.ADDRESS)
    if any(re.search(rf"\b{re.escape(word)}\b", text, re.IGNORECASE) for word in behaviour.banned_words):
        raise RefusedStream(texts.WORDS)
    if any(word in text for word in behaviour.flagged_words):
        raise RefusedStream(texts.MODERATION)
    if behaviour.stream_error:
        raise RefusedStream(behaviour.stream_error)


def _searches(bot: SiteBot, fields: Mapping[str, str]) -> bool:
    """Only the literal `true` counts, and only where the bot allows it (PROTOCOL 5)."""
    name = "frontend_google_search_grounding_active" if bot.provider == "Google" else "frontend_web_search_active"
    return bot.web_search and fields.get(name) == "true"


def _previous_id(bot: SiteBot, fields: Mapping[str, str]) -> str | None:
    names = {"OpenAI": "previous_openai_response_id", "Google": "previous_google_interaction_id"}
    if not bot.conversation_state or bot.chat_completions or bot.provider not in names:
        return None
    return fields.get(names[bot.provider]) or None
