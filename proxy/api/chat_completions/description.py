"""`/v1/chat/completions`, and what it has in common with the legacy completions."""

from math import isinf

from proxy.api.chat_completions.reply import FINGERPRINT
from proxy.api.chat_completions.request import MAX_CHOICES, MAX_STOP_CHARS, MAX_STOPS
from proxy.api.openapi.messages import MESSAGES
from proxy.api.openapi.parts import (
    ANY,
    ASKS_THE_SITE,
    BOOLEAN,
    INTEGER,
    NOT_BLANK,
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
from proxy.api.openapi.tools import (
    CALL_PIECES,
    CALLS,
    CHAT_CHOICE,
    CHAT_FORM,
    CHAT_TOOLS,
    FUNCTION_CHOICE,
    FUNCTIONS,
    OLD_CALL,
    OLD_CALL_PIECE,
    PARALLEL,
)
from proxy.api.parameters import BIAS, RANGES, WHOLE_RANGES
from proxy.chat.extras import DETAILS, REASONING_TEXTS

MODEL: Schema = {
    "type": "string",
    "pattern": NOT_BLANK,
    "examples": ["gpt-4o-mini"],
    "description": "A name from /v1/models, in any case; of a site's own with `name@host`. "
    "`openai/NAME`, `models/NAME` and `NAME:latest` mean NAME.",
}
_ENDS = ("stop", "length", "content_filter")
FINISH = one_of(*_ENDS)
_CHAT_FINISH = one_of(*_ENDS, "tool_calls", "function_call")
LIMIT: Schema = nullable({"type": "integer", "minimum": -1, "description": "0 and -1 mean no limit."})
FLAG: Schema = nullable(BOOLEAN)
STREAM_HEADERS = ("x-ignored-params", "x-dropped-messages", "x-dropped-images", "x-fallback-model")


def ignored(*schemas: Schema) -> Schema:
    """A parameter without effect on sites that must have one of these shapes all the same."""
    return described(
        nullable(*schemas), "Servers go by it; sites cannot take it, and `x-ignored-params` names it then."
    )


def number(limits: tuple[float, float], kind: str = "number") -> Schema:
    """A number within *limits*; an endless one is left out."""
    names = ("minimum", "maximum")
    return {"type": kind, **{name: limit for name, limit in zip(names, limits, strict=True) if not isinf(limit)}}


SAMPLING = {name: ignored(number(limits)) for name, limits in RANGES.items()}
TOP_LOGPROBS = ignored(number(WHOLE_RANGES["top_logprobs"], "integer"))
LEVEL = ignored(STRING)  # of effort or verbosity

# What chats and legacy completions both take.
SHARED: dict[str, Schema] = {
    "stream": described(FLAG, "Answer in server-sent events as the text comes."),
    "stream_options": nullable(
        described(at_least({}, include_usage=FLAG), "`include_usage`: a last chunk without choices holds the usage.")
    ),
    "stop": described(
        nullable(STRING, array(STRING, maxItems=MAX_STOPS)),
        f"The answer ends before any of these texts, of at most {MAX_STOP_CHARS} characters.",
    ),
    "max_tokens": described(LIMIT, "The answer is cut here, with the finish reason `length`. Tokens are estimated."),
    "conversation_id": described(
        nullable(STRING),
        "A conversation from /v1/conversations that is to go on. Messages of the user alone are added to it, and a "
        "system text before them takes the place of the one before; any other history takes the place of all.",
    ),
    "web_search": described(FLAG, "Switch on the site's own web search where the bot has one."),
    "web_search_options": described(ANY, "An object, however empty, switches on the web search too."),
    "metadata": nullable(ref("Metadata")),
    **SAMPLING,
    "seed": ignored(INTEGER),
    "top_k": ignored(INTEGER),
    "min_p": ignored(NUMBER),
    "repetition_penalty": ignored(NUMBER),
    "logit_bias": ignored({"type": "object", "additionalProperties": number(BIAS)}),
    "top_logprobs": TOP_LOGPROBS,
    "reasoning_effort": LEVEL,
    "verbosity": LEVEL,
    "user": described(ANY, "Told to servers, as all that is not named here; without effect on sites."),
}
_REQUEST = at_least(
    {"model": MODEL, "messages": MESSAGES},
    **SHARED,
    max_completion_tokens=described(LIMIT, "As max_tokens; the smaller of both holds."),
    n=described(
        nullable({"type": "integer", "minimum": 1, "maximum": MAX_CHOICES}),
        "So many answers, each a turn of its own. Above 1 not together with conversation_id.",
    ),
    tools=CHAT_TOOLS,
    tool_choice=CHAT_CHOICE,
    parallel_tool_calls=described(FLAG, PARALLEL),
    functions=FUNCTIONS,
    function_call=FUNCTION_CHOICE,
    response_format=CHAT_FORM,
    modalities=described(nullable(array(const("text"))), "Text is all there is."),
    audio=ignored(at_least({})),
    suffix=ignored(STRING),
    logprobs=ignored(BOOLEAN),
    store=described(ANY, "As `user`."),
)
_LOGPROBS = described(
    nullable(at_least({})), "Where they were asked for and a server tells them: as it does, by tokens of the text."
)
_THOUGHTS = dict.fromkeys(
    REASONING_TEXTS, described(STRING, "What the model of a server thinks, by the server's name for it.")
)
_THOUGHTS[DETAILS] = described(
    array(at_least({})), "The same in parts, as some servers tell it, to be sent back as it is."
)
_ANNOTATIONS = described(array(ref("UrlCitation")), "What the web search found.")
_MESSAGE = exactly(
    {
        "role": const("assistant"),
        "content": described(nullable(STRING), "Null where there are calls and no text."),
        "refusal": nullable(STRING),
        "annotations": _ANNOTATIONS,
    },
    tool_calls=CALLS,
    function_call=described(OLD_CALL, "Where `functions` were offered."),
    **_THOUGHTS,
)
_BASE: dict[str, Schema] = {
    "id": {"type": "string", "pattern": "^chatcmpl-"},
    "created": SECONDS,
    "model": described(STRING, "The name that answered."),
}
_CONVERSATION = described(STRING, "The conversation that went on, where one was named.")

SCHEMAS: dict[str, Schema] = {
    "ChatCompletionRequest": _REQUEST,
    "ChatCompletion": exactly(
        {
            **_BASE,
            "object": const("chat.completion"),
            "choices": array(
                exactly(
                    {
                        "index": {"type": "integer"},
                        "message": _MESSAGE,
                        "logprobs": _LOGPROBS,
                        "finish_reason": _CHAT_FINISH,
                    }
                ),
                minItems=1,
                maxItems=MAX_CHOICES,
            ),
            "usage": ref("Usage"),
            "service_tier": const("default"),
            "system_fingerprint": const(FINGERPRINT),
        },
        conversation_id=_CONVERSATION,
    ),
    "ChatCompletionChunk": exactly(
        {
            **_BASE,
            "object": const("chat.completion.chunk"),
            "choices": array(
                exactly(
                    {
                        "index": {"type": "integer"},
                        "delta": exactly(
                            {},
                            role=const("assistant"),
                            content=STRING,
                            refusal=nullable(STRING),
                            annotations=_ANNOTATIONS,
                            tool_calls=CALL_PIECES,
                            function_call=OLD_CALL_PIECE,
                            **_THOUGHTS,
                        ),
                        "logprobs": _LOGPROBS,
                        "finish_reason": nullable(_CHAT_FINISH),
                    }
                ),
                maxItems=1,
            ),
        },
        usage=described(nullable(ref("Usage")), "Only where it was asked for, and null in all chunks but the last."),
        conversation_id=_CONVERSATION,
    ),
}

OPERATIONS: Operations = {
    "POST /v1/chat/completions": operation(
        "create_chat_completion",
        "Answer a chat, streamed or whole.",
        answer(
            "The answer. After it began, a failure is told in a last event without `[DONE]`.",
            {
                **json_content(ref("ChatCompletion")),
                **event_stream([ref("ChatCompletionChunk"), ref("Error")], end_mark=True),
            },
            *STREAM_HEADERS,
        ),
        ASKS_THE_SITE,
        body="ChatCompletionRequest",
    ),
}
