"""What `/v1/responses` answers with: the response object, and the events it is streamed as."""

from proxy.api.chat_completions.description import number
from proxy.api.conversations.description import LOGPROBS, OUTPUT_TEXT
from proxy.api.conversations.description_calls import CALL_ID, CALL_ITEMS
from proxy.api.conversations.items import REASONING_ID
from proxy.api.openapi.parts import (
    ANY,
    BOOLEAN,
    COUNT,
    NUMBER,
    SECONDS,
    STRING,
    Schema,
    array,
    at_least,
    const,
    described,
    exactly,
    nullable,
    one_of,
    ref,
)
from proxy.api.parameters import WHOLE_RANGES

RESPONSE_ID: Schema = {"type": "string", "pattern": "^resp_"}
_REFUSAL = exactly({"type": const("refusal"), "refusal": STRING})
_THOUGHT = exactly({"type": const("reasoning_text"), "text": STRING})
_SUMMARY = exactly({"type": const("summary_text"), "text": STRING})
_PART: Schema = {"anyOf": [OUTPUT_TEXT, _REFUSAL, _THOUGHT]}
_MESSAGE = exactly(
    {
        "id": {"type": "string", "pattern": "^msg_"},
        "type": const("message"),
        "status": one_of("in_progress", "completed", "incomplete"),
        "role": const("assistant"),
        "content": array(_PART),
    }
)
_REASONING = described(
    exactly(
        {
            "id": {"type": "string", "pattern": f"^{REASONING_ID}_"},
            "type": const("reasoning"),
            "summary": described(
                array(_SUMMARY, maxItems=1), "The same in place of `content`, if a summary was asked for."
            ),
            "content": array(_THOUGHT, maxItems=1),
            "encrypted_content": described(
                nullable(STRING),
                "What the server wants back with the call that follows, or the thoughts if asked for: to be sent back.",
            ),
            "status": one_of("in_progress", "completed"),
        }
    ),
    "What the model of a server thought, where the server tells it. A stored response does not show it.",
)
_COMPACTION = described(
    exactly({"id": {"type": "string", "pattern": "^cmp_"}, "type": const("compaction"), "encrypted_content": STRING}),
    "The summary that `compaction_trigger` asked for, alone: to be sent in place of all that was said before.",
)
_ITEM: Schema = {"anyOf": [_MESSAGE, _REASONING, *CALL_ITEMS, _COMPACTION]}
_KEPT = exactly(
    {
        "id": STRING,
        "type": const("message"),
        "status": const("completed"),
        "role": const("user"),
        "content": array(ANY),
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
        "max_tool_calls": nullable(COUNT),
        "metadata": ref("Metadata"),
        "model": STRING,
        "output": described(array(_ITEM), "A message, calls, or a message and calls."),
        "parallel_tool_calls": BOOLEAN,
        "presence_penalty": NUMBER,
        "previous_response_id": nullable(STRING),
        "prompt_cache_key": nullable(STRING),
        "reasoning": exactly({"effort": nullable(STRING), "summary": nullable(STRING)}),
        "safety_identifier": nullable(STRING),
        "service_tier": const("default"),
        "store": described(
            BOOLEAN, "Whether it can be retrieved and continued; false too where it could not be stored."
        ),
        "temperature": NUMBER,
        "text": exactly(
            {
                "format": described(
                    at_least({"type": one_of("text", "json_object", "json_schema")}), "As it was asked for."
                ),
                "verbosity": STRING,
            }
        ),
        "tool_choice": described({"type": ["string", "object"]}, "As it was asked for."),
        "tools": described(array(ANY), "As they were given."),
        "top_logprobs": number(WHOLE_RANGES["top_logprobs"], "integer"),
        "top_p": NUMBER,
        "truncation": STRING,
        "usage": nullable(described(_USAGE, "Estimates; null until the answer is whole.")),
        "user": nullable(STRING),
    }
)
_FAULT = {"code": STRING, "message": STRING, "param": nullable(STRING)}
_ITEM_PLACE: dict[str, Schema] = {"output_index": COUNT, "item": _ITEM}
_CALL_PLACE: dict[str, Schema] = {"output_index": COUNT, "item_id": CALL_ID["function"]}
_CUSTOM_PLACE: dict[str, Schema] = {"output_index": COUNT, "item_id": CALL_ID["custom"]}
_COMMAND_PLACE: dict[str, Schema] = {"output_index": COUNT, "command_index": COUNT}
_PATCH_PLACE: dict[str, Schema] = {"output_index": COUNT, "item_id": CALL_ID["apply_patch"]}
_PLACE: dict[str, Schema] = {"output_index": COUNT, "item_id": STRING, "content_index": COUNT}
_SUMMARY_PLACE: dict[str, Schema] = {"output_index": COUNT, "item_id": STRING, "summary_index": COUNT}
_STATES = ("created", "in_progress", "completed", "incomplete", "failed")
_FIELDS: dict[str, dict[str, Schema]] = {
    **{f"response.{state}": {"response": ref("Response")} for state in _STATES},
    "response.output_item.added": _ITEM_PLACE,
    "response.output_item.done": _ITEM_PLACE,
    "response.content_part.added": {**_PLACE, "part": _PART},
    "response.content_part.done": {**_PLACE, "part": _PART},
    "response.output_text.delta": {**_PLACE, "delta": STRING, "logprobs": LOGPROBS},
    "response.output_text.done": {**_PLACE, "text": STRING, "logprobs": LOGPROBS},
    "response.output_text.annotation.added": {
        **_PLACE,
        "annotation_index": COUNT,
        "annotation": ref("FlatUrlCitation"),
    },
    "response.reasoning_text.delta": {**_PLACE, "delta": STRING},
    "response.reasoning_text.done": {**_PLACE, "text": STRING},
    "response.reasoning_summary_part.added": {**_SUMMARY_PLACE, "part": _SUMMARY},
    "response.reasoning_summary_part.done": {**_SUMMARY_PLACE, "part": _SUMMARY},
    "response.reasoning_summary_text.delta": {**_SUMMARY_PLACE, "delta": STRING},
    "response.reasoning_summary_text.done": {**_SUMMARY_PLACE, "text": STRING},
    "response.compaction.compacting": {"output_index": COUNT, "item_id": STRING},
    "response.refusal.delta": {**_PLACE, "delta": STRING},
    "response.refusal.done": {**_PLACE, "refusal": STRING},
    "response.function_call_arguments.delta": {**_CALL_PLACE, "delta": STRING},
    "response.function_call_arguments.done": {**_CALL_PLACE, "name": STRING, "arguments": STRING},
    "response.custom_tool_call_input.delta": {**_CUSTOM_PLACE, "delta": STRING},
    "response.custom_tool_call_input.done": {**_CUSTOM_PLACE, "input": STRING},
    "response.shell_call_command.added": {**_COMMAND_PLACE, "command": STRING},
    "response.shell_call_command.delta": {**_COMMAND_PLACE, "delta": STRING},
    "response.shell_call_command.done": {**_COMMAND_PLACE, "command": STRING},
    "response.apply_patch_call_operation_diff.delta": {**_PATCH_PLACE, "delta": STRING},
    "response.apply_patch_call_operation_diff.done": {**_PATCH_PLACE, "diff": STRING},
    "error": {**_FAULT, "error": exactly({"type": STRING, **_FAULT})},
}
EVENTS = {kind: exactly({"type": const(kind), "sequence_number": COUNT, **fields}) for kind, fields in _FIELDS.items()}
SCHEMAS: dict[str, Schema] = {
    "Response": _RESPONSE,
    "CompactedResponse": exactly(
        {
            "id": RESPONSE_ID,
            "object": const("response.compaction"),
            "created_at": SECONDS,
            "output": array({"anyOf": [_KEPT, _COMPACTION]}, minItems=1),
            "usage": described(_USAGE, "Estimates."),
        }
    ),
    "DeletedResponse": exactly({"id": RESPONSE_ID, "object": const("response"), "deleted": const(True)}),
    "ResponseEvent": {"anyOf": list(EVENTS.values())},
}
