"""Parsing of AI Engine's page: the two attributes of each chat's container, which the page's script removes.

A page cache may serve a page that it stored while a user was logged in, with that user's nonce, session and name. So
nothing that a page says of its visitor is used but, before version 2.4.4, the nonce.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from shared.models import Bot
from shared.plugins.ai_engine.routes import is_nonce
from shared.plugins.lenient_json import flag_at, number_at, read_json, text_at
from shared.plugins.markup import elements_in, pages_in

PARAMS, SYSTEM = "data-params", "data-system"
MAX_LENGTH = 512  # characters of a message, where the page does not say
_UNNAMED = frozenset({"", "AI"})  # the plugin's default name of a chat
_MODES_WITHOUT_TEXT = frozenset({"images", "realtime"})  # modes without text messages
_CONTAINER = "mwai-chatbot-container"  # the class of a chat; a list of earlier conversations has the same attributes
_PICTURES = re.compile(r"image/|\*/\*|\.(?:png|jpe?g|gif|webp)\b")  # a type, or the ending of a name
_CONSENT = ("mwai_gdpr", "mwai-gdpr")  # names of the consent box, in any version
_CONSENT_COOKIE = "mwai_gdpr_accepted=1"


@dataclass(frozen=True, slots=True)
class PageChats:
    """The configuration that all chats of one page share, and the bots in the page's order, each once.

    *nonce*: only pages before 2.4.4 have one for guests.
    """

    rest_url: str
    nonce: str
    context_id: int
    bots: tuple[Bot, ...]


def read_chats(elements: Iterable[Mapping[str, str]], resolve_url: Callable[[str], str] = str) -> PageChats | None:
    """Read the (HTML-unescaped) attributes of a page's elements; None if none belongs to a chat.

    Chats of other sites are skipped, for whose bots this one's default bot would answer. *resolve_url*: resolves a
    `restUrl`; "" for another site's.
    """
    chats = [chat for element in elements if (chat := _parse(element)) is not None]
    rest_url = next((url for system, _ in chats if (url := resolve_url(text_at(system, "restUrl")))), "")
    chats = [chat for chat in chats if rest_url and resolve_url(text_at(chat[0], "restUrl")) == rest_url]
    if not chats:
        return None
    bots: dict[int, Bot] = {}
    for system, params in chats:
        if text_at(params, "mode") not in _MODES_WITHOUT_TEXT:
            bot = _bot(system, params)
            bots.setdefault(bot.id, bot)
    systems = [system for system, _ in chats]
    return PageChats(
        rest_url=rest_url,
        nonce=next((nonce for system in systems if is_nonce(nonce := text_at(system, "restNonce"))), ""),
        context_id=next((number for system in systems if (number := number_at(system, "contextId"))), 0),
        bots=tuple(bots.values()),
    )


def nonce_in(body: bytes, resolve_url: Callable[[str], str] = str) -> str:
    """The nonce in a page, or in core REST's JSON of one; "" where there is none. *resolve_url*: as in `read_chats`."""
    chats = chats_in(body, resolve_url)
    return chats.nonce if chats else ""


def chats_in(body: bytes, resolve_url: Callable[[str], str] = str) -> PageChats | None:
    """The chats in a page, or in core REST's JSON of one. *resolve_url*: as in `read_chats`."""
    elements = (element for html in pages_in(body) for element in elements_in(html, (PARAMS, SYSTEM)))
    return read_chats(elements, resolve_url)


def has_agreed(cookie: str) -> bool:
    """Whether the guest with this Cookie header has given the consent that the plugin's box asks for."""
    return any(pair.strip() == _CONSENT_COOKIE for pair in cookie.split(";"))


def _parse(element: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, Any]] | None:
    if _CONTAINER not in element.get("class", _CONTAINER).split():
        return None
    system = read_json(element.get(SYSTEM, ""))
    params = read_json(element.get(PARAMS, ""))
    if not isinstance(system, dict) or not (_name(system, "botId") or _name(system, "customId")):
        return None
    return system, params if isinstance(params, dict) else {}


def _bot(system: Mapping[str, Any], params: Mapping[str, Any]) -> Bot:
    key, custom_key = _name(system, "botId"), _name(system, "customId")
    name = _name(params, "aiName").strip().removesuffix(":").strip()
    # Versions that do not say how many files a visitor may add have a switch for pictures, beside one for assistants.
    is_old = "maxUploads" not in params
    takes_files = flag_at(params, "fileUpload") or (is_old and flag_at(params, "imageUpload"))
    takes_images = takes_files and _lets_pictures_through(text_at(params, "allowedMimeTypes"))
    return Bot(
        id=_id(key, custom_key),
        name=(key or custom_key) if name in _UNNAMED else name,
        images=takes_images,
        max_images=max(number_at(params, "maxUploads"), 1) if takes_images and flag_at(params, "multiUpload") else 1,
        consent_required=_asks_consent(system),
        key=key,
        custom_key=custom_key,
        streams=flag_at(system, "stream"),
        max_message=_max_length(params),
    )


def _lets_pictures_through(allowed: str) -> bool:
    """Whether the types that the page's file chooser offers, separated by commas, have pictures; none named: all."""
    return not allowed.strip() or _PICTURES.search(allowed.lower()) is not None


def _max_length(params: Mapping[str, Any]) -> int:
    """The longest message; 0: none. A limit that the operator has cleared is none for the page and for the site."""
    if params.get("textInputMaxLength", MAX_LENGTH) in (None, ""):
        return 0
    return number_at(params, "textInputMaxLength") or MAX_LENGTH


def _id(key: str, custom_key: str) -> int:
    """A stable number for a bot, since the plugin has only names."""
    digest = hashlib.sha256(json.dumps([key, custom_key]).encode()).digest()
    return int.from_bytes(digest[:4]) % (2**31 - 1) + 1


def _asks_consent(system: Mapping[str, Any]) -> bool:
    blocks = system.get("blocks")
    if isinstance(blocks, dict):  # so PHP writes a list from which something was taken
        blocks = list(blocks.values())
    block_fields = [block for block in blocks if isinstance(block, dict)] if isinstance(blocks, list) else []
    block_fields += [block["data"] for block in block_fields if isinstance(block.get("data"), dict)]
    texts = [text_at(each, name) for each in block_fields for name in ("id", "html", "script")]
    return any(mark in text for text in texts for mark in _CONSENT)


def _name(fields: Mapping[str, Any], key: str) -> str:
    """A name; the plugin writes one that reads as a number, such as 42 or 4.1, as that."""
    value = fields.get(key)
    return str(value) if type(value) in (int, float) else text_at(fields, key)
