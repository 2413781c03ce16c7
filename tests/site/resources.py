"""A page's resources: scripts, pictures, fonts, media, another site's script. Requests for them are counted."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from tests.site.server import SimulatedSite

SCRIPT_PATH = "/wp-content/plugins/aipkit/public/chat.js"
HANGING_PATH = "/wp-content/hanging.js"
_SCRIPT = Path(__file__).with_name("frontend.js")
_PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c636060606000000005000117d6f34a0000000049454e44ae426082"
)
_FONT = '@font-face { font-family: Site; src: url("font.woff2"); } body { font-family: Site, serif; }'
_EXTRAS: dict[str, tuple[str, bytes]] = {
    "/wp-content/photo.png": ("image/png", _PIXEL),
    "/wp-content/style.css": ("text/css", _FONT.encode()),
    "/wp-content/font.woff2": ("font/woff2", b"wOF2"),
    "/wp-content/clip.mp4": ("video/mp4", b"\0" * 1000),
    "/favicon.ico": ("image/png", _PIXEL),
}
THIRD_PARTY_SCRIPT = "/tracker.js"


def is_resource(path: str) -> bool:
    """Whether *path* (below the site's base path) is a resource, not a page."""
    return path in _EXTRAS or path in {SCRIPT_PATH, HANGING_PATH}


async def resource(site: "SimulatedSite", path: str) -> web.StreamResponse:
    """One resource."""
    site.resource_hits[path] += 1
    if path == HANGING_PATH:
        with site.unfinished_pages.counted():
            await asyncio.Event().wait()
    if path == SCRIPT_PATH:
        return web.Response(body=_SCRIPT.read_bytes(), content_type="text/javascript", charset="utf-8")
    content_type, body = _EXTRAS[path]
    return web.Response(body=body, content_type=content_type)


def third_party(site: "SimulatedSite", request: web.BaseRequest) -> web.Response:
    """Another site's answer; counted by path under `third-party`."""
    site.resource_hits[f"third-party{request.path}"] += 1
    return web.Response(text="window.tracked = true;", content_type="text/javascript")


def resource_tags(site: "SimulatedSite") -> str:
    """The tags that draw the resources in, as far as they are switched on."""
    base = f"{site.base_path}/wp-content"
    tags = []
    if site.behaviour.extra_resources:
        tags += [
            f'<link rel="stylesheet" href="{base}/style.css">',
            f'<img src="{base}/photo.png" alt="">',
            f'<video src="{base}/clip.mp4" preload="auto" muted autoplay></video>',
            f'<script async src="http://localhost:{site.third_party_port}{THIRD_PARTY_SCRIPT}"></script>',
        ]
    if site.behaviour.hanging_script:
        tags.append(f'<script src="{site.base_path}{HANGING_PATH}"></script>')
    return "".join(f"{tag}\n" for tag in tags)
