"""Pictures in requests: data URLs and web addresses, their real type, and the size the site takes (PROTOCOL 8)."""

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from proxy.api.images.addresses import web_url
from proxy.chat.ask import OMITTED_FILE, ContentPart, Image, Media, media_of_last_turn, replace_media, turn_start
from proxy.chat.errors import ServiceError, bad_request, drop_tracebacks
from proxy.chat.nesting import is_too_deep
from shared.conversations import Message

MAX_IMAGE_BYTES = 20 * 1024 * 1024
# A picture in a list of items, which clients send back: pictures are not kept, and this one holds none.
NOT_KEPT: Mapping[str, str | None] = {"type": "input_image", "detail": "auto", "image_url": None, "file_id": None}
_DETAILS = ("low", "high", "original")  # `auto` is what servers do anyway
_PIECE = 1024 * 1024  # base64 characters decoded at once, so that other threads get their turn; a multiple of four


@dataclass(frozen=True, slots=True)
class ImageAddress:
    """A picture that the request names by its address; *where* in the request that is. *detail*: as of an `Image`."""

    url: str = field(repr=False)  # may hold a signature
    where: str
    detail: str = ""

    @property
    def name(self) -> str:
        """What stands for the picture in a message until it is fetched, in the form of a digest."""
        return hashlib.sha256(b"image address\0" + self.url.encode("utf-8", "surrogatepass")).hexdigest()


class Fetched(NamedTuple):
    """A fetched picture, and the SHA-256 of its content, as for data URLs."""

    digest: str
    image: Image


@dataclass(frozen=True, slots=True)
class UnusableImage:
    """An image that cannot be used, and the error that says why."""

    error: ServiceError


Picture = Media | ImageAddress | UnusableImage


def read_picture(value: Any, where: str, detail: Any = None) -> tuple[str, Picture]:
    """As `read_image_url`, but `without_unusable` tells whether data that is no picture is refused.

    *detail*: what stands beside *value*, where it does not stand in it.
    """
    try:
        name, picture = read_image_url(value, where)
        wanted = value.get("detail") if isinstance(value, dict) else detail
        return name, replace(picture, detail=wanted) if wanted in _DETAILS else picture
    except ServiceError as error:
        if error.code == "invalid_image_url":  # no data at all
            raise
        drop_tracebacks(error)
        return hashlib.sha256(where.encode()).hexdigest(), UnusableImage(error)


def read_image_url(value: Any, where: str) -> tuple[str, Image | ImageAddress]:
    """The picture in an `image_url` (a string, or an object with `url`) and its name. Raises `ServiceError` (400).

    The name is the SHA-256 of the content; of a picture that must be fetched, it is that of the address.
    """
    url = value.get("url") if isinstance(value, dict) else value
    if not isinstance(url, str):
        raise _bad_url(where, "must hold a data: URL or an http(s) address.")
    if url[:5].lower() == "data:":
        return _read_data_url(url, where)
    try:
        web_url(url)
    except ValueError as error:
        raise _bad_url(where, f"holds an image address that cannot be fetched: {error}.") from error
    address = ImageAddress(url, where)
    return address.name, address


def without_unusable(
    messages: Iterable[Message], pictures: dict[str, Picture]
) -> tuple[tuple[Message, ...], dict[str, Picture]]:
    """Replace unusable images by words. Raises the `ServiceError` of one in the current turn."""
    messages = tuple(messages)
    unfit = {name: each.error for name, each in pictures.items() if isinstance(each, UnusableImage)}
    if not unfit:
        return messages, pictures
    for name in media_of_last_turn(messages):
        if name in unfit:
            raise unfit[name]
    held = {name: each for name, each in pictures.items() if name not in unfit}
    words = dict.fromkeys(unfit, OMITTED_FILE)
    return tuple(replace_media(message, words) for message in messages), held


def read_part(fields: Mapping[str, Any], where: str) -> tuple[str, ContentPart]:
    """What only servers can take, and its name. Raises `ServiceError` (400) for what is nested too deep."""
    if is_too_deep(fields):
        raise bad_request(f"'{where}' is nested too deep.", param=where)
    spelled = json.dumps(fields, sort_keys=True).encode()
    return hashlib.sha256(spelled).hexdigest(), ContentPart(fields, where, len(spelled))


def read_content(content: bytes, where: str) -> Fetched:
    """The picture that *content* is. Raises `ServiceError` (400) for what is none. Takes long for large ones."""
    mime_type = _sniff(content)
    if mime_type is None:
        raise _bad_format(where)
    return Fetched(hashlib.sha256(content).hexdigest(), Image(mime_type, base64.b64encode(content).decode()))


def not_fetched(where: str, reason: str) -> ServiceError:
    """The error for a picture that its address did not give."""
    message = f"The image at '{where}' could not be fetched: {reason}."
    return bad_request(message, param=where, code="image_download_failed")


def too_large(where: str) -> ServiceError:
    """The error for a picture that the site would not take."""
    return bad_request(f"'{where}' is larger than 20 MB.", param=where, code="image_too_large")


def to_fetch(messages: Sequence[Message], pictures: Mapping[str, Picture]) -> tuple[list[ImageAddress], set[str]]:
    """What is still to be fetched, newest first and each once, and the names of those that this turn brings."""
    pending: dict[str, ImageAddress] = {}
    newest_first = (name for message in reversed(messages) for name in reversed(message.images))
    for name in newest_first:
        picture = pictures.get(name)
        if isinstance(picture, ImageAddress):
            pending.setdefault(name, picture)
    return list(pending.values()), {
        name for message in messages[turn_start(messages) :] for name in message.images if name in pending
    }


def put_in(
    messages: Sequence[Message], pictures: Mapping[str, Picture], fetched: Mapping[str, Fetched]
) -> tuple[tuple[Message, ...], dict[str, Media]]:
    """The same request with what was *fetched*, by the names of the addresses, and with no address left."""
    held = {name: picture for name, picture in pictures.items() if isinstance(picture, Media)}
    for name, found in fetched.items():
        address = pictures[name]
        detail = address.detail if isinstance(address, ImageAddress) else ""
        held[found.digest] = replace(found.image, detail=detail)
    digests = {name: found.digest for name, found in fetched.items()}
    return tuple(_renamed(message, digests) for message in messages), held


def _renamed(message: Message, digests: Mapping[str, str]) -> Message:
    if not any(name in digests for name in message.images):
        return message
    return replace(message, images=tuple(digests.get(name, name) for name in message.images))


def _read_data_url(url: str, where: str) -> tuple[str, Image]:
    head, comma, payload = url.partition(",")
    if not comma or not head.lower().endswith(";base64"):
        raise _bad_url(where, "must be a base64 data: URL.")
    payload = _whole(payload)
    if len(payload) > MAX_IMAGE_BYTES * 4 // 3 + 4:
        raise too_large(where)
    digest = hashlib.sha256()
    size = 0
    start = b""
    for content in _decoded(payload, where):
        digest.update(content)
        size += len(content)
        start = start or content[:16]
    mime_type = _sniff(start)
    if mime_type is None:
        raise _bad_format(where)
    if size > MAX_IMAGE_BYTES:
        raise too_large(where)
    return digest.hexdigest(), Image(mime_type, payload)


def _whole(payload: str) -> str:
    """*payload* in one line, with its padding: Android and MIME break lines, and some leave the padding out."""
    if any(blank in payload for blank in " \n\r\t"):
        payload = "".join(payload.split())
    return payload + "=" * (-len(payload) % 4)


def _decoded(payload: str, where: str) -> Iterator[bytes]:
    for first in range(0, len(payload), _PIECE):
        piece = payload[first : first + _PIECE]
        is_last = first + _PIECE >= len(payload)
        try:
            content = base64.b64decode(piece, validate=True)
        except ValueError as error:
            raise _bad_base64(where) from error
        if not is_last and len(content) * 4 != len(piece) * 3:  # padding, which only ends a text
            raise _bad_base64(where)
        yield content


def _bad_url(where: str, problem: str) -> ServiceError:
    return bad_request(f"'{where}' {problem}", param=where, code="invalid_image_url")


def _bad_base64(where: str) -> ServiceError:
    return bad_request(f"'{where}' is not valid base64.", param=where, code="invalid_base64_image")


def _bad_format(where: str) -> ServiceError:
    return bad_request(f"'{where}' must be a PNG, JPEG, WebP or GIF image.", param=where, code="invalid_image_format")


def _sniff(content: bytes) -> str | None:
    """The type by the first bytes, not by what the sender calls it."""
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    if content.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"  # not every upstream takes it: the others refuse it in their own words
    return None
