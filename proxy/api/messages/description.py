"""`/v1/messages`."""

from typing import Any

from proxy.api.chat_completions.description import FLAG, LEVEL, MODEL, STREAM_HEADERS, ignored, number
from proxy.api.chat_completions.request import MAX_STOP_CHARS, MAX_STOPS
from proxy.api.messages import description_objects as objects
from proxy.api.messages.request import SAMPLING
from proxy.api.openapi.messages import IMAGE_URL
from proxy.api.openapi.parts import (
    ANY,
    ASKS_THE_SITE,
    BOOLEAN,
    COUNT,
    STRING,
    WRITES,
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
    query_parameter,
    ref,
    with_examples,
)
from proxy.api.parameters import MAX_MESSAGES
from proxy.chat.tools.definitions import MAX_TOOLS

_NAME: Schema = {"type": "string", "pattern": "^[a-zA-Z0-9_-]{1,128}$"}
_JSON_SCHEMA = at_least(
    {},
    type=one_of("object", "array", "string", "number", "integer", "boolean", "null"),
    properties={"type": "object", "additionalProperties": {"type": ["boolean", "object"]}},
)
_SOURCE: Schema = {
    "anyOf": [
        at_least({"type": const("base64"), "media_type": STRING, "data": {"type": "string", "format": "image-base64"}}),
        at_least({"type": const("url"), "url": IMAGE_URL}),
    ]
}
_DOCUMENT: Schema = {
    "anyOf": [
        at_least({"type": const("text"), "data": STRING}),
        at_least({"type": const("content"), "content": {"anyOf": [STRING, array(ref("TextBlock"))]}}),
        described(
            at_least({"type": const("base64"), "data": STRING}, media_type=STRING),
            "400 where only sites answer and it is asked about, unless it is a file of nothing but text.",
        ),
    ]
}
_SAYS = ("TextBlock", "ImageBlock", "DocumentBlock", "SearchResultBlock")
_CHOICE = described(
    nullable(
        at_least({"type": one_of("auto", "any", "none")}, disable_parallel_tool_use=FLAG),
        at_least({"type": const("tool"), "name": _NAME}, disable_parallel_tool_use=FLAG),
    ),
    "Whether tools may (`auto`), must (`any`) or must not (`none`) be called; or the one that has to be.",
)
_TOOL: Schema = {
    "anyOf": [
        at_least(
            {"name": _NAME, "input_schema": _JSON_SCHEMA},
            type=nullable(const("custom")),
            description=nullable(STRING),
            defer_loading=described(ANY, "True: it is told where a `tool_reference` or a `tool_addition` names it."),
        ),
        described(
            at_least({"type": one_of("web_search_20250305", "web_search_20260209")}),
            "Alone or chosen, it switches on the site's own web search where the bot has one.",
        ),
        described(
            at_least({"type": one_of("bash_20250124", "text_editor_20250728", "memory_20250818"), "name": _NAME}),
            "Tools that Anthropic defines and the client runs: models are told of them as of the client's own.",
        ),
        described(
            at_least({"type": one_of("code_execution_20250825", "web_fetch_20250910", "computer_20251124")}),
            "Those that Anthropic's servers run, or are for a screen, are left out and named in `x-ignored-params`.",
        ),
    ]
}
_FORM = nullable(at_least({"type": const("json_schema"), "schema": _JSON_SCHEMA}))
_SHARED: dict[str, Schema] = {
    "system": described(nullable(STRING, array(ref("TextBlock"))), "The system's text."),
    "tools": described(nullable(array(_TOOL, maxItems=MAX_TOOLS)), "Functions, and tools that Anthropic brings."),
    "tool_choice": _CHOICE,
    "output_config": nullable(
        described(
            at_least({}, format=_FORM, effort=LEVEL),
            "`format`: the answer is JSON that fits the schema. `effort` reaches servers as `reasoning_effort`, "
            "`high` at most, and not where thinking is disabled. The rest has no effect.",
        )
    ),
    "output_format": described(_FORM, "As `output_config.format`, by its older name."),
    "thinking": described(
        ignored(at_least({})),
        "`enabled` or `adaptive`: what a server's model thinks is shown, unless `display` is `omitted`. A budget "
        "reaches servers as `reasoning_effort`.",
    ),
}
_MESSAGES: Schema = with_examples(
    array(ref("MessageParam"), minItems=1, maxItems=MAX_MESSAGES), [{"role": "user", "content": "Hello!"}]
)
_REQUIRED: dict[str, Schema] = {
    "model": described(
        MODEL,
        "A name from /v1/models, in any case. Names of Anthropic's own (`claude-…`) that are not among them lead to "
        "the default model, else to a bot whose provider is Claude.",
    ),
    "messages": described(_MESSAGES, "A last one of the assistant is the beginning of the answer."),
}

SCHEMAS: dict[str, Schema] = {
    "MessagesRequest": described(
        at_least(
            {**_REQUIRED, "max_tokens": {"type": "integer", "minimum": 1}},
            **_SHARED,
            stream=described(FLAG, "Answer in server-sent events as the text comes."),
            stop_sequences=described(
                nullable(array({"type": "string", "maxLength": MAX_STOP_CHARS}, maxItems=MAX_STOPS)),
                "The answer ends before any of these texts.",
            ),
            temperature=ignored(number(SAMPLING["temperature"])),
            top_p=ignored(number(SAMPLING["top_p"])),
            top_k=ignored(number(SAMPLING["top_k"], "integer")),
            metadata=described(ignored(ANY), "A hash of `user_id` reaches servers as `prompt_cache_key`."),
        ),
        "What is not described here has no effect, and is named in `x-ignored-params`.",
    ),
    "CountTokensRequest": at_least(_REQUIRED, **_SHARED),
    "MessageParam": at_least(
        {
            "role": one_of("user", "assistant", "system"),
            "content": {"anyOf": [STRING, array(ref("ContentBlock"))]},
        }
    ),
    "ContentBlock": {
        "anyOf": [
            *map(ref, _SAYS),
            at_least({"type": const("tool_use"), "name": _NAME, "input": {"type": "object"}}, id=STRING),
            at_least(
                {"type": const("tool_result"), "tool_use_id": STRING},
                content={"anyOf": [STRING, array({"anyOf": list(map(ref, _SAYS))})]},
                is_error=nullable(BOOLEAN),
            ),
            described(
                at_least({"type": one_of("thinking", "redacted_thinking")}),
                "Servers get thoughts back with the calls they led to; otherwise they are left out.",
            ),
        ]
    },
    "TextBlock": at_least({"type": const("text"), "text": STRING}),
    "ImageBlock": at_least({"type": const("image"), "source": _SOURCE}),
    "DocumentBlock": described(
        at_least({"type": const("document"), "source": _DOCUMENT}), "A document that is text, or a file for a server."
    ),
    "SearchResultBlock": at_least(
        {"type": const("search_result"), "title": STRING, "source": STRING, "content": array(ref("TextBlock"))}
    ),
    **objects.SCHEMAS,
}


def _anthropics(operation: dict[str, Any]) -> dict[str, Any]:
    """*operation* with Anthropic's statuses for errors, in its shape."""
    codes = [*(code for code in operation["responses"] if code not in ("200", "502", "503", "504")), "529"]
    errors = {code: {"description": objects.ERRORS[code], **objects.ERROR} for code in codes}
    return {**operation, "responses": {"200": operation["responses"]["200"], **errors}}


_BETA = query_parameter("beta", STRING, "Without effect; clients of betas send it.")
OPERATIONS: Operations = {
    "POST /v1/messages": _anthropics(
        operation(
            "create_message",
            "Answer in the shape of Anthropic's Messages API, streamed or whole.",
            answer(
                "The message. After it began, a failure is told in an event `error`.",
                {
                    **json_content(ref("AnthropicMessage")),
                    **event_stream([ref("MessageEvent")], end_mark=False, event=one_of(*objects.EVENTS)),
                },
                *STREAM_HEADERS,
            ),
            ASKS_THE_SITE,
            parameters=[_BETA],
            body="MessagesRequest",
        )
    ),
    "POST /v1/messages/count_tokens": _anthropics(
        operation(
            "count_message_tokens",
            "About as many tokens as a request would be. No site is asked.",
            answer("The number.", json_content(exactly({"input_tokens": COUNT}))),
            WRITES,
            parameters=[_BETA],
            body="CountTokensRequest",
        )
    ),
}
