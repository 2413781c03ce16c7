"""Reading the plugin's page: every `data-config` attribute that belongs to a chat (PROTOCOL 2)."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from html import unescape

from shared.models import Bot
from shared.plugins.answers import is_on, number_at, read_json, text_at
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
    """What all chats of one page have in common, and the bots in the page's order, each once."""

    ajax_url: str
    nonce: str
    post_id: int
    bots: tuple[Bot, ...]
    image_triggers: tuple[str, ...]  # beginnings, in lower case, that make a message ask for a picture (PROTOCOL 2)


def read_configs(
    attributes: Iterable[str], local_storage: Mapping[str, str], own: Callable[[str], str] = str
) -> PageConfig | None:
    """Read the (HTML-unescaped) `data-config` attributes of a page; None if none belongs to a chat.

    Attributes of other plugins, broken JSON and a bot's second appearance are passed over, and so are the chats of
    other sites that a page may show beside its own: they know neither its bots nor its nonce. *own*: what an `ajaxUrl`
    means, "" where it is another site's.
    """
    chats = [chat for chat in map(_parse, attributes) if chat is not None]
    ajax_url = next((url for chat in chats if (url := own(text_at(chat, "ajaxUrl")))), "")
    chats = [chat for chat in chats if ajax_url and own(text_at(chat, "ajaxUrl")) == ajax_url]
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
    """The `data-config` attributes in the text of a page, HTML-unescaped, in its order."""
    return [found[CONFIG_ATTRIBUTE] for found in elements_in(html, (CONFIG_ATTRIBUTE,))]


def guest_id_in(local_storage: Mapping[str, str]) -> str:
    """The guest id that the page keeps, if it is one the site takes; "" where there is none."""
    guest_id = local_storage.get(GUEST_ID_KEY, "")
    return guest_id if len(guest_id) <= MAX_GUEST_ID else ""


def nonce_in(body: bytes, own: Callable[[str], str] = str) -> str:
    """The chat's nonce in a page, or in what core REST tells of pages (PROTOCOL 14); "" where there is none. *own*: as
    in `read_configs`."""
    found = (config for html in pages_in(body) if (config := read_configs(configs_in(html), {}, own)))
    return next((config.nonce for config in found if config.nonce), "")


def rest_root_in(body: bytes) -> str:
    """Where the site's REST API is, as its pages say; "" where this one does not."""
    found = _REST_ROOT.search(body)
    return unescape(found[1].decode("utf-8", "replace")) if found else ""


def _parse(attribute: str) -> dict[str, object] | None:
    config = read_json(attribute)
    if not isinstance(config, dict) or not number_at(config, "botId") or not text_at(config, "ajaxUrl"):
        return None
    return config


def _bot(chat: Mapping[str, object], local_storage: Mapping[str, str]) -> Bot:
    bot_id = number_at(chat, "botId")
    provider = text_at(chat, "provider")
    is_google = provider == "Google"
    return Bot(
        id=bot_id,
        name=text_at(chat, "headerName").strip(),
        provider=provider,
        keeps_state=is_on(chat, "enableGoogleConversationState" if is_google else "enableOpenAIConversationState")
        and provider in {"OpenAI", "Google"},
        web_search=is_on(chat, "allowGoogleSearchGrounding" if is_google else "allowWebSearchTool"),
        images=is_on(chat, "imageUploadEnabledUI"),
        consent_required=is_on(chat, "requireConsentCompliance")
        and not local_storage.get(CONSENT_KEY.format(bot_id=bot_id)),
    )
