"""The legacy `/v1/completions`."""

from proxy.api.chat_completions.description import FINISH, MODEL, SHARED, STREAM_HEADERS, ignored, number
from proxy.api.completions.shapes import LOGPROBS
from proxy.api.openapi.parts import (
    ANY,
    ASKS_THE_SITE,
    BOOLEAN,
    COUNT,
    NUMBER,
    SECONDS,
    STRING,
    Operations,
    Schema,
    answer,
    array,
    at_least,
    const,
    described,
    event_stream,
    exactly,
    json_content,
    nullable,
    one_of,
    operation,
    ref,
)

_TEXT: Schema = {"type": "string", "pattern": r"[^ \t\n\r\u0000\u000b]", "examples": ["Hello!"]}
_BASE: dict[str, Schema] = {
    "id": {"type": "string", "pattern": "^cmpl-"},
    "object": const("text_completion"),
    "created": SECONDS,
    "model": described(STRING, "The name that answered."),
}


_LOGPROBS = described(
    nullable(
        exactly(
            {
                "tokens": array(STRING),
                "token_logprobs": array(NUMBER),
                "top_logprobs": array({"type": "object", "additionalProperties": NUMBER}),
                "text_offset": array(COUNT),
            }
        )
    ),
    "Where they were asked for and a server tells them.",
)


def _choices(finish: Schema, **limits: int) -> Schema:
    choice = exactly({"index": const(0), "text": STRING, "logprobs": _LOGPROBS, "finish_reason": finish})
    return array(choice, maxItems=1, **limits)


SCHEMAS: dict[str, Schema] = {
    "CompletionRequest": at_least(
        {"model": MODEL, "prompt": {"anyOf": [_TEXT, array(_TEXT, minItems=1, maxItems=1)]}},
        **SHARED,
        suffix=ignored(STRING),
        echo=one_of(None, False),
        best_of=one_of(None, 1),
        n=one_of(None, 1),
        logprobs=ignored(BOOLEAN, number(LOGPROBS, "integer")),
        tools=described(ANY, "For chats: 400 unless it is empty."),
    ),
    "Completion": exactly({**_BASE, "choices": _choices(FINISH, minItems=1), "usage": ref("Usage")}),
    "CompletionChunk": exactly(
        {**_BASE, "choices": _choices(nullable(FINISH))},
        usage=described(nullable(ref("Usage")), "Only where it was asked for, and null in all chunks but the last."),
    ),
}

OPERATIONS: Operations = {
    "POST /v1/completions": operation(
        "create_completion",
        "Answer a bare prompt, streamed or whole.",
        answer(
            "The answer. After it began, a failure is told in a last event without `[DONE]`.",
            {**json_content(ref("Completion")), **event_stream([ref("CompletionChunk"), ref("Error")], end_mark=True)},
            *STREAM_HEADERS,
        ),
        ASKS_THE_SITE,
        body="CompletionRequest",
    ),
}
