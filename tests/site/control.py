"""The control address for tests that run the site as a process of its own: `GET` and `POST /_control`."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from aiohttp import web

if TYPE_CHECKING:
    from tests.site.server import SimulatedSite

PATH = "/_control"
DEFAULT_CALLS = 100


async def control(site: "SimulatedSite", request: web.BaseRequest) -> web.Response:
    """`GET`: the state. `POST`: JSON with switches of `Behaviour` and commands, then the state.

    Commands: `{"rotate_nonce": true}` or `"keep_previous"`; `{"forget_responses": true}`; `{"clear": true}` empties
    the records. An unknown name or a wrong type is 400. `?calls=N` bounds the model calls shown, the newest last.
    """
    if request.method == "POST":
        try:
            _apply(site, json.loads(await request.read()))
        except ValueError as error:
            return web.json_response({"error": str(error)}, status=400)
    return web.json_response(_state(site, int(request.query.get("calls", DEFAULT_CALLS))))


def _apply(site: "SimulatedSite", changes: dict[str, Any]) -> None:
    rotate = changes.pop("rotate_nonce", False)
    forget = changes.pop("forget_responses", False)
    clear = changes.pop("clear", False)
    site.behaviour.update(changes)
    if rotate:
        site.rotate_nonce(keep_previous=rotate == "keep_previous")
    if forget:
        site.forget_responses()
    if clear:
        site.clear_records()


def _state(site: "SimulatedSite", calls: int) -> dict[str, Any]:
    return {
        "url": site.url,
        "nonce": site.nonce,
        "requests": dict(site.request_counts),
        "model_calls": [asdict(call) for call in site.model_calls[-calls:]],
        "model_call_count": site.model_call_count,
        "open_streams": site.open_streams,
        "aborted_streams": site.aborted_streams,
        "resource_hits": dict(site.resource_hits),
        "conversations": len(site.logs),
        "behaviour": asdict(site.behaviour),
    }
