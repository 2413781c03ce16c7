"""A model that calls a tool whenever there is one, and answers with JSON whenever that is requested.

For those that judge an API by their own prompts, which name no script. Arguments and answers are made up by their
schema, from the numbers and the quoted words of the prompt where there are some.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from tests.site.agent.instructions import Instructions, conversation, read_instructions
from tests.site.agent.writing import ANSWERS, CALLS
from tests.site.records import Message

_RESULT = re.compile(r"\[(?:result|error) of .+?\]$", re.MULTILINE)
_NUMBER = re.compile(r"-?\d+")
_QUOTED = re.compile(r"""["'「]([^"'「」\n]+)["'」]""")


def comply(messages: Sequence[Message]) -> str | None:
    """Answer *messages* with a call or JSON; None where plain text is requested."""
    history = conversation(messages)
    instructions = read_instructions(history)
    prompt = next((message["content"] for message in reversed(history) if message["role"] == "user"), "")
    tool = _tool(instructions, prompt)
    if tool is not None:
        return CALLS["asked"]([(tool, _Maker(prompt).value((instructions.tools[tool] or {}).get("parameters")))])
    if instructions.schema is not None:
        return ANSWERS["asked"](_Maker(prompt).value(instructions.schema))
    return ANSWERS["asked"](_Maker(prompt).free_object()) if instructions.wants_object else None


def _tool(instructions: Instructions, prompt: str) -> str | None:
    """The tool to call: the chosen one, one that the prompt names, or the first; none once there is a result."""
    if instructions.choice in instructions.tools:
        return instructions.choice
    if (
        not instructions.tools
        or instructions.choice == "none"
        or (instructions.choice == "auto" and _RESULT.match(prompt))
    ):
        return None
    return next((name for name in instructions.tools if name in prompt), next(iter(instructions.tools)))


class _Maker:
    """Generates values from the numbers and quoted words of the prompt: each once, then the last one again."""

    def __init__(self, prompt: str) -> None:
        self._prompt = prompt
        self._numbers = _cycle(_NUMBER.findall(prompt), "1")
        self._words = _cycle(_QUOTED.findall(prompt), "something")

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
            chosen = [name for name in properties if name in schema.get("required", ()) or name in self._prompt]
            return {name: self.value(properties[name], root) for name in chosen}
        if kind == "array":
            return [self.value(schema.get("items"), root) for _ in range(max(1, schema.get("minItems", 1)))]
        if kind in ("integer", "number"):
            return int(next(self._numbers))
        return {"boolean": True, "null": None}.get(kind) if kind in ("boolean", "null") else next(self._words)


def _cycle(found: Sequence[str], otherwise: str) -> Iterator[str]:
    yield from found[:-1]
    while True:
        yield found[-1] if found else otherwise


def _resolved(root: Any, reference: str) -> Any:
    found = root
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found
