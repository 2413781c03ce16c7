"""The plugin's markup: an empty container whose three attributes hold all, until the page's script takes them away."""

import html
import json
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from tests.recorded import SAMPLES
from tests.site.wire import php_json
from tests.site_ai_engine.bots import EngineBot

if TYPE_CHECKING:
    from tests.site_ai_engine.server import SimulatedAiEngine

CONSENT_COOKIE = "mwai_gdpr_accepted"
_CONSENT_TEXT = (
    "By using this chatbot, you agree to the recording and processing of your data by our website and the external "
    "services it might use (LLMs, vector databases, etc.)."
)
_INDENT = "\n" + " " * 30


@dataclass(frozen=True, slots=True)
class Rendering:
    """Of which page a chat is shown, and whether it asks for consent. *kept_for*: as `Behaviour.kept_for`."""

    context_id: int | None
    asks_consent: bool = False
    kept_for: str = ""


def container(site: "SimulatedAiEngine", bot: EngineBot, rendering: Rendering) -> str:
    """One chat, byte for byte as the plugin writes it."""
    if bot.custom_id and not rendering.kept_for:
        site.render(bot.custom_id)
    return _element("mwai-chatbot-container", params_of(bot), system_of(site, bot, rendering), _theme(site))


def discussions(site: "SimulatedAiEngine", bot: EngineBot, rendering: Rendering) -> str:
    """The list of a bot's earlier conversations, which says of its bot all but what makes it a chat."""
    left_out = ("actions", "blocks", "shortcuts")
    system = {key: value for key, value in system_of(site, bot, rendering).items() if key not in left_out}
    more = {"refreshInterval": 5000, "paging": 10, "metadata": {"enabled": False}}
    return _element("mwai-discussions-container", {"themeId": "chatgpt"}, system | more, _theme(site))


def _element(name: str, params: dict[str, Any], system: dict[str, Any], theme: dict[str, Any]) -> str:
    attributes = {"data-params": params, "data-system": system, "data-theme": theme}
    written = " ".join(f"{key}='{_escaped(value)}'" for key, value in attributes.items())
    return f"<div class='{name}' {written}></div>"


def params_of(bot: EngineBot) -> dict[str, Any]:
    """What `data-params` holds."""
    values = {
        "aiName": bot.name,
        "textInputMaxLength": bot.max_length,
        "fileUpload": bot.uploads,
        "multiUpload": bot.max_uploads > 1,
        "maxUploads": bot.max_uploads,
        "mode": bot.mode,
    }
    set_by_owner = {"allowedMimeTypes": bot.allowed_types} if bot.allowed_types else {}
    return {key: values.get(key, value) for key, value in _recorded()["data-params"].items()} | set_by_owner


def system_of(site: "SimulatedAiEngine", bot: EngineBot, rendering: Rendering) -> dict[str, Any]:
    """What `data-system` holds."""
    values: dict[str, Any] = {
        "botId": bot.id,
        "customId": bot.custom_id,
        "sessionId": None if site.behaviour.is_since("3.5.2") else "N/A",
        "restNonce": None if site.behaviour.is_since("2.4.4") else site.nonce,
        "contextId": rendering.context_id,
        "pluginUrl": f"{site.url}wp-content/plugins/ai-engine",
        "restUrl": site.rest_url,
        "stream": site.behaviour.streams,
        "eventLogs": site.behaviour.event_logs,
        "blocks": [_consent_box()] if rendering.asks_consent else [],
    }
    if rendering.kept_for == "user":  # as it was when the administrator looked at the page
        values |= {
            "userData": {"ID": 1, "DISPLAY_NAME": "admin", "USER_EMAIL": "admin@site.example"},
            "sessionId": "6b0a3f156687f",
            "restNonce": site.nonces.current("user"),
        }
    elif rendering.kept_for == "guest" and values["restNonce"] is not None:
        values["restNonce"] = site.nonces.current(ticks_ago=5)
    return {key: values.get(key, value) for key, value in _recorded()["data-system"].items()}


def _consent_box() -> dict[str, Any]:
    name = "mwai_gdpr_6b0a3dc64f57e"
    lines = (
        "<div>",
        f"<p>{_CONSENT_TEXT}</p>",
        '<div class="mwai-gdpr-buttons">',
        f'<button id="{name}-button" type="button" style="width: 100%;">I understand</button>',
        "</div>",
        "</div>",
    )
    script = f"document.getElementById('{name}-button').onclick = () => window.agreeToChat();"
    return {"id": name, "type": "content", "data": {"id": name, "html": _INDENT.join(lines), "script": script}}


def _theme(site: "SimulatedAiEngine") -> dict[str, Any]:
    plugin = f"{site.url}wp-content/plugins/ai-engine"
    return {
        "type": "internal",
        "name": "ChatGPT",
        "themeId": "chatgpt",
        "settings": [],
        "style": "",
        "cssUrl": f"{plugin}/themes/chatgpt.css",
    }


def _escaped(value: dict[str, Any]) -> str:
    r"""JSON with \uXXXX and `\/`, then HTML-escaped as WordPress does."""
    return html.escape(php_json(value, ascii_only=True), quote=True).replace("&#x27;", "&#039;")


@cache
def _recorded() -> dict[str, Any]:
    """The recorded site's attributes of its default chat."""
    recorded: dict[str, Any] = json.loads((SAMPLES / "ai_engine" / "00-data-default.json").read_text(encoding="utf-8"))
    return recorded
