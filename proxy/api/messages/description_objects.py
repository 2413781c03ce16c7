"""What `/v1/messages` answers with: messages, the events they are streamed as, models and errors."""

from typing import Any

from proxy.api.messages.reply import REASONS
from proxy.api.openapi.parts import (
    COUNT,
    NULL,
    STATUSES,
    STRING,
    Schema,
    array,
    const,
    described,
    exactly,
    json_content,
    nullable,
    one_of,
    ref,
)

_SEARCHES = nullable(exactly({"web_search_requests": COUNT, "web_fetch_requests": COUNT}))
_COUNTS: dict[str, Schema] = {
    "input_tokens": COUNT,
    "cache_creation_input_tokens": COUNT,
    "cache_read_input_tokens": COUNT,
    "output_tokens": COUNT,
    "output_tokens_details": exactly({"thinking_tokens": COUNT}),
    "server_tool_use": _SEARCHES,
}
_USAGE = described(
    exactly(
        {
            **_COUNTS,
            "cache_creation": exactly({"ephemeral_5m_input_tokens": COUNT, "ephemeral_1h_input_tokens": COUNT}),
            "service_tier": const("standard"),
            "inference_geo": NULL,
            "speed": NULL,
        }
    ),
    "Estimates: the site names no numbers.",
)
_CITATION = exactly(
    {
        "type": const("web_search_result_location"),
        "url": STRING,
        "title": STRING,
        "encrypted_index": STRING,
        "cited_text": STRING,
    }
)
_TEXT = exactly({"type": const("text"), "text": STRING, "citations": array(_CITATION)})
_TOOL_USE = exactly(
    {
        "type": const("tool_use"),
        "id": described(STRING, "`toolu_…`, or as a server calls it."),
        "name": STRING,
        "input": {"type": "object"},
        "caller": exactly({"type": const("direct")}),
    }
)
_THINKING = described(
    exactly({"type": const("thinking"), "thinking": STRING, "signature": STRING}),
    "What the model of a server thinks, where `thinking` asks for it. Nobody checks the signature.",
)
_SIGNED = described(
    exactly({"type": const("redacted_thinking"), "data": STRING}),
    "What a server wants back with the call that follows, to be sent as it is.",
)
_STOPPED: dict[str, Schema] = {
    "stop_reason": nullable(one_of(*REASONS.values(), "stop_sequence")),
    "stop_sequence": nullable(STRING),
    "stop_details": nullable(
        exactly({"type": const("refusal"), "category": NULL, "explanation": nullable(STRING)}),
    ),
    "container": NULL,
}
_BLOCK: Schema = {"anyOf": [_TEXT, _THINKING, _SIGNED, _TOOL_USE]}
_MESSAGE = exactly(
    {
        "id": {"type": "string", "pattern": "^msg_"},
        "type": const("message"),
        "role": const("assistant"),
        "model": described(STRING, "The name that answered."),
        "content": array(_BLOCK),
        **_STOPPED,
        "diagnostics": NULL,
        "usage": _USAGE,
    }
)


def _event(kind: str, **fields: Schema) -> Schema:
    return exactly({"type": const(kind), **fields})


_DELTAS: list[Schema] = [
    _event("text_delta", text=STRING),
    _event("input_json_delta", partial_json=STRING),
    _event("citations_delta", citation=_CITATION),
    _event("thinking_delta", thinking=STRING),
    _event("signature_delta", signature=STRING),
]
EVENTS: dict[str, Schema] = {
    "message_start": _event("message_start", message=ref("AnthropicMessage")),
    "content_block_start": _event("content_block_start", index=COUNT, content_block=_BLOCK),
    "content_block_delta": _event("content_block_delta", index=COUNT, delta={"anyOf": _DELTAS}),
    "content_block_stop": _event("content_block_stop", index=COUNT),
    "message_delta": _event("message_delta", delta=exactly(_STOPPED), usage=exactly(_COUNTS)),
    "message_stop": _event("message_stop"),
    "ping": _event("ping"),
    "error": ref("AnthropicError"),
}
SCHEMAS: dict[str, Schema] = {
    "AnthropicMessage": _MESSAGE,
    "MessageEvent": {"anyOf": list(EVENTS.values())},
    "AnthropicError": exactly(
        {
            "type": const("error"),
            "error": exactly(
                {
                    "type": one_of(
                        "invalid_request_error",
                        "authentication_error",
                        "permission_error",
                        "not_found_error",
                        "request_too_large",
                        "rate_limit_error",
                        "api_error",
                        "overloaded_error",
                    ),
                    "message": described(STRING, "What is wrong and what to do, for a person."),
                },
                details=exactly({"error_code": described(STRING, "What is wrong, for a program.")}),
            ),
            "request_id": STRING,
        }
    ),
    "AnthropicModel": exactly(
        {
            "type": const("model"),
            "id": STRING,
            "display_name": described(STRING, "The bot's title on the page."),
            "created_at": {"type": "string", "format": "date-time"},
            "lifecycle": const("active"),
            **dict.fromkeys(("line", "deprecated_at", "retires_at", "max_tokens", "capabilities"), NULL),
            "max_input_tokens": described(nullable(COUNT), "As `context_length` in OpenAI's shape."),
        }
    ),
    "AnthropicModelList": exactly(
        {
            "data": array(ref("AnthropicModel")),
            "has_more": {"type": "boolean"},
            "first_id": nullable(STRING),
            "last_id": nullable(STRING),
        }
    ),
}

ERRORS = {
    **STATUSES,
    "404": "No such model.",
    "500": "The proxy or the site failed to answer, or the answer broke off.",
    "529": "Too much at once, no usable credentials, or the store is away.",
}
ERROR: dict[str, Any] = {
    "headers": {
        name: {"$ref": f"#/components/headers/{name}"}
        for name in ("x-request-id", "retry-after", "retry-after-ms", "x-should-retry")
    },
    "content": json_content(ref("AnthropicError")),
}
