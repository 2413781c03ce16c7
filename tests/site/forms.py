"""Request bodies as PHP reads them: multipart and urlencoded, byte for byte."""

import re
from urllib.parse import parse_qsl

from aiohttp import web

from tests.site.behaviour import Behaviour

_NAME = re.compile(rb'name="([^"]*)"')


class BodyTooLarge(Exception):
    """The body is over the web server's limit."""


async def read_fields(request: web.BaseRequest, behaviour: Behaviour) -> tuple[dict[str, str], dict[str, str]]:
    """The query's and the form's fields. Raises `BodyTooLarge`.

    Bytes that are not UTF-8 become lone surrogates. Over `post_max_size` PHP drops the whole form.
    """
    query = dict(parse_qsl(request.rel_url.raw_query_string, keep_blank_values=True, errors="surrogateescape"))
    if request.method != "POST":
        return query, {}
    body = await _read_body(request, behaviour)
    if body is None:
        return query, {}
    content_type = request.headers.get("Content-Type", "")
    if content_type.startswith("multipart/form-data"):
        return query, _multipart(body, content_type)
    pairs = parse_qsl(body.decode("latin-1"), keep_blank_values=True, encoding="latin-1")
    return query, {_text(name.encode("latin-1")): _text(value.encode("latin-1")) for name, value in pairs}


async def _read_body(request: web.BaseRequest, behaviour: Behaviour) -> bytes | None:
    """The body, or None if it is larger than PHP takes; it is read to its end either way."""
    if request.headers.get("Expect", "").lower() == "100-continue":
        assert request.transport is not None
        request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    kept = bytearray()
    size = 0
    async for chunk in request.content.iter_chunked(1 << 18):
        size += len(chunk)
        if size > behaviour.body_limit:
            raise BodyTooLarge
        if size <= behaviour.post_max_size:
            kept += chunk
    return bytes(kept) if size <= behaviour.post_max_size else None


def _multipart(body: bytes, content_type: str) -> dict[str, str]:
    boundary = content_type.partition("boundary=")[2].strip().strip('"').encode()
    fields: dict[str, str] = {}
    for part in (b"\r\n" + body).split(b"\r\n--" + boundary)[1:]:
        head, separator, value = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        name = _NAME.search(head)
        if separator and name:
            fields[_text(name[1])] = _text(value)
    return fields


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")
