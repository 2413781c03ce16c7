"""Structured output: extracts the JSON from an answer, repairs it and checks it against the schema."""

import re
from collections.abc import Iterator
from itertools import islice

from proxy.chat.tools.coercion import SchemaMismatch, coerce
from proxy.chat.tools.definitions import OutputFormat
from proxy.chat.tools.json_scanner import JsonScanner
from proxy.chat.tools.loose_json import MalformedJson, Repaired, dump_json, read_loose_json
from proxy.chat.tools.schema import compile_schema

_MAX_TRIED = 8  # places where the JSON may begin
_FENCE = re.compile(r"^[ ]{0,3}```[ \t]*(?:json[5c]?)?[ \t]*\r?\n", re.MULTILINE | re.IGNORECASE)
_FENCE_END = re.compile(r"^[ ]{0,3}```[ \t]*$", re.MULTILINE)
_OPEN = re.compile(r"[{\[]")
_ANY_OBJECT = {"type": "object"}


def read_structured_output(text: str, output_format: OutputFormat, *, cut: bool = False) -> Repaired:
    """Return the JSON text in *text* that fits *output_format*. Raises `SchemaMismatch`.

    *cut*: the answer ended before the model was done, so that nothing is added to it.
    """
    schema = compile_schema(_ANY_OBJECT if output_format.schema is None else output_format.schema)
    problem = ""
    for candidate, is_enclosed in _after_reasoning(text):
        try:
            content, repaired = read_loose_json(candidate, close=is_enclosed and not cut)
            fitted = coerce(content, schema)
            return Repaired(dump_json(fitted.value), repaired or fitted.repaired)
        except (MalformedJson, SchemaMismatch) as error:
            problem = problem or str(error)
    raise SchemaMismatch(problem or "there is no JSON in the answer")


def _after_reasoning(text: str) -> Iterator[tuple[str, bool]]:
    """As `_candidates`, but first without the reasoning, which may hold other JSON. Some models do not mark its
    beginning."""
    stripped, (_, end, after) = text.lstrip(), text.partition("</think>")
    if stripped.startswith("<think>"):
        yield from _candidates(after or text)
        return
    if end and stripped[0] not in "{[`":  # there it may be a part of the JSON
        yield from _candidates(after)
    yield from _candidates(text)


def _candidates(text: str) -> Iterator[tuple[str, bool]]:
    """Where the JSON may be, the most likely first; and whether it is enclosed, so that its end is known."""
    stripped = text.strip()
    if stripped[:1] not in ("", "`"):
        yield stripped, stripped[-1] in "}]"  # a number or a word at the end may be half of one
    for fence in islice(_FENCE.finditer(text), _MAX_TRIED):
        body = _fence_body(text, fence.end())
        is_closed = fence.end() + len(body) < len(text)
        if json := body.strip():
            yield json, is_closed or json[-1] in "}]"  # then nothing but brackets can be missing
    position = 0
    for _ in range(_MAX_TRIED):
        match = _OPEN.search(text, position)
        if match is None:
            return
        end = JsonScanner().feed(text[match.start() :])
        position = match.start() + end if end > 0 else match.end()
        if end > 0:
            yield text[match.start() : position], False


def _fence_body(text: str, start: int) -> str:
    """The body of the fence that begins at *start*; a closing fence within a string of the JSON does not count."""
    end = JsonScanner().feed(text[start:])
    if end > 0 and _FENCE_END.match(text[start + end :].lstrip()):
        return text[start : start + end]
    closing = _FENCE_END.search(text, start)
    return text[start : closing.start()] if closing else text[start:]
