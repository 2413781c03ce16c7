"""Pictures in requests: data URLs, their real type, and the size the site takes (PROTOCOL 8)."""

import base64
import hashlib
from typing import Any

from proxy.protocol.aipkit import Image
from proxy.protocol.errors import bad_request

MAX_IMAGE_BYTES = 20 * 1024 * 1024


def read_image_url(value: Any, where: str) -> tuple[str, Image]:
    """The image in an `image_url` (a string, or an object with `url`) and its SHA-256. Raises `ServiceError` (400)."""
    url = value.get("url") if isinstance(value, dict) else value
    if not isinstance(url, str) or not url.startswith("data:"):
        raise bad_request(
            f"'{where}' must hold a data: URL with the image itself; addresses are not fetched.",
            param=where,
            code="invalid_image_url",
        )
    head, comma, payload = url.partition(",")
    if not comma or not head.endswith(";base64"):
        raise bad_request(f"'{where}' must be a base64 data: URL.", param=where, code="invalid_image_url")
    content = _decode(payload, where)
    mime_type = _sniff(content)
    if mime_type is None:
        raise bad_request(f"'{where}' must be a PNG, JPEG or WebP image.", param=where, code="invalid_image_format")
    if len(content) > MAX_IMAGE_BYTES:
        raise bad_request(f"'{where}' is larger than 20 MB.", param=where, code="image_too_large")
    return hashlib.sha256(content).hexdigest(), Image(mime_type, payload)


def _decode(payload: str, where: str) -> bytes:
    try:
        return base64.b64decode(payload, validate=True)
    except ValueError as error:
        raise bad_request(f"'{where}' is not valid base64.", param=where, code="invalid_base64_image") from error


def _sniff(content: bytes) -> str | None:
    """The type by the first bytes, not by what the sender calls it."""
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    return None
