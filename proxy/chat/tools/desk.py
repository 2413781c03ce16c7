"""Where calls that were found are checked: is the tool known and allowed, do its arguments fit."""

from collections.abc import Callable, Mapping
from typing import Any

from proxy.chat.tools.coercion import Unfit, fit
from proxy.chat.tools.definitions import Offer, Tool, joined
from proxy.chat.tools.mending import Broken, dump_json, read_json
from proxy.chat.tools.schema import compiled
from proxy.chat.tools.shapes import Asked, calls_in, first_name, leading_name, may_be_bare_call
from proxy.chat.tools.source import Value
from shared.conversations import Call

_PREFIX = "functions."  # as models were taught to write names
MAX_CALLS = 128  # of one answer; what comes after them is not read
_UNDECIDED = 64_000  # characters of JSON that has not named a tool yet


class Desk:
    """Takes what the parsers of one answer found."""

    def __init__(self, offer: Offer, new_id: Callable[[], str]) -> None:
        self._offer = offer
        self._new_id = new_id
        self._tools = _spellings(offer)
        self._in_lower_case = _in_lower_case(self._tools)
        self.found: list[Call] = []  # not handed on yet
        self.calls = 0
        self.has_mended = False
        self.trouble = ""  # the first thing that was wrong
        self.has_half = False

    @property
    def is_full(self) -> bool:
        """Whether the client wants no more calls."""
        return self.calls >= (MAX_CALLS if self._offer.parallel else 1)

    def knows(self, name: str) -> bool:
        """Whether *name* is that of a declared tool."""
        return self._tool(name) is not None

    def may_name(self, begun: str) -> bool:
        """Whether what *begun* goes on to may be the name of a declared tool."""
        begun = begun.strip().lower()
        either = (begun, begun.removeprefix(_PREFIX))
        return _PREFIX.startswith(begun) or any(spelling.startswith(either) for spelling in self._in_lower_case)

    def may_be_call(self, head: str, size: int) -> bool:
        """Whether JSON that begins with *head*, and is *size* long so far, may still be a call of a declared tool."""
        named = leading_name(head)
        if named is None:
            return size <= _UNDECIDED
        return self.knows(named[0]) if named[1] else self.may_name(named[0])

    def may_be_bare_call(self, head: str, size: int) -> bool:
        """The same for JSON that nothing else announces as a call."""
        return may_be_bare_call(head) and self.may_be_call(head, size)

    def read(self, value: Value, *, bare: bool = False) -> list[Asked]:
        """The calls that *value* is, if the first is of a declared tool; else none."""
        try:
            content, mended = read_json(value.text, close=not value.is_half)
        except Broken as broken:
            named = first_name(value.text)
            return [Asked(named[0], broken=str(broken))] if named and self.knows(named[0]) else []
        asked = [call._replace(mended=mended) for call in calls_in(content, bare=bare)]
        return asked if asked and self.knows(asked[0].name) else []

    def is_half(self, value: Value) -> bool:
        """Whether *value*, at which the answer ended, may be the beginning of a call of a declared tool."""
        named = first_name(value.text)
        if named is None:
            return True
        return self.knows(named[0]) if named[1] else self.may_name(named[0])

    def take(self, asked: Asked) -> None:
        """Check one call and keep it, or what is wrong with it."""
        if self.is_full:
            return
        try:
            self._take(asked)
        except (Broken, Unfit) as error:
            self.trouble = self.trouble or str(error)

    def _take(self, asked: Asked) -> None:
        tool = self._tool(asked.name)
        if tool is None:
            raise Unfit(f"there is no tool '{asked.name[:80]}'")
        if not self._offer.may_call(tool):
            raise Unfit(f"{tool.name} may not be called now")
        if asked.broken:
            raise Broken(f"the call of {tool.name} is no JSON: {asked.broken}")
        if tool.kind == "custom":
            arguments, changed = _free_text(asked.arguments), False
        else:
            is_flat = bool(asked.beside) and asked.beside.keys() <= _properties(tool).keys()
            arguments, changed = _arguments(tool, dict(asked.beside) if is_flat else asked.arguments)
        self.calls += 1
        self.has_mended |= asked.mended or changed
        self.found.append(
            Call(id=self._new_id(), name=tool.name, arguments=arguments, kind=tool.kind, namespace=tool.namespace)
        )

    def type_of(self, tool_name: str, parameter: str) -> Any:
        """What the schema of a tool says of the type of one parameter, if it says so plainly."""
        tool = self._tool(tool_name)
        wanted = _properties(tool).get(parameter) if tool else None
        return wanted.get("type") if isinstance(wanted, dict) else None

    def _tool(self, name: str) -> Tool | None:
        name = name.strip()
        bare = name.removeprefix(_PREFIX)
        return self._tools.get(name) or self._tools.get(bare) or self._in_lower_case.get(bare.lower())


def _properties(tool: Tool) -> Mapping[str, Any]:
    properties = tool.schema.get("properties")
    return properties if isinstance(properties, Mapping) else {}


def _arguments(tool: Tool, value: Any) -> tuple[str, bool]:
    """Arguments as JSON that the schema of *tool* admits, and whether they had to be changed. Raises `Unfit`."""
    try:
        fitted = fit(_object(value), compiled(tool.schema, any_pattern=True))
        return dump_json(fitted.value), fitted.mended or isinstance(value, str)
    except (Broken, Unfit) as error:
        raise Unfit(f"the arguments of {tool.name}: {error}") from None


def _object(value: Any) -> dict[str, Any]:
    """Arguments as an object, also where they are the JSON text of one. Raises `Broken` or `Unfit`."""
    if isinstance(value, str):
        value = read_json(value).value if value.strip() else None
    if value is None or value == []:  # of a tool that takes none
        return {}
    if not isinstance(value, dict):
        raise Unfit("an object is wanted")
    return value


def _free_text(value: Any) -> str:
    """The input of a custom tool: as the one argument, or as it is."""
    if isinstance(value, dict) and ("input" in value or len(value) == 1):
        value = value["input"] if "input" in value else next(iter(value.values()))
    if isinstance(value, str):
        return value
    return "" if value is None else dump_json(value)


def _spellings(offer: Offer) -> dict[str, Tool]:
    """Every name by which a model may mean one of the tools."""
    spellings: dict[str, Tool] = {}
    for tool in offer.tools:
        if tool.namespace:
            spellings[joined(tool.namespace, tool.name)] = spellings[f"{tool.namespace}.{tool.name}"] = tool
    return {**spellings, **offer.labels}


def _in_lower_case(spellings: Mapping[str, Tool]) -> dict[str, Tool | None]:
    """The same in lower case, for small models, which do not keep to the case of names; None where two are alike."""
    found: dict[str, Tool | None] = {}
    for spelling, tool in spellings.items():
        found[spelling.lower()] = None if spelling.lower() in found else tool
    return found
