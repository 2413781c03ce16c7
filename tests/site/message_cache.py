"""Step 1 (PROTOCOL 4 and 8): storing a message under a one-use key."""

import base64
import binascii
import json
import re
import secrets
import string
import time
from collections.abc import Mapping
from dataclasses import dataclass

from tests.site import texts
from tests.site.behaviour import Behaviour
from tests.site.records import forget_oldest

MAX_IMAGES = 4
MAX_IMAGE_BYTES = 20 << 20
_IMAGE_TYPES = {"image/jpeg", "image/jpg", "image/png", "image/webp"}
_ALPHABET = string.ascii_letters + string.digits
_SURROGATE = re.compile("[\ud800-\udfff]")
_DATA_URL = re.compile(r"data:[^,]*;base64,")


class RefusedMessage(Exception):
    """Step 1 says no: *status*, *code* and the untranslated *text*."""

    def __init__(self, status: int, code: str, text: str) -> None:
        super().__init__(text)
        self.status, self.code, self.text = status, code, text


@dataclass(frozen=True, slots=True)
class CachedMessage:
    """What step 2 will find under the key."""

    text: str
    images: int
    client_message_id: str
    stored_at: float


class MessageCache:
    """The plugin's table of messages that wait for step 2."""

    def __init__(self, behaviour: Behaviour) -> None:
        self._behaviour = behaviour
        self._rows: dict[str, CachedMessage] = {}

    def store(self, form: Mapping[str, str]) -> str:
        """Check and keep the form's message; returns its key. Raises `RefusedMessage`."""
        text = stored_text(form.get("message", ""))
        count = _count_images if self._behaviour.is_since("2.4.21") else _first_image
        images = count(form.get("image_inputs", ""))
        if text in {"", "0"} and not images:
            raise RefusedMessage(400, "empty_data_to_cache", texts.EMPTY)
        if len(text.encode()) + len(form.get("image_inputs", "")) > self._behaviour.max_allowed_packet:
            raise RefusedMessage(500, "sse_cache_db_insert_failed", texts.INSERT)
        key = "aipkit_sse_" + "".join(secrets.choice(_ALPHABET) for _ in range(32))
        message_id = sanitize_key(form.get("user_client_message_id", ""))
        self._rows[key] = CachedMessage(text, images, message_id, time.monotonic())
        forget_oldest(self._rows)
        return key

    def take(self, key: str) -> CachedMessage | None:
        """The key's message, which is gone afterwards; its age is for the caller to judge."""
        return self._rows.pop(key, None)

    def is_expired(self, message: CachedMessage) -> bool:
        """Whether the message waited too long."""
        return time.monotonic() - message.stored_at >= self._behaviour.cache_key_seconds


def stored_text(text: str) -> str:
    """The message as the database keeps it: no NUL, and nothing at all if any byte is not UTF-8."""
    return "" if _SURROGATE.search(text) else text.replace("\0", "")


def sanitize_key(text: str) -> str:
    """WordPress' sanitize_key: lower case, and only letters, digits, `_` and `-`."""
    return re.sub(r"[^a-z0-9_\-]", "", text.lower())


def _count_images(raw: str) -> int:
    if not raw:
        return 0
    try:
        images = json.loads(raw)
    except ValueError:
        images = None
    if not isinstance(images, list) or not all(isinstance(image, dict) for image in images):
        raise RefusedMessage(400, "invalid_image_payload", texts.IMAGE_PAYLOAD)
    if len(images) > MAX_IMAGES:
        raise RefusedMessage(400, "too_many_images", texts.IMAGE_COUNT)
    for image in images:
        _check_image(image.get("mime_type"), image.get("base64_data"))
    return len(images)


def _first_image(raw: str) -> int:
    """Older plugins look at the first image alone, and pass over whatever else there is."""
    try:
        images = json.loads(raw)
    except ValueError:
        return 0
    first = images[0] if isinstance(images, list) and images else None
    is_image = isinstance(first, dict) and str(first.get("mime_type")).startswith("image/") and "base64_data" in first
    return int(is_image)


def _check_image(mime_type: object, data: object) -> None:
    if not isinstance(mime_type, str) or not isinstance(data, str) or not data:
        raise RefusedMessage(400, "invalid_image_payload", texts.IMAGE_DATA)
    if mime_type.lower() not in _IMAGE_TYPES:
        raise RefusedMessage(400, "invalid_image_type", texts.IMAGE_TYPE)
    try:
        decoded = base64.b64decode(_DATA_URL.sub("", data, count=1), validate=True)
    except binascii.Error:
        raise RefusedMessage(400, "invalid_image_payload", texts.IMAGE_DATA) from None
    if len(decoded) > MAX_IMAGE_BYTES:
        raise RefusedMessage(413, "image_too_large", texts.IMAGE_SIZE)
