"""The two requests of a chat turn, and the answer to the first (PROTOCOL 4 and 5)."""

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from urllib.parse import quote_plus

from proxy.chat.ask import Image
from proxy.chat.errors import bad_request
from proxy.upstreams.aipkit.refusals import from_step_1, from_step_2
from proxy.upstreams.site.refusals import (
    FIREWALL_STATUSES,
    RefusalKind,
    SiteRefusal,
    described,
    leads_elsewhere,
    read_retry_after,
)
from proxy.upstreams.site.texts import PHP_BLANKS, look_at
from shared.plugins import bot_checks
from shared.plugins.lenient_json import as_utf8, bare, read_object, text_at

EVENT_STREAM = "text/event-stream"
_BARE = frozenset({b"", b"0", b"-1"})  # the whole answers of WordPress where an action or a nonce is not taken
# A body that PHP or the database may have found too large, which they tell no better than by what they then lack: the
# smallest of their usual limits (PROTOCOL 4).
LARGE_BYTES = 1 << 20
# What hides a body; all other words, such as the "none" that keeps servers from compressing, mean nothing to browsers.
_CODINGS = frozenset({"gzip", "x-gzip", "deflate", "br", "zstd", "compress", "x-compress"})
_PLAIN = re.compile(r"[0-9A-Za-z_.~-]*")  # what stands for itself in an address
_JSON = "the chat plugin's JSON"
_NO_BREAK_SPACE = "\xa0"  # not trimmed, not JSON, not visible


@dataclass(frozen=True, slots=True)
class SiteTurn:
    """One turn as the site sees it."""

    bot_id: int
    provider: str
    message: str
    images: tuple[Image, ...]
    session_id: str
    conversation_uuid: str
    post_id: int = 0
    response_id: str = ""
    interaction_id: str = ""
    web_search: bool = False


def guard(text: str, *, images: int = 0) -> str:
    """*text* as it must be sent so that the model gets to see it. Raises `ServiceError` (400).

    - Lone surrogates are not UTF-8, and one invalid byte empties the whole message (PROTOCOL 4): U+FFFD instead.
    - NUL is removed, as the site does (PROTOCOL 4).
    - Blanks alone are trimmed away upstream (PROTOCOL 4), and an image without text is dropped (PROTOCOL 8): with
      *images* a neutral sentence is sent, without them there is nothing to send.
    - `0` counts as empty for the site; a line feed, trimmed later, prevents that (PROTOCOL 4).
    - A JSON object with a key `stream_context` would be routed to another module (PROTOCOL 4): a no-break space
      after it makes it a text like any other.
    """
    text = (text if text.isascii() else as_utf8(text)).replace("\0", "")
    stripped = text.strip(PHP_BLANKS)
    if not stripped:
        if not images:
            raise bad_request("The message is empty.", param="messages", code="empty_message")
        return look_at(images)
    if text == "0":
        return "0\n"
    if stripped.startswith("{") and stripped.endswith("}") and ("stream_context" in stripped or r"\u" in stripped):
        return text + _NO_BREAK_SPACE
    return text


def message_fields(turn: SiteTurn, nonce: str) -> list[tuple[str, str]]:
    """The form fields of step 1."""
    fields = [
        ("action", "aipkit_cache_sse_message"),
        ("message", turn.message),
        ("_ajax_nonce", nonce),
        ("bot_id", str(turn.bot_id)),
    ]
    if turn.images:
        # What is in it needs no escapes, for which a JSON encoder would look through all of it in one step.
        images = (f'{{"mime_type": "{image.mime_type}", "base64_data": "{image.base64}"}}' for image in turn.images)
        fields.append(("image_inputs", f"[{', '.join(images)}]"))
    return fields


def multipart(fields: Iterable[tuple[str, str]], boundary: str) -> bytes:
    """A `multipart/form-data` body. *boundary* must not occur in any value."""
    parts: list[bytes] = []
    for name, value in fields:
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'
        parts += (head.encode(), value.encode(), b"\r\n")
    return b"".join([*parts, f"--{boundary}--\r\n".encode()])


def stream_url(ajax_url: str, turn: SiteTurn, nonce: str, cache_key: str) -> str:
    """The address of step 2, with its parameters in the browser's order."""
    query = {
        "action": "aipkit_frontend_chat_stream",
        "cache_key": cache_key,
        "bot_id": str(turn.bot_id),
        "session_id": turn.session_id,
        "conversation_uuid": turn.conversation_uuid,
    }
    if turn.post_id > 0:
        query["post_id"] = str(turn.post_id)
    if turn.response_id:
        query["previous_openai_response_id"] = turn.response_id
    if turn.interaction_id:
        query["previous_google_interaction_id"] = turn.interaction_id
    if turn.web_search:
        is_google = turn.provider == "Google"
        query["frontend_google_search_grounding_active" if is_google else "frontend_web_search_active"] = "true"
    query["_ajax_nonce"] = nonce
    url = f"{ajax_url}{'&' if '?' in ajax_url else '?'}"
    for name, value in query.items():
        url += f"{name}={value if _PLAIN.fullmatch(value) else quote_plus(value)}&"
    return url[:-1]


def read_cache_key(status: int, headers: Mapping[str, str], body: bytes, *, sent: int = 0) -> str:
    """The one-use key that step 1 hands out. Raises `SiteRefusal`. *sent*: bytes of its request's body."""
    if bot_checks.by_headers(headers):
        raise _challenge()
    data = read_object(body).get("data")
    if not isinstance(data, dict):
        data = {}
    key = text_at(data, "cache_key")
    if status == 200 and key:
        return key
    if not data and bot_checks.in_place_of_answer(status, body):
        raise _challenge(described(status, headers, _JSON))
    code, text = text_at(data, "code"), text_at(data, "message")
    if status == 400 and not data:
        text = "HTTP status 400: the site dropped the request, which is too large for it or meets no chat plugin"
    elif not text:
        text = described(status, headers, _JSON)
    is_dropped = status == 400 and bare(body) == b"0"
    if sent >= LARGE_BYTES and (is_dropped or code == "sse_cache_db_insert_failed"):
        raise SiteRefusal(RefusalKind.TOO_LARGE, text, logged=False)
    if is_dropped or (status == 404 and not data) or leads_elsewhere(status, headers):
        raise SiteRefusal(RefusalKind.MOVED, text, logged=False, by_plugin=False)
    is_wordpress = bare(body) in _BARE and (status == 403 or status not in FIREWALL_STATUSES)
    raise from_step_1(status, code, text, retry_after=read_retry_after(headers), by_plugin=bool(data) or is_wordpress)


def read_stream_head(status: int, content_type: str, headers: Mapping[str, str], page: bytes = b"") -> None:
    """Raise `SiteRefusal` unless an event stream follows. *page*: the body, where its type is another."""
    if bot_checks.by_headers(headers) or (page and bot_checks.in_place_of_answer(status, page)):
        raise _challenge(holds_message=False)
    codings = headers.get("Content-Encoding", "").lower().replace(",", " ").split()  # none was asked for
    if status == 200 and content_type == EVENT_STREAM and _CODINGS.isdisjoint(codings):
        return
    text = described(status, headers, "an event stream")
    if leads_elsewhere(status, headers):
        raise SiteRefusal(RefusalKind.MOVED, text, logged=False, by_plugin=False)
    raise from_step_2(status, text, retry_after=read_retry_after(headers))


def _challenge(text: str = "a check page came instead of an answer", *, holds_message: bool = True) -> SiteRefusal:
    return SiteRefusal(RefusalKind.CHALLENGE, text, logged=False, by_plugin=False, holds_message=holds_message)


def until_next_minute(date: str, now: float) -> float:
    """Seconds until a site counts anew that allows so many turns in each minute of its own clock (PROTOCOL 13).

    *date*: its answer's Date header; *now*: Unix seconds, for where that tells nothing.
    """
    with suppress(ValueError, OverflowError):
        now = parsedate_to_datetime(date).timestamp()
    return 60.0 - int(now) % 60  # never too few, since the part of a second that has passed is not taken off
