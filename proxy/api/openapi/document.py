"""The proxy's own description in OpenAPI 3.1, one file per resource. Data alone: nothing here serves anything."""

from typing import Any

from proxy.api.admin import description as admin
from proxy.api.chat_completions import description as chat
from proxy.api.completions import description as completions
from proxy.api.conversations import description as conversations
from proxy.api.embeddings import description as embeddings
from proxy.api.health import description as health
from proxy.api.messages import description as messages_api
from proxy.api.models import description as models
from proxy.api.openapi import messages, tools
from proxy.api.openapi.parts import STRING, Schema, by_path, described, error_responses, exactly, nullable, one_of
from proxy.api.responses import description as responses

_ABOUT = """OpenAI's APIs and Anthropic's Messages API in front of free AI chats on WordPress sites.

Paths are also served without `/v1`, with it twice, below `/openai`, and with doubled or trailing slashes. OPTIONS is
answered with 204 on every path, for browsers. A body is JSON; its Content-Type may be left out, and it may be
compressed. Fields that are not described here are ignored, except below `/admin`, where they are refused.

A browser that signed in at `/admin/session` may send its cookie in place of a key, from the proxy's own pages only, and
with `x-freeaichat-csrf: 1` on all but GET and HEAD."""

_HEADERS = {
    "x-request-id": ("The id of this request, as in the log; a plain one that the client sent is kept.", STRING),
    "x-ignored-params": ("Parameters that were sent and that the site cannot take, separated by commas.", STRING),
    "x-fallback-model": ("The model that answers in place of the one that was asked for.", STRING),
    "x-dropped-messages": (
        "How many of the oldest messages were left out, the history being too long for the site.",
        {"type": "integer", "minimum": 1},
    ),
    "x-dropped-images": (
        "How many of the oldest images were left out, since the site takes fewer in one message.",
        {"type": "integer", "minimum": 1},
    ),
    "retry-after": ("Seconds after which it is worth another try.", {"type": "integer", "minimum": 1}),
    "retry-after-ms": ("The same in milliseconds.", {"type": "integer", "minimum": 0}),
    "x-should-retry": ("Whether another try can help at all.", one_of("true", "false")),
}
_TYPES = ("invalid_request_error", "permission_error", "rate_limit_error", "insufficient_quota", "server_error")
_ERROR: Schema = exactly(
    {
        "error": exactly(
            {
                "message": described(STRING, "What is wrong and what to do, for a person."),
                "type": one_of(*_TYPES),
                "param": described(nullable(STRING), "The field or parameter it is about."),
                "code": described(nullable(STRING), "What is wrong, for a program."),
            }
        )
    }
)
_RESOURCES = (chat, completions, embeddings, responses, messages_api, models, conversations, admin, health)


def document(version: str, *, needs_key: bool) -> dict[str, Any]:
    """The whole document for a proxy of this *version*, with or without keys."""
    keys: list[dict[str, list[str]]] = [{"bearer": []}, {"x-api-key": []}, {"api-key": []}, {"session": []}]
    schemas: dict[str, Schema] = {"Error": _ERROR, **messages.SCHEMAS, **tools.SCHEMAS}
    paths: dict[str, Any] = {}
    for resource in _RESOURCES:
        schemas |= resource.SCHEMAS
        paths |= by_path(resource.OPERATIONS)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "freeaichat-2api",
            "version": version,
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "The proxy that served this document."}],
        "security": keys if needs_key else [{}, *keys],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": error_responses(),
            "headers": {
                name: {"description": description, "schema": schema} for name, (description, schema) in _HEADERS.items()
            },
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "Authorization: Bearer KEY"},
                "x-api-key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
                "api-key": {"type": "apiKey", "in": "header", "name": "api-key"},
                "session": {"type": "apiKey", "in": "cookie", "name": "freeaichat_session"},
            },
        },
    }
