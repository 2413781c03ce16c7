"""The order of messages that some models' templates insist on; others raise an error."""

from collections.abc import Callable, Iterable, Mapping
from functools import reduce
from itertools import dropwhile, takewhile
from typing import Any, Literal

from shared.conversations import Message, ToolResult

Order = Literal["any", "system_first", "alternating", "without_system"]  # each asks for more than the one before
# Words of those that want it, in lower case: Qwen's, by every server; Mistral's, by its own and by others; DeepSeek's.
# And of those with no role for the system: Gemma's, by others and by Google, old ones of Mistral's, OpenAI's o1-mini.
_WORDS: Mapping[str, Order] = {
    "must be at the beginning": "system_first",
    "unexpected role '": "alternating",
    "must alternate": "alternating",
    "successive user or assistant messages": "alternating",
    "system role not supported": "without_system",
    "developer instruction is not enabled": "without_system",
    "only user and assistant roles are supported": "without_system",
    "does not support 'system'": "without_system",
}
Wire = dict[str, Any]


def wanted_order(complaint: str) -> Order:
    """The order that a server's *complaint* asks for; "any" where it is about something else."""
    lowered = complaint.lower()
    return next((order for words, order in _WORDS.items() if words in lowered), "any")


def asks_more(wanted: Order, order: Order) -> bool:
    """Whether *wanted* asks for more than *order* does."""
    return list(_ORDERS).index(wanted) > list(_ORDERS).index(order)


def in_order(messages: Iterable[Wire], order: Order) -> list[Wire]:
    """*messages*, as they go to the server, in the *order* that it takes."""
    return _ORDERS[order](messages)


def results_behind_calls(messages: Iterable[Message]) -> list[Message]:
    """*messages*, each result once and right behind its call.

    In the Responses API others may stand between them, and some clients repeat results there. What stood between comes
    before the call, so that the model goes on from the result as it would there.
    """
    groups: dict[int, dict[tuple[ToolResult, str] | None, Message]] = {}  # a message, with the results of its calls
    by_call: dict[str, int] = {}
    for number, each in enumerate(messages):
        key, place = None, number
        if each.result is not None:
            key, place = (each.result, each.text), by_call.get(each.result.call_id, number)
        if key in groups.get(place, ()):
            continue
        group = groups[place] = groups.pop(place, {})
        group[key] = each
        by_call |= {call.id: number for call in each.calls if call.id}
    return [each for group in groups.values() for each in group.values()]


def _system_first(messages: Iterable[Wire]) -> list[Wire]:
    """One system message, at the beginning. Later ones are told by the user, where they stand: what they were made of
    may come after it, and a server's cache holds what is before."""
    messages = list(messages)
    system = [each["content"] for each in takewhile(_is_system, messages)]
    rest = ({**each, "role": "user"} if _is_system(each) else each for each in dropwhile(_is_system, messages))
    return [*([{**messages[0], "content": reduce(_joined, system)}] if system else ()), *rest]


def _alternating(messages: Iterable[Wire]) -> list[Wire]:
    """As `_system_first`; one message of the user at a time, and never right behind the result of a tool."""
    return _in_turns(_system_first(messages))


def _without_system(messages: Iterable[Wire]) -> list[Wire]:
    """As `_alternating`; the user tells what the system says."""
    return _in_turns({**each, "role": "user"} if _is_system(each) else each for each in messages)


def _in_turns(messages: Iterable[Wire]) -> list[Wire]:
    ordered: list[Wire] = []
    for each in messages:
        before = ordered[-1]["role"] if ordered else ""
        if each["role"] != "user" or before not in ("user", "tool"):
            ordered.append(each)
        elif before == "tool":
            ordered += ({"role": "assistant", "content": "OK"}, each)
        else:
            ordered[-1] = {**ordered[-1], "content": _joined(ordered[-1]["content"], each["content"])}
    return ordered


_ORDERS: Mapping[Order, Callable[[Iterable[Wire]], list[Wire]]] = {
    "any": list,
    "system_first": _system_first,
    "alternating": _alternating,
    "without_system": _without_system,
}


def _is_system(message: Wire) -> bool:
    return bool(message["role"] == "system")


def _joined(one: Any, other: Any) -> Any:
    """Two contents as one: texts, or lists of parts."""
    if isinstance(one, str) and isinstance(other, str):
        return f"{one}\n\n{other}"
    return [part for each in (one, other) for part in (_as_parts(each) if isinstance(each, str) else each)]


def _as_parts(text: str) -> list[Any]:
    return [{"type": "text", "text": text}]
