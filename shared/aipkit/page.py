"""Reading the plugin's page: every `data-config` attribute that belongs to a chat (PROTOCOL 2)."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from shared.models import Bot

GUEST_ID_KEY = "aipkit_guest_uuid"  # local storage: the guest's session_id, kept for ever
CONSENT_KEY = "aipkit_chatbot_consent_given_{bot_id}"  # local storage: set once the guest agreed


@dataclass(frozen=True, slots=True)
class PageConfig:
    """What all chats of one page have in common, and the bots in the page's order, each once."""

    ajax_url: str
    nonce: str
    post_id: int
    bots: tuple[Bot, ...]


def read_configs(attributes: Iterable[str], local_storage: Mapping[str, str]) -> PageConfig | None:
    """Read the (HTML-unescaped) `data-config` attributes of a page; None if none belongs to a chat.

    Attributes of other plugins, broken JSON and a bot's second appearance are passed over.
    """
    chats = [chat for chat in map(_parse, attributes) if chat is not None]
    if not chats:
        return None
    bots: dict[int, Bot] = {}
    for chat in chats:
        bot = _bot(chat, local_storage)
        bots.setdefault(bot.id, bot)
    first = chats[0]
    return PageConfig(
        ajax_url=str(first["ajaxUrl"]),
        nonce=next((str(chat["nonce"]) for chat in chats if chat.get("nonce")), ""),
        post_id=next((number for chat in chats if (number := _number(chat.get("postId")))), 0),
        bots=tuple(bots.values()),
    )


def _parse(attribute: str) -> dict[str, object] | None:
    try:
        config = json.loads(attribute)
    except (ValueError, RecursionError):
        return None
    if not isinstance(config, dict) or not _number(config.get("botId")) or not config.get("ajaxUrl"):
        return None
    return config


def _number(value: object) -> int:
    """A positive id given as int or as digits; 0 for anything else."""
    if isinstance(value, int):
        return max(value, 0)
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else 0


def _bot(chat: Mapping[str, object], local_storage: Mapping[str, str]) -> Bot:
    bot_id = _number(chat["botId"])
    provider = str(chat.get("provider") or "")
    is_google = provider == "Google"
    return Bot(
        id=bot_id,
        name=str(chat.get("headerName") or "").strip(),
        provider=provider,
        keeps_state=_is_on(chat, "enableGoogleConversationState" if is_google else "enableOpenAIConversationState")
        and provider in {"OpenAI", "Google"},
        web_search=_is_on(chat, "allowGoogleSearchGrounding" if is_google else "allowWebSearchTool"),
        images=_is_on(chat, "imageUploadEnabledUI"),
        consent_required=_is_on(chat, "requireConsentCompliance")
        and not local_storage.get(CONSENT_KEY.format(bot_id=bot_id)),
    )


def _is_on(chat: Mapping[str, object], key: str) -> bool:
    return chat.get(key) in (True, 1, "1", "true")
