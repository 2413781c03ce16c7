"""A model that does whatever it may: it calls a tool where there is one, and gives JSON where that is asked for.

For those that judge an API by their own prompts, which name no script. Arguments and answers are made up by their
schema, from the numbers and the quoted words of the prompt where there are some.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from tests.site.agent.told import Told, conversation, told
from tests.site.agent.writing import ANSWERS, CALLS
from tests.site.records import Message

_RESULT = re.compile(r"\[(?:result|error) of .+?\]$", re.MULTILINE)
_NUMBER = re.compile(r"-?\d+")
_QUOTED = re.compile(r"""["'「]([^"'「」\n]+)["'」]""")


def comply(messages: Sequence[Message]) -> str | None:
    """The answer to *messages*, all the model knows; None where it is asked for nothing but words."""
    spoken = conversation(messages)
    known = told(spoken)
    asked = next((message["content"] for message in reversed(spoken) if message["role"] == "user"), "")
    tool = _tool(known, asked)
    if tool is not None:
        return CALLS["asked"]([(tool, _Maker(asked).value(known.tools[tool]["parameters"]))])
    if known.schema is not None:
        return ANSWERS["asked"](_Maker(asked).value(known.schema))
    return ANSWERS["asked"](_Maker(asked).free_object()) if known.wants_object else None


def _tool(known: Told, asked: str) -> str | None:
    """The tool to call: the chosen one, one that the prompt names, or the first; none once there is a result."""
    if known.choice in known.tools:
        return known.choice
    if not known.tools or known.choice == "none" or (known.choice == "auto" and _RESULT.match(asked)):
        return None
    return next((name for name in known.tools if name in asked), next(iter(known.tools)))


class _Maker:
    """Makes values up; each number and quoted word of the prompt is used once, and the last one from then on."""

    def __init__(self, prompt: str) -> None:
        self._prompt = prompt
        self._numbers = _kept(_NUMBER.findall(prompt), "1")
        self._words = _kept(_QUOTED.findall(prompt), "something")

    def value(self, schema: Any, root: Any = None) -> Any:
        """A value that fits *schema*, as far as judges' schemas go."""
        root = schema if root is None else root
        if not isinstance(schema, dict):
            return next(self._words)
        if "$ref" in schema:
            return self.value(_resolved(root, schema["$ref"]), root)
        if "const" in schema or "enum" in schema:
            return schema["const"] if "const" in schema else schema["enum"][0]
        for key in ("anyOf", "oneOf", "allOf"):
            if key in schema:
                return self.value(schema[key][0], root)
        return self._typed(schema, root)

    def free_object(self) -> dict[str, Any]:
        """An object with the quoted words as keys."""
        return {word: f"A {word}." for word in _QUOTED.findall(self._prompt)} or {"answer": "yes"}

    def _typed(self, schema: dict[str, Any], root: Any) -> Any:
        kind = schema.get("type", "object" if "properties" in schema else "string")
        kind = kind[0] if isinstance(kind, list) else kind
        if kind == "object":
            properties = schema.get("properties", {})
            wanted = [name for name in properties if name in schema.get("required", ()) or name in self._prompt]
            return {name: self.value(properties[name], root) for name in wanted}
        if kind == "array":
            return [self.value(schema.get("items"), root) for _ in range(max(1, schema.get("minItems", 1)))]
        if kind in ("integer", "number"):
            return int(next(self._numbers))
        return {"boolean": True, "null": None}.get(kind) if kind in ("boolean", "null") else next(self._words)


def _kept(found: Sequence[str], otherwise: str) -> Iterator[str]:
    yield from found[:-1]
    while True:
        yield found[-1] if found else otherwise


def _resolved(root: Any, reference: str) -> Any:
    found = root
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found
