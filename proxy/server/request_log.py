"""The one log line of a request: who asked what, and how it ended. Never a text, never a secret."""

import logging
import re

from aiohttp import web

from proxy.api.app_keys import CALLER, REQUEST_ID, TURN
from proxy.usage.turn import Turn

CLIENT_LEFT = 499  # nginx's word for it
_SECRET = re.compile(r"sk-[^/]+")  # a key where its name belongs

log = logging.getLogger(__name__)


def log_request(request: web.Request, status: int | None, seconds: float, *, level: int) -> None:
    """Log one line for *request*, with all of it in named fields where lines are JSON.

    *status*: None where the client left before the end.
    """
    if not log.isEnabledFor(level):
        return
    turn = request.get(TURN)
    has_left = status is None or (turn is not None and turn.has_left)
    if status is None or has_left:
        status = CLIENT_LEFT
    path = _SECRET.sub("sk-…", request.path)
    fields: dict[str, object] = {
        "request_id": request[REQUEST_ID],
        "method": request.method,
        "path": path,
        "status": status,
        "ms": round(seconds * 1000),
    }
    if CALLER in request:
        fields["key"] = request[CALLER].name
    details = {} if turn is None else _of(turn)
    if has_left:
        details["client"] = "left"
    told = "".join(f" {name}={value}" for name, value in ({"key": fields.get("key")} | details).items() if value)
    log.log(
        level,
        "%s %s %d %.0f ms%s %s",
        request.method,
        path,
        status,
        seconds * 1000,
        told,
        request[REQUEST_ID],
        extra={"fields": fields | details},
    )


def _of(turn: Turn) -> dict[str, object]:
    """What the line of a request to a model tells besides."""
    details: dict[str, object] = {
        "model": turn.model,
        "site": turn.site.partition("://")[2],
        "tokens_in": turn.used.asked,
        "tokens_out": turn.used.answered,
    }
    if turn.first_text_seconds is not None:
        details["ttft_ms"] = round(turn.first_text_seconds * 1000)
    if turn.kind is not None:
        details["error"] = turn.kind
    return {name: value for name, value in details.items() if value != ""}
