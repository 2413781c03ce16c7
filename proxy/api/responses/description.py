"""`/v1/responses`."""

from proxy.api.chat_completions.description import (
    FLAG,
    LEVEL,
    LIMIT,
    MODEL,
    SAMPLING,
    STREAM_HEADERS,
    TOP_LOGPROBS,
    ignored,
    number,
)
from proxy.api.conversations.description import PAGE
from proxy.api.openapi.messages import ITEMS
from proxy.api.openapi.parts import (
    ANY,
    ASKS_THE_SITE,
    COUNT,
    FINDS,
    NULL,
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
    links,
    nullable,
    one_of,
    operation,
    path_parameter,
    query_parameter,
    ref,
    with_examples,
)
from proxy.api.openapi.tools import DEFINED, FINDER, FLAT_CHOICE, FLAT_FORM, NAMESPACE, PARALLEL
from proxy.api.parameters import WHOLE_RANGES
from proxy.api.responses import description_objects as response_objects
from proxy.chat.ask import HINTS

_ID: Schema = {"type": "string", "minLength": 1}
_NAME = path_parameter("id", "The response's id.")
_GOES_ON = links({"id": "$response.body#/id"}, "retrieve_response", "delete_response", "list_input_items")
_ECHOED = described(ANY, "Without effect; repeated in the response object where its type is right.")
_HINT = described(ANY, "Reaches a server that takes it; a text is repeated in the response object, but for the tier.")
_SEARCH = described(
    at_least({"type": {"type": "string", "pattern": "^web_search"}}),
    "Alone or chosen, it switches on the site's own search where the bot has one.",
)
_OWN: Schema = {"enum": ["function", "custom", "namespace"]}
_BY_CLIENT = at_least({"type": const("tool_search"), "execution": const("client")})
_HOSTED = described(
    {**at_least({"type": {"type": "string", "minLength": 1, "not": _OWN}}), "not": _BY_CLIENT},
    "Any other that OpenAI's servers run: left out and named in `x-ignored-params` beside tools that can be called, "
    "400 where there are none or where it is forced.",
)

SCHEMAS: dict[str, Schema] = {
    "ResponseRequest": {"anyOf": [{"properties": {name: NULL}} for name in ("previous_response_id", "conversation")]}
    | at_least(
        {
            "model": MODEL,
            "input": with_examples(
                described(
                    {"anyOf": [STRING, ITEMS]},
                    "With `previous_response_id` or `conversation` it may also be left out, null or empty. "
                    "`compaction_trigger` as the last item asks for a summary in place of an answer.",
                ),
                "Hello!",
            ),
        },
        instructions=described(nullable(STRING), "A system text for this response alone."),
        previous_response_id=described(
            with_examples(nullable(_ID), None), "A stored response that goes on; not together with `conversation`."
        ),
        conversation=described(
            with_examples(nullable(_ID, at_least({"id": _ID})), None),
            "A conversation that goes on, by its id or as an object.",
        ),
        stream=described(FLAG, "Answer in typed, numbered server-sent events."),
        store=described(FLAG, "Keep the response, so that it can be retrieved and continued; the default."),
        max_output_tokens=LIMIT,
        metadata=nullable(ref("Metadata")),
        web_search=described(FLAG, "As the tool `web_search`."),
        tools=described(
            nullable(array({"anyOf": [ref("FlatTool"), NAMESPACE, _SEARCH, FINDER, DEFINED, _HOSTED]})),
            "What the model may call. A bot that has no tools of its own is told of them in words.",
        ),
        tool_choice=FLAT_CHOICE,
        text=nullable(
            at_least(
                {},
                format=FLAT_FORM,
                verbosity=LEVEL,
            )
        ),
        background=described(
            ANY,
            "Without effect, and named in `x-ignored-params`: the answer is made while the client waits, and whole "
            "before anybody could ask for it.",
        ),
        prompt=described(ANY, "400 unless it is empty."),
        reasoning=described(
            ignored(at_least({}, effort=nullable(STRING), summary=ANY)),
            "`effort` reaches servers; sites cannot take it, and `x-ignored-params` names it then. Where `summary` is "
            "set, thoughts that a server tells stand in the item's `summary`, as they are.",
        ),
        context_management=described(
            ANY, "Without effect, and named in `x-ignored-params`; no history is summed up unasked."
        ),
        max_tool_calls=ignored(number(WHOLE_RANGES["max_tool_calls"], "integer")),
        top_logprobs=TOP_LOGPROBS,
        include=described(
            ANY,
            "A server's log probabilities, where it holds `message.output_text.logprobs`; its thoughts in a form to be "
            "sent back, where it holds `reasoning.encrypted_content`.",
        ),
        temperature=SAMPLING["temperature"],
        top_p=SAMPLING["top_p"],
        **dict.fromkeys(("truncation", "user"), _ECHOED),
        **dict.fromkeys(HINTS, _HINT),
        parallel_tool_calls=described(FLAG, PARALLEL),
    ),
    **response_objects.SCHEMAS,
}

OPERATIONS: Operations = {
    "POST /v1/responses": operation(
        "create_response",
        "Answer, streamed or whole.",
        answer(
            "The response. After it began, a failure is told in the events `error` and `response.failed`.",
            {
                **json_content(ref("Response")),
                **event_stream([ref("ResponseEvent")], end_mark=False, event=one_of(*response_objects.EVENTS)),
            },
            *STREAM_HEADERS,
            links=_GOES_ON,
        ),
        ASKS_THE_SITE,
        body="ResponseRequest",
    ),
    "POST /v1/responses/compact": operation(
        "compact_response",
        "Sum a conversation up by one turn of the model. `output` takes the place of what was said before.",
        answer("What the user said, and the summary.", "CompactedResponse"),
        ASKS_THE_SITE,
        body="ResponseRequest",
    ),
    "POST /v1/responses/input_tokens": operation(
        "count_input_tokens",
        "About as many tokens as a request would be. No site is asked.",
        answer("The number.", json_content(exactly({"object": const("response.input_tokens"), "input_tokens": COUNT}))),
        [*WRITES, *FINDS],
        body="ResponseRequest",
    ),
    "GET /v1/responses/{id}": operation(
        "retrieve_response",
        "One stored response.",
        answer("The response.", "Response"),
        ["400", *FINDS],
        parameters=[
            _NAME,
            query_parameter(
                "stream", {"type": "string", "pattern": "^(?!true$)"}, "A stored response is not streamed."
            ),
        ],
    ),
    "DELETE /v1/responses/{id}": operation(
        "delete_response",
        "Forget a stored response.",
        answer("It is gone.", "DeletedResponse"),
        FINDS,
        parameters=[_NAME],
    ),
    "POST /v1/responses/{id}/cancel": operation(
        "cancel_response",
        "The stored response as it is: none is under way any more, as with `background` elsewhere.",
        answer("The response.", "Response"),
        FINDS,
        parameters=[_NAME],
    ),
    "GET /v1/responses/{id}/input_items": operation(
        "list_input_items",
        "What a stored response answers to, page by page.",
        answer("A page.", "ItemList"),
        ["400", *FINDS],
        parameters=[_NAME, *PAGE],
    ),
}
