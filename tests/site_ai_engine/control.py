"""The control address for tests that run the AI Engine site as a process of its own: `GET` and `POST /_control`."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from aiohttp import web

if TYPE_CHECKING:
    from tests.site_ai_engine.server import SimulatedAiEngine

PATH = "/_control"
SHOWN = 100  # model calls, the newest last


async def control(site: "SimulatedAiEngine", request: web.BaseRequest) -> web.Response:
    """`GET`: the state. `POST`: JSON with switches of `Behaviour` and commands, then the state.

    Commands: `{"rotate_nonce": true}` or `"keep_previous"`, and `{"clear": true}`, which empties the records. An
    unknown name or a wrong type is 400.
    """
    if request.method == "POST":
        try:
            _apply(site, json.loads(await request.read()))
        except ValueError as error:
            return web.json_response({"error": str(error)}, status=400)
    return web.json_response(_state(site))


def _apply(site: "SimulatedAiEngine", changes: dict[str, Any]) -> None:
    rotate, clear = changes.pop("rotate_nonce", False), changes.pop("clear", False)
    site.behaviour.update(changes)
    if rotate:
        site.rotate_nonce(keep_previous=rotate == "keep_previous")
    if clear:
        site.model_call_count = 0
        for record in (site.requests, site.pages, site.model_calls, site.overrides, site.route_counts):
            record.clear()


def _state(site: "SimulatedAiEngine") -> dict[str, Any]:
    return {
        "url": site.url,
        "nonce": site.nonce,
        "requests": dict(site.route_counts),
        "model_calls": [asdict(call) for call in site.model_calls[-SHOWN:]],
        "model_call_count": site.model_call_count,
        "overrides": site.overrides,
        "open_streams": len(site.streams),
        "aborted_streams": site.streams.aborted,
        "behaviour": asdict(site.behaviour),
    }
