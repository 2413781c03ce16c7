"""The body of a chat completions request: everything the client said, in the words of OpenAI's API."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

import orjson

from proxy.chat.ask import EFFORT, SAMPLING, Ask, Media, Part
from proxy.chat.extras import DETAILS, THOUGHTS, WITH_CALL
from proxy.chat.tools.definitions import Choice, Offer, Tool, Wanted
from shared.conversations import Call, Message
from shared.plugins.answers import as_utf8

MAX_STOPS = 4  # OpenAI takes no more; what is beyond is cut here alone, as all of them are here too
_SPELLED = {"reasoning": "reasoning_effort", "text.verbosity": "verbosity"}  # in the Responses API
TAKEN = frozenset({*SAMPLING, *_SPELLED, "max_tokens", "thinking", EFFORT})  # the last two are Anthropic's
_BUDGETS = ((4096, "high"), (2048, "medium"))  # what its budgets of tokens mean; servers know no budgets
_EFFORTS = {"xhigh": "high", "max": "high"}  # and of its efforts those that most servers do not know
_ID_RULE = "must be a-z, A-Z, 0-9, with a length of 9"  # of calls' ids, as Mistral's servers and vLLM tell it
_FORM_RULE = "'response_format.type' must be 'json_schema'"  # LM Studio's
_is_own_id = re.compile("[a-zA-Z0-9]{9}").fullmatch
_UNSIGNED = {WITH_CALL: {"google": {"thought_signature": "skip_thought_signature_validator"}}}  # Google's own word


@dataclass(frozen=True, slots=True)
class Manner:
    """In which servers differ: what they call the limit of an answer and thoughts, and whether they may be asked for
    usage, told how hard to think where the client told it otherwise, told what was signed of a call, told the ids of
    calls that others gave, and asked for JSON without its form."""

    limit: str = "max_tokens"
    usage: bool = True
    effort: bool = True
    thoughts: str = THOUGHTS[0]
    signed: bool = True
    vouched: bool = False  # calls that were never signed, or lost that on their way, are told as such
    ids: bool = True
    formless: bool = True

    def other_than(self, complaint: str, ask: Ask) -> "Manner | None":
        """The manner in which to ask again after a *complaint* about this one; None: it is about something else."""
        is_told = self.effort and _effort(ask.parameters) is not None
        changed: dict[str, Any] = {}
        if "stream_options" in complaint and self.usage:
            changed = {"usage": False}
        elif "max_completion_tokens" in complaint and self.limit == "max_tokens":
            changed = {"limit": "max_completion_tokens"}
        elif is_told and ("reasoning" in complaint or "think" in complaint):
            changed = {"effort": False}
        elif "thought_signature" in complaint and not self.vouched:
            changed = {"vouched": True}
        elif _ID_RULE in complaint and self.ids:
            changed = {"ids": False}
        elif _FORM_RULE in complaint and self.formless:
            changed = {"formless": False}
        elif self.signed and (WITH_CALL in complaint or DETAILS in complaint):
            changed = {"signed": False}
        return replace(self, **changed) if changed else None


def request_body(ask: Ask, model: str, manner: Manner) -> bytes:
    """The whole body. *model*: as the server calls it."""
    body: dict[str, Any] = {**ask.extras, "model": model, "messages": list(_messages(ask, manner)), "stream": True}
    if manner.usage:
        body["stream_options"] = {"include_usage": True}
    if ask.max_tokens:
        body[manner.limit] = ask.max_tokens
    if ask.stops and len(ask.stops) <= MAX_STOPS:
        body["stop"] = list(ask.stops)
    for name, value in ask.parameters.items():
        if name in SAMPLING:
            body[name] = value
        elif name in _SPELLED:
            told = value.get("effort") if isinstance(value, dict) else value
            if told is not None:
                body[_SPELLED[name]] = told
    if manner.effort and (effort := _effort(ask.parameters)):
        body.setdefault("reasoning_effort", effort)
    if ask.offer is not None:
        body |= _offered(ask.offer, manner, ask.extras.get("tools", ()))
    return encoded(body)


def encoded(body: Mapping[str, Any]) -> bytes:
    """*body* as JSON that any server can read."""
    try:
        return orjson.dumps(body)
    except orjson.JSONEncodeError:  # half a surrogate pair, which is no UTF-8
        return as_utf8(json.dumps(body, ensure_ascii=False)).encode()


def _effort(parameters: Mapping[str, Any]) -> str | None:
    """How hard to think, of *parameters* as Anthropic's API has them; None: the model's own way."""
    thinking, effort = parameters.get("thinking"), parameters.get(EFFORT)
    kind = thinking.get("type") if isinstance(thinking, dict) else None
    if effort is not None:
        return _EFFORTS.get(effort, effort) if kind != "disabled" else None
    budget = thinking.get("budget_tokens") if isinstance(thinking, dict) and kind == "enabled" else None
    return next((name for least, name in _BUDGETS if budget >= least), "low") if isinstance(budget, int) else None


def _messages(ask: Ask, manner: Manner) -> Iterator[dict[str, Any]]:
    """Each message as one, and pictures of a tool's result, for which results have no room, in one after it."""
    open_calls: list[Call] = []  # of the last answer, without a result so far
    pictures: list[Mapping[str, Any]] = []
    for number, message in enumerate(ask.messages):
        if message.result is None:
            if pictures:
                yield {"role": "user", "content": pictures}
                pictures = []
            if message.role == "assistant":
                named = enumerate(message.calls)
                open_calls = [replace(each, id=_id(each.id or f"call_{number}_{at}", manner)) for at, each in named]
            told = _message(message, open_calls, ask.images, manner)
            if message.thoughts:
                told[manner.thoughts] = message.thoughts
            if message.id and ask.message_fields:
                told |= ask.message_fields.get(message.id, {})
            yield told
            continue
        call_id = _id(message.result.call_id, manner) or _called(message.result.name, open_calls)
        open_calls = [call for call in open_calls if call.id != call_id]
        if call_id:
            yield {"role": "tool", "tool_call_id": call_id, "content": message.text}
            pictures += _pictures(message, ask.images)
        else:  # of a call that nobody knows
            yield {"role": "user", "content": message.text}
    if pictures:
        yield {"role": "user", "content": pictures}


def _id(told: str, manner: Manner) -> str:
    """The id of a call as the server takes it. Some take no other than such as they make themselves."""
    return told if manner.ids or not told or _is_own_id(told) else sha256(told.encode()).hexdigest()[:9]


def _called(name: str, calls: Sequence[Call]) -> str:
    """The id of the call that a result without one belongs to."""
    return next((call.id for call in calls if not name or call.name == name), "")


def _message(message: Message, calls: Sequence[Call], images: Mapping[str, Media], manner: Manner) -> dict[str, Any]:
    if message.role == "assistant" and calls:
        told: dict[str, Any] = {"role": "assistant", "content": message.text or None, "tool_calls": []}
        for number, call in enumerate(calls):
            function = {"name": call.name, "arguments": _arguments(call)}
            signed = json.loads(call.signed) if call.signed and manner.signed else {}
            told |= {name: signed.pop(name) for name in (*THOUGHTS, DETAILS) if name in signed}
            if manner.vouched and not number and DETAILS not in told:
                signed = {**_UNSIGNED, **signed}
            told["tool_calls"].append({"id": call.id, "type": "function", "function": function, **signed})
        return told
    pictures = _pictures(message, images) if message.images else []
    if not pictures:
        return {"role": message.role, "content": message.text}
    text = [{"type": "text", "text": message.text}] if message.text else []
    return {"role": message.role, "content": [*text, *pictures]}


def _pictures(message: Message, images: Mapping[str, Media]) -> list[Mapping[str, Any]]:
    """Its pictures, and its other parts as they are."""
    return [_shown(found) for name in message.images if (found := images.get(name)) is not None]


def _shown(media: Media) -> Mapping[str, Any]:
    if isinstance(media, Part):
        return media.told
    return {"type": "image_url", "image_url": {"url": f"data:{media.mime_type};base64,{media.base64}"}}


def _offered(offer: Offer, manner: Manner, others: Sequence[Any]) -> dict[str, Any]:
    """Tools, which of them may be called, and the form of the answer. *others*: tools that no client runs."""
    told: dict[str, Any] = {}
    names = offer.choice.names
    tools = [(label, tool) for label, tool in offer.labels.items() if not names or tool.name in names]
    if tools:
        told["tools"] = [*others, *(_tool(label, tool) for label, tool in tools)]
        if offer.choice != Choice():
            told["tool_choice"] = _choice(offer.choice, [label for label, _ in tools])
        if not offer.parallel:
            told["parallel_tool_calls"] = False
    if offer.wanted is not None:
        told["response_format"] = _form(offer.wanted, manner)
    return told


def _tool(label: str, tool: Tool) -> dict[str, Any]:
    """A custom tool is a function of its one input: most servers know no others."""
    function: dict[str, Any] = {"name": label, "description": tool.description, "parameters": tool.schema}
    if tool.strict:
        function["strict"] = True
    return {"type": "function", "function": function}


def _choice(choice: Choice, labels: Sequence[str]) -> Any:
    if choice.mode == "required" and len(labels) == 1 and choice.names:
        return {"type": "function", "function": {"name": labels[0]}}
    return choice.mode


def _form(wanted: Wanted, manner: Manner) -> dict[str, Any]:
    if wanted.schema is None and manner.formless:
        return {"type": "json_object"}
    if wanted.schema is None:
        wanted = replace(wanted, schema={"type": "object"})
    schema = wanted.schema if not isinstance(wanted.schema, bool) else ({} if wanted.schema else {"not": {}})
    form: dict[str, Any] = {"name": wanted.name or "answer", "schema": schema}
    if wanted.description:
        form["description"] = wanted.description
    if wanted.strict:
        form["strict"] = True
    return {"type": "json_schema", "json_schema": form}


def _arguments(call: Call) -> str:
    if call.kind == "custom":
        return orjson.dumps({"input": call.arguments}).decode()
    return call.arguments or "{}"
