"""What `/v1/responses` answers with: the response object, and the events it is streamed as."""

from proxy.api.conversations.description import OUTPUT_TEXT
from proxy.api.openapi.parts import (
    ANY,
    BOOLEAN,
    COUNT,
    NULL,
    NUMBER,
    SECONDS,
    STRING,
    Schema,
    array,
    const,
    exactly,
    nullable,
    one_of,
    ref,
    told,
)

RESPONSE_ID: Schema = {"type": "string", "pattern": "^resp_"}
_REFUSAL = exactly({"type": const("refusal"), "refusal": STRING})
_PART: Schema = {"anyOf": [OUTPUT_TEXT, _REFUSAL]}
_NO_LOGPROBS = array({}, maxItems=0)
_MESSAGE = exactly(
    {
        "id": {"type": "string", "pattern": "^msg_"},
        "type": const("message"),
        "status": one_of("in_progress", "completed", "incomplete"),
        "role": const("assistant"),
        "content": array(_PART),
    }
)
_USAGE = exactly(
    {
        "input_tokens": COUNT,
        "input_tokens_details": exactly({"cached_tokens": COUNT, "cache_write_tokens": COUNT}),
        "output_tokens": COUNT,
        "output_tokens_details": exactly({"reasoning_tokens": COUNT}),
        "total_tokens": COUNT,
    }
)
_RESPONSE = exactly(
    {
        "id": RESPONSE_ID,
        "object": const("response"),
        "created_at": SECONDS,
        "status": one_of("in_progress", "completed", "incomplete", "failed"),
        "completed_at": nullable(SECONDS),
        "background": const(False),
        "conversation": nullable(exactly({"id": STRING})),
        "error": nullable(exactly({"code": STRING, "message": STRING})),
        "frequency_penalty": NUMBER,
        "incomplete_details": nullable(exactly({"reason": one_of("max_output_tokens", "content_filter")})),
        "instructions": nullable(STRING),
        "max_output_tokens": nullable(COUNT),
        "max_tool_calls": NULL,
        "metadata": ref("Metadata"),
        "model": STRING,
        "output": array(_MESSAGE, maxItems=1),
        "parallel_tool_calls": BOOLEAN,
        "presence_penalty": NUMBER,
        "previous_response_id": nullable(STRING),
        "prompt_cache_key": nullable(STRING),
        "reasoning": exactly({"effort": NULL, "summary": NULL}),
        "safety_identifier": nullable(STRING),
        "service_tier": const("default"),
        "store": told(BOOLEAN, "Whether it can be retrieved and continued; false too where it could not be stored."),
        "temperature": NUMBER,
        "text": exactly({"format": exactly({"type": const("text")}), "verbosity": const("medium")}),
        "tool_choice": STRING,
        "tools": array(ANY),
        "top_logprobs": const(0),
        "top_p": NUMBER,
        "truncation": STRING,
        "usage": nullable(told(_USAGE, "Estimates; null until the answer is whole.")),
        "user": nullable(STRING),
    }
)


def _event(kind: str, **fields: Schema) -> Schema:
    return exactly({"type": const(kind), "sequence_number": COUNT, **fields})


_ITEM_PLACE: dict[str, Schema] = {"output_index": const(0)}
_PLACE: dict[str, Schema] = {**_ITEM_PLACE, "item_id": STRING, "content_index": COUNT}
_STATES = ("created", "in_progress", "completed", "incomplete", "failed")
EVENTS: dict[str, Schema] = {
    **{f"response.{state}": _event(f"response.{state}", response=ref("Response")) for state in _STATES},
    "response.output_item.added": _event("response.output_item.added", **_ITEM_PLACE, item=_MESSAGE),
    "response.output_item.done": _event("response.output_item.done", **_ITEM_PLACE, item=_MESSAGE),
    "response.content_part.added": _event("response.content_part.added", **_PLACE, part=_PART),
    "response.content_part.done": _event("response.content_part.done", **_PLACE, part=_PART),
    "response.output_text.delta": _event("response.output_text.delta", **_PLACE, delta=STRING, logprobs=_NO_LOGPROBS),
    "response.output_text.done": _event("response.output_text.done", **_PLACE, text=STRING, logprobs=_NO_LOGPROBS),
    "response.output_text.annotation.added": _event(
        "response.output_text.annotation.added", **_PLACE, annotation_index=COUNT, annotation=ref("FlatUrlCitation")
    ),
    "response.refusal.delta": _event("response.refusal.delta", **_PLACE, delta=STRING),
    "response.refusal.done": _event("response.refusal.done", **_PLACE, refusal=STRING),
    "error": _event("error", code=STRING, message=STRING, param=nullable(STRING)),
}
SCHEMAS: dict[str, Schema] = {
    "Response": _RESPONSE,
    "DeletedResponse": exactly({"id": RESPONSE_ID, "object": const("response"), "deleted": const(True)}),
    "ResponseEvent": {"anyOf": list(EVENTS.values())},
}
