"""The plugin's markup (PROTOCOL 2): chat containers and popups with their `data-config` attributes."""

import html
import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tests.site.bots import SiteBot

_RECORDED = Path(__file__).with_name("data_config.json")
_UPLOADS = {"OpenAI": "openai", "Google": "google", "Claude": "claude_files"}
_ESCAPES = {"<": "\\u003C", ">": "\\u003E", "'": "\\u0027", "&": "\\u0026", "/": "\\/"}


@dataclass(frozen=True, slots=True)
class PageFacts:
    """What all chats of one page share."""

    ajax_url: str
    nonce: str
    post_id: int


def inline_chat(bot: SiteBot, facts: PageFacts) -> str:
    """A chat in the page's text."""
    return f"{inline_tag(bot, facts)}\n{_contents(bot)}</div>\n"


def popup_chat(bot: SiteBot, facts: PageFacts) -> str:
    """A chat that a button opens; the attribute sits on the outer wrapper."""
    button = (
        f'<button type="button" class="aipkit_popup_trigger" id="aipkit_popup_trigger_{bot.id}" '
        'aria-label="Open Chat">Chat</button>'
    )
    content = f'<div class="aipkit_chat_container aipkit_popup_content" id="aipkit_chat_container_{bot.id}" hidden>'
    return f"{popup_tag(bot, facts)}\n{button}\n{content}\n{_contents(bot)}</div>\n</div>\n"


def inline_tag(bot: SiteBot, facts: PageFacts) -> str:
    """The opening tag of an inline chat, byte for byte as the plugin writes it."""
    is_google = bot.provider == "Google"
    marks = [
        "",
        "aipkit-web-search-tool-allowed" if bot.web_search and not is_google else "",
        "aipkit-google-search-grounding-allowed" if bot.web_search and is_google else "",
    ]
    classes = " ".join(["aipkit_chat_container aipkit-theme-custom  aipkit-sidebar-state-closed", *marks])
    settings = config_of(bot, facts)
    return (
        f'<div class="{classes}" id="aipkit_chat_container_{bot.id}" data-bot-id="{bot.id}" '
        f"data-config='{attribute(settings)}' data-custom-theme='{attribute(settings['customThemeSettings'])}' "
        f'style="{_recorded()["style"]}" >'
    )


def popup_tag(bot: SiteBot, facts: PageFacts) -> str:
    """The opening tag of a popup's wrapper, byte for byte as the plugin writes it."""
    return (
        f'<div class="aipkit_popup_wrapper aipkit-popup-theme-custom aipkit-popup-standard" '
        f"id=\"aipkit_popup_wrapper_{bot.id}\" data-config='{attribute(config_of(bot, facts, is_popup=True))}' "
        f'data-bot-id="{bot.id}" data-icon-size="medium" style="{_recorded()["style"]}">'
    )


def config_of(bot: SiteBot, facts: PageFacts, *, is_popup: bool = False) -> dict[str, Any]:
    """The whole `data-config` of one chat, its keys in the plugin's order."""
    is_google = bot.provider == "Google"
    values: dict[str, Any] = {
        "botId": bot.id,
        "ajaxUrl": facts.ajax_url,
        "nonce": facts.nonce,
        "postId": facts.post_id,
        "popupEnabled": is_popup,
        "headerName": bot.name,
        "requireConsentCompliance": bot.consent,
        "imageUploadEnabledUI": bot.images,
        "inputActionButtonEnabled": bot.images,
        "provider": bot.provider,
        "fileUploadProvider": _UPLOADS.get(bot.provider, ""),
        "enableOpenAIConversationState": bot.conversation_state and not is_google,
        "enableGoogleConversationState": bot.conversation_state and is_google,
        "allowWebSearchTool": bot.web_search and not is_google,
        "webToggleDefaultOn": bot.web_search_on,
        "allowGoogleSearchGrounding": bot.web_search and is_google,
    }
    return {key: values.get(key, value) for key, value in _recorded()["config"].items()}


def attribute(value: Any) -> str:
    r"""JSON for a single-quoted attribute: `<>'&"` inside strings as \u00XX, slashes escaped, then HTML-escaped."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    text = re.sub(r"\\.", lambda escape: "\\u0022" if escape[0] == '\\"' else escape[0], text)
    for character, escape in _ESCAPES.items():
        text = text.replace(character, escape)
    return html.escape(text, quote=True)


def _contents(bot: SiteBot) -> str:
    return (
        f'<div class="aipkit_chat_header">{html.escape(bot.name)}</div>\n'
        '<div class="aipkit_chat_messages" aria-live="polite"></div>\n'
        '<div class="aipkit_chat_input"><div class="aipkit_chat_input_wrapper">'
        f'<textarea id="aipkit_chat_input_field_{bot.id}" name="aipkit_chat_message_{bot.id}" '
        'class="aipkit_chat_input_field" placeholder="Type your message..." aria-label="Chat message input" '
        'rows="1"></textarea>'
        '<button type="button" class="aipkit_chat_action_btn" aria-label="Send Message">Send</button>'
        "</div></div>\n"
    )


@cache
def _recorded() -> dict[str, Any]:
    """The recorded site's settings of one chat, with its interface texts, and the theme's style."""
    recorded: dict[str, Any] = json.loads(_RECORDED.read_text(encoding="utf-8"))
    return recorded
