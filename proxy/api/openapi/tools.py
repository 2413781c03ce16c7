"""What all kinds of requests share of tools: definitions, choices among them, forms of the answer; and calls."""

from proxy.api.conversations.client_tools import CLIENT_TOOLS
from proxy.api.openapi.parts import (
    ANY,
    COUNT,
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
from proxy.chat.extras import CALL_SIGNATURE
from proxy.chat.tools.definitions import MAX_DESCRIPTION, MAX_NAME, MAX_TOOLS

_PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
_EXAMPLE = {"name": "get_weather", "description": "Tell the weather in a city.", "parameters": _PARAMETERS}
_NAME: Schema = {
    "type": "string",
    "format": "tool-name",
    "minLength": 1,
    "maxLength": MAX_NAME,
    "description": "Without blanks, quotes and brackets; no two tools have the same.",
}
_DESCRIPTION = described(nullable(STRING), f"What the model is told of it; cut after {MAX_DESCRIPTION:,} bytes.")
_STRICT = described(ANY, "Calls and JSON are checked against their schema in any case.")
_FUNCTION: dict[str, Schema] = {
    "description": _DESCRIPTION,
    "parameters": described(nullable({"type": "object"}), "A JSON schema of its arguments; without one it takes none."),
    "strict": _STRICT,
}
FINDER: Schema = described(
    at_least({"type": const("tool_search"), "execution": const("client")}, **_FUNCTION),
    "The client's own search among tools: what it finds can be called from then on.",
)
DEFINED: Schema = described(
    at_least({"type": one_of(*CLIENT_TOOLS)}, environment=ANY),
    "What OpenAI has defined and the client runs: the model is told of a function, and its calls and their results are "
    "items of their own types. A shell's `environment` must be local.",
)
_CUSTOM: dict[str, Schema] = {
    "description": _DESCRIPTION,
    "format": described(ANY, "The model is told a grammar in it."),
}
_FREE_TEXT = "A tool that takes free text."
_SOME_NAME: Schema = {"type": "string", "minLength": 1}
_NAMED: dict[str, Schema] = {"type": one_of("function", "custom"), "name": _SOME_NAME}
_FLAT_SCHEMA: dict[str, Schema] = {"schema": described({"type": ["object", "boolean"]}, "A JSON schema.")}
_FORM: dict[str, Schema] = {"name": nullable(STRING), "description": nullable(STRING), "strict": _STRICT}


def _choice(named: Schema, allowed: Schema) -> Schema:
    """Which tools may or must be called; *named*: how one is named, *allowed*: how several are."""
    return described(
        with_examples(nullable(one_of("none", "auto", "required"), named, allowed), None),
        "Which tools may be called, or must be: then the answer is never prose. 400 without tools.",
    )


def _allowed(named: Schema) -> dict[str, Schema]:
    return {"mode": one_of("auto", "required"), "tools": array(named)}


def _form(by_schema: Schema) -> Schema:
    """The form of the answer; *by_schema*: how a JSON schema is given."""
    beside = described(ANY, "A JSON schema that it is to fit.")
    any_object = described(at_least({"type": const("json_object")}, schema=beside, value=beside), "Any JSON object.")
    return described(
        nullable(at_least({"type": const("text")}), any_object, by_schema),
        "The form of the answer: JSON comes bare, without a fence, and only if it fits the schema.",
    )


CHAT_TOOLS = described(
    nullable(array(ref("Tool"), maxItems=MAX_TOOLS)),
    "What the model may call. A bot that has no tools of its own is told of them in words, and its calls are read from "
    "its text. Tools of other types reach servers as they are; of a site they are 400.",
)
CHAT_CHOICE = _choice(
    ref("NamedTool"), at_least({"type": const("allowed_tools"), "allowed_tools": at_least(_allowed(ref("NamedTool")))})
)
FUNCTIONS = described(
    nullable(array(ref("Function"), maxItems=MAX_TOOLS)),
    "`tools` in their older form: a call is told as the message's one `function_call`. Unused where there are `tools`.",
)
FUNCTION_CHOICE = described(
    with_examples(nullable(one_of("none", "auto"), at_least({"name": _SOME_NAME})), None),
    "`tool_choice` for `functions`. 400 without them.",
)
CHAT_FORM = _form(at_least({"type": const("json_schema"), "json_schema": at_least(_FLAT_SCHEMA, **_FORM)}))
_FLAT_NAMED: Schema = {"anyOf": [at_least(_NAMED), at_least({"type": one_of("tool_search", *CLIENT_TOOLS)})]}
FLAT_CHOICE = _choice(_FLAT_NAMED, at_least({"type": const("allowed_tools"), **_allowed(_FLAT_NAMED)}))
FLAT_FORM = _form(at_least({"type": const("json_schema"), **_FLAT_SCHEMA}, **_FORM))
PARALLEL = "False: one call at most in an answer."


_SIGNED = described({"type": "object"}, "What a server wants back with the call as it is.")


def _call(kind: str, field: str, **place: Schema) -> Schema:
    made = exactly({"name": STRING, field: STRING})
    id_schema = described(STRING, "`call_…`")
    return exactly({"id": id_schema, "type": const(kind), kind: made, **place}, **{CALL_SIGNATURE: _SIGNED})


def _piece(kind: str, field: str) -> Schema:
    return exactly({"index": COUNT, kind: exactly({field: described(STRING, "The next part.")})})


_FLAT_CUSTOM = described(at_least({"type": const("custom"), "name": _NAME}, **_CUSTOM), _FREE_TEXT)
NAMESPACE = described(
    at_least(
        {"type": const("namespace")},
        name=ANY,
        tools=nullable(
            array({"anyOf": [at_least({"name": _NAME}, type=const("function"), **_FUNCTION), _FLAT_CUSTOM]})
        ),
    ),
    "Tools of one source; a call tells the `namespace` again.",
)
CALLS = array(ref("ToolCall"), minItems=1)
CALL_PIECES = array(ref("ToolCallPiece"), minItems=1, maxItems=1)
OLD_CALL = exactly({"name": STRING, "arguments": STRING})
OLD_CALL_PIECE = exactly({"arguments": STRING}, name=STRING)

SCHEMAS: dict[str, Schema] = {
    "Function": with_examples(at_least({"name": _NAME}, **_FUNCTION), _EXAMPLE),
    "Tool": with_examples(
        {
            "anyOf": [
                at_least({"function": ref("Function")}, type=const("function")),
                described(
                    at_least({"type": const("custom"), "custom": at_least({"name": _NAME}, **_CUSTOM)}), _FREE_TEXT
                ),
            ]
        },
        {"type": "function", "function": _EXAMPLE},
    ),
    "NamedTool": {
        "anyOf": [
            at_least({"type": const(kind), kind: at_least({"name": _SOME_NAME})}) for kind in ("function", "custom")
        ]
    },
    "FlatTool": with_examples(
        {
            "anyOf": [
                at_least({"type": const("function"), "name": _NAME}, **_FUNCTION),
                _FLAT_CUSTOM,
            ]
        },
        {"type": "function", **_EXAMPLE},
    ),
    "ToolCall": {"anyOf": [_call("function", "arguments"), _call("custom", "input")]},
    "ToolCallPiece": described(
        {
            "anyOf": [
                *(_call(kind, field, index=COUNT) for kind, field in (("function", "arguments"), ("custom", "input"))),
                *(_piece(kind, field) for kind, field in (("function", "arguments"), ("custom", "input"))),
            ]
        },
        "Each call begins with its id and name; its arguments, or its input, follow.",
    ),
}
