"""What the model is told of tools and of the form of its answer, and calls and results as text.

The markers are a contract (see the constants); the words around them are few, since they are sent with each replay, and
the same from turn to turn, so that the upstream's copy of a history and the provider's cache hold.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from proxy.chat.tools.cache import Cache
from proxy.chat.tools.definitions import Offer, Tool, Wanted, cut_description, joined
from proxy.chat.tools.mending import Broken, dump_json, read_json
from shared.conversations import Call, Message, Result

TOOLS_FENCE = "```tools"
CALLS_FENCE = "```tool_calls"
SCHEMA_FENCE = "```json_schema"
FENCE_END = "```"

_TOOLS_BEFORE = f"""\
You can call the tools below. To do so, end your answer with a fence like this, one call a line:
{CALLS_FENCE}
{{"name":"NAME","arguments":{{}}}}
{FENCE_END}
Write nothing after it. The next message then begins with [result of NAME] or [error of NAME]: never write such lines \
yourself. Without a call, answer as usual."""
_NONE = "Answer in text now, without calling a tool."
_REQUIRED = "Your answer must be a call of a tool, without other text."
_NAMED = "Your answer must be a call of this tool, without other text."
_SINGLE = "Write one call at most."
_SCHEMA = "Answer with JSON alone, in a fence opened by ```json, that fits this schema:"
_SCHEMA_OR_CALL = "Unless you call a tool, answer with JSON alone, in a fence opened by ```json, that fits this schema:"
_FOUND = "From now on you can call these tools too:"
_NOTHING_FOUND = "No such tool was found."
_OBJECT = "answer format: json_object\nAnswer with a JSON object alone, in a fence opened by ```json."
_OBJECT_OR_CALL = (
    "answer format: json_object\nUnless you call a tool, answer with a JSON object alone, in a fence opened by ```json."
)


def instructions(offer: Offer) -> str:
    """The text before the client's own system text; empty where nothing is offered and wanted."""
    parts = []
    if offer.tools:
        lines = (_line(label, tool) for label, tool in offer.labels.items() if not tool.is_found)
        parts += [_TOOLS_BEFORE, _fence(TOOLS_FENCE, lines)]
        parts += _choice(offer.choice.mode, offer.chosen)
        if not offer.parallel and offer.choice.mode != "none":
            parts.append(_SINGLE)
    if offer.wanted:
        parts.append(_form(offer.wanted, with_tools=bool(offer.tools) and offer.choice.mode != "none"))
    return "\n".join(parts)


def found_tools(tools: Sequence[Tool]) -> str:
    """What a search among tools gave. Their definitions stand here alone: what was told before stays the same."""
    if not tools:
        return _NOTHING_FOUND
    lines = (_line(joined(tool.namespace, tool.name) if tool.namespace else tool.name, tool) for tool in tools)
    return f"{_FOUND}\n{_fence(TOOLS_FENCE, lines)}"


def _fence(opening: str, lines: Iterable[str]) -> str:
    return "\n".join([opening, *lines, FENCE_END])


def _line(label: str, tool: Tool) -> str:
    return _compact({"name": label, "description": cut_description(tool.description), "parameters": tool.schema})


def _compact(value: Any) -> str:
    return orjson.dumps(value).decode()  # takes it, as it took it when the schema was checked


def _choice(mode: str, chosen: Sequence[str]) -> Iterable[str]:
    is_named = mode == "required" and len(chosen) == 1
    if is_named:
        yield f"tool choice: {chosen[0]}"
        yield _NAMED
    elif mode != "auto":
        yield f"tool choice: {mode}"
        yield _NONE if mode == "none" else _REQUIRED
    if chosen and not is_named:
        yield f"Call only: {', '.join(chosen)}."


def _form(wanted: Wanted, *, with_tools: bool) -> str:
    if wanted.schema is None:
        return _OBJECT_OR_CALL if with_tools else _OBJECT
    before = _SCHEMA_OR_CALL if with_tools else _SCHEMA
    about = [f"It is for: {cut_description(wanted.description)}"] if wanted.description else []
    return "\n".join([*about, before, _fence(SCHEMA_FENCE, [_compact(wanted.schema)])])


def as_text(messages: Sequence[Message], offer: Offer | None) -> tuple[Message, ...]:
    """*messages* as a model is told them that takes nothing but text: calls and their results in words."""
    names: dict[str, str] = {}
    told = []
    for message in messages:
        text, about = message.text, message.result
        if message.calls:
            names |= {call.id: label_of(call.name, call.namespace, offer) for call in message.calls}
            text = with_calls(text, message.calls, offer)
        elif about is not None:
            text = result(about.name or names.get(about.call_id) or "tool", text, error=about.failed)
        if text is message.text:
            told.append(message)
        else:
            told.append(Message(role=message.role, text=text, images=message.images, result=about))
    return tuple(told)


def with_calls(text: str, calls: Sequence[Call], offer: Offer | None = None) -> str:
    """An answer of earlier as the model would have given it: *text*, then the fence with *calls*."""
    if not calls:
        return text
    fence = _fence(CALLS_FENCE, (_call(call, offer) for call in calls))
    return f"{text.rstrip()}\n\n{fence}" if text.strip() else fence


def _call(call: Call, offer: Offer | None) -> str:
    arguments = dump_json({"input": call.arguments}) if call.kind == "custom" else _arguments(call.arguments or "{}")
    return f'{{"name":{dump_json(label_of(call.name, call.namespace, offer))},"arguments":{arguments}}}'


def _arguments(text: str) -> str:
    """The arguments of a call as they are told; clients send them again with every turn."""
    told = _told.get(text)
    if told is None:
        try:
            given = read_json(text).value
            told = "{}" if given is None or given == [] else dump_json(given)  # as others tell that there are none
        except Broken:
            told = dump_json(text)  # of another model: told as it is
        _told.put(text, told, 2 * len(text) + 200)
    return told


_told: Cache[str, str] = Cache(1_000_000)
_NO_NAME = re.compile(r"[\s\[\]]+")


def result(name: str, text: str, *, error: bool = False) -> str:
    """What a tool gave, as the text of a user's message, whose first line has to be a line whatever the name."""
    return f"[{'error' if error else 'result'} of {_NO_NAME.sub('_', name)}]\n{text}"


def label_of(name: str, namespace: str | None, offer: Offer | None) -> str:
    """The name by which the model knows a tool of the client."""
    label = joined(namespace, name) if namespace else name
    return label if offer is None or label in offer.labels else name


def retry(trouble: str, offer: Offer, *, of_json: bool) -> Message:
    """What asks once more for what was wrong: the JSON of the answer, or else a call, if any may be made. It is the
    result of that answer, and no question of the user's."""
    may_call = offer.choice.mode != "none"
    if of_json or (not may_call and offer.wanted is not None):
        wanted = "Answer again, with the corrected JSON alone, in a fence opened by ```json."
    elif may_call:
        wanted = f"Answer again, with the corrected call in a fence opened by {CALLS_FENCE}."
    else:
        wanted = _NONE
    return Message(role="user", text=f"That was not valid: {trouble}\n{wanted}", result=Result())
