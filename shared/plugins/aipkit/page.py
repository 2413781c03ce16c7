"""Parsing of AIPKit's page: the `data-config` attributes of its chats (PROTOCOL 2)."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from html import unescape

from shared.models import Bot
from shared.plugins.lenient_json import flag_at, number_at, read_json, text_at
from shared.plugins.markup import elements_in, pages_in

CONFIG_ATTRIBUTE = "data-config"
GUEST_ID_KEY = "aipkit_guest_uuid"  # local storage: the guest's session_id, kept for ever
MAX_GUEST_ID = 64  # characters; the site fails with a longer one (PROTOCOL 5)
CONSENT_KEY = "aipkit_chatbot_consent_given_{bot_id}"  # local storage: set once the guest agreed
_REST_ROOT = re.compile(
    rb"""<link\b(?=[^>]{0,500}\bapi\.w\.org)[^>]{0,500}?\bhref\s*=\s*["']?([^"'\s>]{1,500})""", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class PageConfig:
    """The configuration that all chats of one page share, and the bots in the page's order, each once."""

    ajax_url: str
    nonce: str
    post_id: int
    bots: tuple[Bot, ...]
    image_triggers: tuple[str, ...]  # lower-case prefixes that make a message an image prompt (PROTOCOL 2)


def read_configs(
    attributes: Iterable[str], local_storage: Mapping[str, str], resolve_url: Callable[[str], str] = str
) -> PageConfig | None:
    """Read the (HTML-unescaped) `data-config` attributes of a page; None if none belongs to a chat.

    Attributes of other plugins, broken JSON and duplicates of a bot are skipped, and so are embedded chats of other
    sites, which have neither its bots nor its nonce. *resolve_url*: resolves an `ajaxUrl`; "" for another site's.
    """
    chats = [chat for chat in map(_parse, attributes) if chat is not None]
    ajax_url = next((url for chat in chats if (url := resolve_url(text_at(chat, "ajaxUrl")))), "")
    chats = [chat for chat in chats if ajax_url and resolve_url(text_at(chat, "ajaxUrl")) == ajax_url]
    if not chats:
        return None
    bots: dict[int, Bot] = {}
    for chat in chats:
        bot = _bot(chat, local_storage)
        bots.setdefault(bot.id, bot)
    triggers = (word.strip().lower() for chat in chats for word in text_at(chat, "imageTriggers").split(","))
    return PageConfig(
        ajax_url=ajax_url,
        nonce=next((nonce for chat in chats if (nonce := text_at(chat, "nonce"))), ""),
        post_id=next((number for chat in chats if (number := number_at(chat, "postId"))), 0),
        bots=tuple(bots.values()),
        image_triggers=tuple(dict.fromkeys(word for word in triggers if word)),
    )


def configs_in(html: str) -> list[str]:
    """The `data-config` attributes of a page, HTML-unescaped, in its order."""
    return [found[CONFIG_ATTRIBUTE] for found in elements_in(html, (CONFIG_ATTRIBUTE,))]


def guest_id_in(local_storage: Mapping[str, str]) -> str:
    """The guest id in the local storage, if the site accepts its length; "" where there is none."""
    guest_id = local_storage.get(GUEST_ID_KEY, "")
    return guest_id if len(guest_id) <= MAX_GUEST_ID else ""


def nonce_in(body: bytes, resolve_url: Callable[[str], str] = str) -> str:
    """The chat's nonce in a page, or in core REST's JSON of pages (PROTOCOL 14); "" where there is none.

    *resolve_url*: as in `read_configs`.
    """
    found = (config for html in pages_in(body) if (config := read_configs(configs_in(html), {}, resolve_url)))
    return next((config.nonce for config in found if config.nonce), "")


def rest_root_in(body: bytes) -> str:
    """The URL of the site's REST API that the page links to; "" where there is none."""
    found = _REST_ROOT.search(body)
    return unescape(found[1].decode("utf-8", "replace")) if found else ""


def _parse(attribute: str) -> dict[str, object] | None:
    config = read_json(attribute)
    return config if isinstance(config, dict) and number_at(config, "botId") else None


def _bot(chat: Mapping[str, object], local_storage: Mapping[str, str]) -> Bot:
    bot_id = number_at(chat, "botId")
    provider = text_at(chat, "provider")
    is_google = provider == "Google"
    return Bot(
        id=bot_id,
        name=text_at(chat, "headerName").strip(),
        provider=provider,
        keeps_state=flag_at(chat, "enableGoogleConversationState" if is_google else "enableOpenAIConversationState")
        and provider in {"OpenAI", "Google"},
        web_search=flag_at(chat, "allowGoogleSearchGrounding" if is_google else "allowWebSearchTool"),
        images=flag_at(chat, "imageUploadEnabledUI"),
        consent_required=flag_at(chat, "requireConsentCompliance")
        and not local_storage.get(CONSENT_KEY.format(bot_id=bot_id)),
    )
