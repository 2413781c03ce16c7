"""What all kinds of requests share: messages and their parts, metadata, token counts."""

from proxy.api.chat_completions.request import FOR_SERVERS, REASONING_TEXTS
from proxy.api.openapi.parts import (
    ANY,
    COUNT,
    INTEGER,
    NULL,
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
    with_examples,
)
from proxy.api.parameters import MAX_KEY, MAX_MESSAGES, MAX_PAIRS, MAX_VALUE
from proxy.chat.extras import DETAILS
from proxy.chat.extras import REASONING_TEXTS as THOUGHT_NAMES

IMAGE_URL: Schema = {
    "type": "string",
    "format": "image-url",
    "description": "A base64 data: URL or a public http(s) address of a PNG, JPEG or WebP image of at most 20 MB. Data "
    "that is none is told in words where a tool gave it, or it came in an earlier turn.",
}
MESSAGES: Schema = with_examples(
    array(ref("Message"), minItems=1, maxItems=MAX_MESSAGES), [{"role": "user", "content": "Hello!"}]
)
_CALL = at_least({"type": one_of("function_call", "custom_tool_call")}, call_id=ANY, name=ANY, arguments=ANY, input=ANY)
_VALUE = described({"type": ["object", "number", "boolean"]}, "Told as JSON.")
_RESULT = at_least(
    {"type": one_of("function_call_output", "custom_tool_call_output")},
    output={"anyOf": [ref("Content"), _VALUE]},
    call_id=ANY,
)
_SAID: Schema = {"allOf": [ref("Message"), at_least({}, type=nullable(const("message")))]}
ITEMS = described(
    {**MESSAGES, "items": {"anyOf": [_SAID, _CALL, _RESULT]}},
    "A call belongs to the assistant's message before it, if there is one. Shell, patch and MCP calls and their "
    "results are read alike; what has no meaning in words (`web_search_call`, another server's `compaction` …) is "
    "passed over. Tools in "
    "`additional_tools` are offered with the others; an `agent_message` is the user's. Servers are told the text of "
    "`reasoning`, and what is theirs in `encrypted_content`, with the calls that follow it.",
)
_CITATION: dict[str, Schema] = {"url": STRING, "title": STRING, "start_index": INTEGER, "end_index": INTEGER}
_ROLES = ("system", "developer", "user", "assistant", "tool", "function")

SCHEMAS: dict[str, Schema] = {
    "Message": described(
        at_least(
            {"role": one_of(*_ROLES)},
            content=ref("Content"),
            tool_calls=described(
                ANY, "The calls of an assistant's message, of this or any other model, as `ToolCall`."
            ),
            function_call=described(ANY, "The same in the older form, one with `name` and `arguments`."),
            tool_call_id=described(ANY, "With the role `tool`: the call that this is the result of."),
            name=described(ANY, "Who speaks. With the role `function`, or `tool`: the name of what was called."),
            **dict.fromkeys((*THOUGHT_NAMES, DETAILS), described(ANY, "What an assistant thought before it spoke.")),
        ),
        "`developer` is a system message. A bot that has no tools of its own is told calls and results in words. Only "
        "servers are told names and thoughts. Other fields of a message are ignored. The last turn must hold some text "
        "or an image.",
    ),
    "Content": {
        "anyOf": [
            with_examples(STRING, "Hello!"),
            NULL,
            described(
                array(ref("Part")), "Text parts are joined by line feeds. Sites get the newest images, 4 at most."
            ),
        ]
    },
    "Part": {
        "anyOf": [
            STRING,
            at_least({"type": one_of("text", "input_text", "output_text"), "text": STRING}),
            at_least({"type": const("refusal"), "refusal": STRING}),
            described(at_least({"type": one_of(*REASONING_TEXTS)}), "What an earlier model thought; it is left out."),
            *(
                described(
                    at_least({"type": const(kind), kind: {"type": "object"}}),
                    "400 where only sites answer and it is asked about, unless it is a file of nothing but text.",
                )
                for kind in FOR_SERVERS
            ),
            described(at_least({"type": const("input_file")}), "As `file`, in the shape of the Responses API."),
            at_least(
                {
                    "type": one_of("image_url", "input_image"),
                    "image_url": {"anyOf": [IMAGE_URL, at_least({"url": IMAGE_URL})]},
                }
            ),
        ]
    },
    "Metadata": {
        "type": "object",
        "maxProperties": MAX_PAIRS,
        "propertyNames": {"maxLength": MAX_KEY},
        "additionalProperties": {"type": "string", "maxLength": MAX_VALUE},
    },
    "Usage": described(
        exactly(
            {
                "prompt_tokens": COUNT,
                "completion_tokens": COUNT,
                "total_tokens": COUNT,
                "prompt_tokens_details": exactly({"cached_tokens": COUNT, "audio_tokens": COUNT}),
                "completion_tokens_details": exactly(
                    {
                        "reasoning_tokens": COUNT,
                        "audio_tokens": COUNT,
                        "accepted_prediction_tokens": COUNT,
                        "rejected_prediction_tokens": COUNT,
                    }
                ),
            }
        ),
        "Estimates: the site names no numbers.",
    ),
    "UrlCitation": exactly({"type": const("url_citation"), "url_citation": exactly(_CITATION)}),
    "FlatUrlCitation": exactly({"type": const("url_citation"), **_CITATION}),
}
