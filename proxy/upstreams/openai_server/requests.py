"""Build the body of a chat completions request from an `Ask`."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from itertools import repeat
from typing import Any

import orjson

from proxy.chat.ask import EFFORT, SAMPLING, Ask, ContentPart, Media
from proxy.chat.extras import CALL_SIGNATURE, DETAILS, REASONING_TEXTS, THINKING
from proxy.chat.tools.definitions import OutputFormat, Tool, ToolChoice, ToolConfig
from proxy.upstreams.openai_server.message_order import in_order, results_behind_calls
from proxy.upstreams.openai_server.options import SPELLED, sent_options
from proxy.upstreams.openai_server.quirks import Quirks
from shared.conversations import Message, ToolCall, ToolResult
from shared.plugins.lenient_json import as_utf8

MAX_STOPS = 4  # OpenAI takes no more; what is beyond is cut here alone, as all of them are here too
TAKEN = frozenset({*SAMPLING, *SPELLED, "max_tokens", "thinking", EFFORT})  # the last two are Anthropic's
_is_own_id = re.compile("[a-zA-Z0-9]{9}").fullmatch
_UNSIGNED = {"google": {"thought_signature": "skip_thought_signature_validator"}}  # Google's own word


def request_body(ask: Ask, model: str, quirks: Quirks) -> bytes:
    """The body as JSON. *model*: the server's own name of it."""
    body: dict[str, Any] = {
        **{name: value for name, value in ask.extra_parameters.items() if name not in quirks.refused},
        "model": model,
        "messages": in_order(_messages(ask, quirks), quirks.order),
        "stream": True,
    }
    if quirks.takes_usage_option:
        body["stream_options"] = {"include_usage": True}
    if ask.max_tokens:
        body[quirks.limit_field] = min(ask.max_tokens, quirks.most_tokens or ask.max_tokens)
    if ask.stops and quirks.takes_stops and len(ask.stops) <= MAX_STOPS:
        body["stop"] = list(ask.stops)
    for wire, name in sent_options(ask).items():
        if wire in SAMPLING and wire not in quirks.refused:
            body[wire] = ask.parameters[name]
    if effort := quirks.taken_effort(ask):
        body["reasoning_effort"] = effort
    if ask.tool_config is not None:
        body |= _tool_fields(ask.tool_config, quirks, ask.extra_parameters.get("tools", ()))
    return encoded(body)


def encoded(body: Mapping[str, Any]) -> bytes:
    """*body* as JSON that any server can read."""
    try:
        return orjson.dumps(body)
    except orjson.JSONEncodeError:  # half a surrogate pair, which is no UTF-8
        return as_utf8(json.dumps(body, ensure_ascii=False)).encode()


def _messages(ask: Ask, quirks: Quirks) -> Iterator[dict[str, Any]]:
    """Messages on the wire. Pictures in a tool's result follow it in a message of their own: results hold text only."""
    open_calls: list[ToolCall] = []  # of the last answer, without a result so far
    pictures: list[Mapping[str, Any]] = []
    for number, message in enumerate(results_behind_calls(ask.messages)):
        if message.result is None:
            if pictures:
                yield {"role": "user", "content": pictures}
                pictures = []
            if message.role == "assistant":
                named = enumerate(message.calls)
                open_calls = [
                    replace(each, id=_wire_id(each.id or f"call_{number}_{at}", quirks)) for at, each in named
                ]
            body = _message(message, open_calls, ask.media, quirks)
            if message.thoughts:
                body[quirks.reasoning_field or REASONING_TEXTS[0]] = message.thoughts
            if message.id and ask.message_fields:
                body |= ask.message_fields.get(message.id, {})
            if quirks.marks_unsigned_calls and message.calls and DETAILS not in body:
                body["tool_calls"][0].setdefault(CALL_SIGNATURE, _UNSIGNED)
            if quirks.needs_thoughts and message.role == "assistant":
                body = {REASONING_TEXTS[0]: "", **body, "content": body["content"] or ""}
            yield body if quirks.reasoning_field in REASONING_TEXTS else _without_reasoning(body, quirks)
            continue
        call_id = _wire_id(message.result.call_id, quirks) or _matching_call_id(message.result.name, open_calls)
        open_calls = [call for call in open_calls if call.id != call_id]
        if call_id:
            yield {"role": "tool", "tool_call_id": call_id, "content": _outcome(message, message.result)}
            pictures += _pictures(message, ask.media)
        else:  # of a call that nobody knows
            yield {"role": "user", "content": _outcome(message, message.result)}
    if pictures:
        yield {"role": "user", "content": pictures}


def _outcome(message: Message, result: ToolResult) -> str:
    """What a tool returned; the API has no field for an error, which would pass for a success."""
    is_told = not result.failed or message.text.lower().startswith("error")
    return message.text if is_told else f"Error: {message.text}"


def _without_reasoning(body: dict[str, Any], quirks: Quirks) -> dict[str, Any]:
    """*body* without the fields for thoughts, which the server refuses; they are parts of its content, if it takes
    these."""
    names = (*REASONING_TEXTS, THINKING)
    thoughts = next((body[name] for name in names if name in body), "")
    kept = {name: value for name, value in body.items() if name not in (*names, DETAILS)}
    if not thoughts or quirks.reasoning_field != THINKING:
        return kept
    content = body["content"] or []
    said = [{"type": "text", "text": content}] if isinstance(content, str) else content
    return {**kept, "content": [{"type": THINKING, THINKING: [{"type": "text", "text": thoughts}]}, *said]}


def _wire_id(call_id: str, quirks: Quirks) -> str:
    """A call's id as the server takes it: some take only ids of the form that they make themselves."""
    if quirks.takes_any_call_id or not call_id or _is_own_id(call_id):
        return call_id
    return sha256(call_id.encode()).hexdigest()[:9]


def _matching_call_id(name: str, calls: Sequence[ToolCall]) -> str:
    """The id of the call that a result without a call id belongs to."""
    return next((call.id for call in calls if not name or call.name == name), "")


def _message(message: Message, calls: Sequence[ToolCall], media: Mapping[str, Media], quirks: Quirks) -> dict[str, Any]:
    if message.role == "assistant" and calls:
        body: dict[str, Any] = {"role": "assistant", "content": message.text or None, "tool_calls": []}
        for call in calls:
            function = {"name": call.name, "arguments": _arguments(call)}
            signed = json.loads(call.signed) if call.signed and quirks.takes_signatures else {}
            body |= {name: signed.pop(name) for name in (*REASONING_TEXTS, DETAILS) if name in signed}
            body["tool_calls"].append({"id": call.id, "type": "function", "function": function, **signed})
        return body
    if not any(name in media for name in message.images):
        return {"role": message.role, "content": message.text}
    return {"role": message.role, "content": list(_parts(message, media))}


def _parts(message: Message, media: Mapping[str, Media]) -> Iterator[Mapping[str, Any]]:
    """The text of *message*, its pictures and other parts, in the order that the client gave them."""
    text, start = message.text, 0
    for name, place in zip(message.images, message.places or repeat(len(text)), strict=False):
        if (found := media.get(name)) is not None:
            yield from _text_part(text, start, place)
            yield _part(found)
            start = place
    yield from _text_part(text, start, len(text))


def _text_part(text: str, start: int, end: int) -> Iterator[Mapping[str, Any]]:
    """What stands from *start* to *end*, if anything; a line break joined it to what is before."""
    if between := text[start:end].removeprefix("\n" if start else ""):
        yield {"type": "text", "text": between}


def _pictures(message: Message, media: Mapping[str, Media]) -> list[Mapping[str, Any]]:
    """The pictures and other parts of *message*, without its text."""
    return [_part(found) for name in message.images if (found := media.get(name)) is not None]


def _part(part: Media) -> Mapping[str, Any]:
    if isinstance(part, ContentPart):
        return part.raw
    detail = {"detail": part.detail} if part.detail else {}
    return {"type": "image_url", "image_url": {"url": f"data:{part.mime_type};base64,{part.base64}", **detail}}


def _tool_fields(offer: ToolConfig, quirks: Quirks, others: Sequence[Any]) -> dict[str, Any]:
    """The fields for tools, tool choice and response format. *others*: tools that the server runs itself."""
    fields: dict[str, Any] = {}
    names = offer.choice.names
    tools = [(label, tool) for label, tool in offer.labels.items() if not names or tool.name in names]
    takes_choice = "tool_choice" not in quirks.refused
    if tools and (takes_choice or offer.choice.mode != "none"):
        fields["tools"] = [*others, *(_tool(label, tool) for label, tool in tools)]
        if offer.choice != ToolChoice() and takes_choice:
            fields["tool_choice"] = _choice(offer.choice, [label for label, _ in tools])
        if not offer.parallel and "parallel_tool_calls" not in quirks.refused:
            fields["parallel_tool_calls"] = False
    if offer.output_format is not None:
        fields["response_format"] = _response_format(offer.output_format, quirks)
    return fields


def _tool(label: str, tool: Tool) -> dict[str, Any]:
    """A tool as a function; a custom tool becomes a function of one input, since most servers know no others."""
    function: dict[str, Any] = {"name": label, "description": tool.description, "parameters": tool.schema}
    if tool.strict:
        function["strict"] = True
    return {"type": "function", "function": function}


def _choice(choice: ToolChoice, labels: Sequence[str]) -> Any:
    if choice.mode == "required" and len(labels) == 1 and choice.names:
        return {"type": "function", "function": {"name": labels[0]}}
    return choice.mode


def _response_format(output_format: OutputFormat, quirks: Quirks) -> dict[str, Any]:
    if output_format.schema is None and quirks.takes_json_object:
        return {"type": "json_object"}
    if output_format.schema is None:
        output_format = replace(output_format, schema={"type": "object"})
    schema = (
        output_format.schema
        if not isinstance(output_format.schema, bool)
        else ({} if output_format.schema else {"not": {}})
    )
    form: dict[str, Any] = {"name": output_format.name or "answer", "schema": schema}
    if output_format.description:
        form["description"] = output_format.description
    if output_format.strict:
        form["strict"] = True
    return {"type": "json_schema", "json_schema": form}


def _arguments(call: ToolCall) -> str:
    if call.kind == "custom":
        return orjson.dumps({"input": call.arguments}).decode()
    return call.arguments or "{}"
