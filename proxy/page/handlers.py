"""The web page at `/` and its files below `/assets/`, from memory. None of them is secret: what they show comes from
the API, which asks for a key."""

import asyncio
import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path

from aiohttp import web

from proxy.api.health import handlers as health

FOLDER = Path(__file__).parent
INDEX = "index.html"
TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
HEADERS = {
    "Cache-Control": "no-cache",  # kept, but asked about each time: a new version shows at once
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types dompurify",  # only what was sanitised becomes markup
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


@dataclass(frozen=True, slots=True)
class File:
    """One file, as it is and compressed."""

    kind: str  # media type
    plain: bytes
    packed: bytes
    tag: str


@cache
def files() -> Mapping[str, File]:
    """All files by their path in the folder, read once in a process."""
    found = (path for path in sorted(FOLDER.rglob("*")) if path.suffix in TYPES)
    return {path.relative_to(FOLDER).as_posix(): _read(path) for path in found}


async def root(request: web.Request) -> web.Response:
    """The page for browsers; what this is in JSON for all others."""
    if "text/html" in request.headers.get("Accept", ""):
        response = _answer(request, (await _loaded())[INDEX])
    else:
        response = await health.root(request)
    response.headers.add("Vary", "Accept")
    return response


async def asset(request: web.Request) -> web.Response:
    """One of the page's files."""
    found = (await _loaded()).get(request.match_info["name"])
    if found is None:
        raise web.HTTPNotFound
    return _answer(request, found)


async def _loaded() -> Mapping[str, File]:
    """The same; reading and compressing them takes too long for the event loop."""
    return await asyncio.to_thread(files)


def _read(path: Path) -> File:
    plain = path.read_bytes()
    return File(TYPES[path.suffix], plain, gzip.compress(plain, mtime=0), sha256(plain).hexdigest()[:32])


def _answer(request: web.Request, file: File) -> web.Response:
    response = web.Response(headers=HEADERS)
    response.headers.add("Vary", "Accept-Encoding")
    response.etag = file.tag
    if any(tag.value in (file.tag, "*") for tag in request.if_none_match or ()):
        response.set_status(304)
        return response
    response.content_type, response.charset = file.kind, "utf-8"
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        response.headers["Content-Encoding"] = "gzip"
        response.body = file.packed
    else:
        response.body = file.plain
    return response
