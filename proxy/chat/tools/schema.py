"""JSON schemas of clients: whether they are any, whether a value fits, and what does not.

`jsonschema-rs` is hundreds of times quicker than `jsonschema`, its patterns run in bounded time (`re` hangs on
`(a+)+$`), and it can be told to fetch nothing. What it does not bound is bounded here: deep values overflow its stack,
and its account of what is wrong grows exponentially where a schema refers to itself in alternatives, though the bare
verdict does not.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import orjson

from proxy.chat.tools.cache import Cache

if TYPE_CHECKING:
    from jsonschema_rs import ValidationError, Validator

MAX_DEPTH = 100  # of a schema and of a value
_MAX_WEIGHT = 200_000  # subschemas, those that are referred to counted each time: a verdict stays below 10 ms
_MAX_EXPLAINED = 1_000  # ways in which a value may be wrong; beyond, only the verdict is told
_MAX_COMPARED = 1_000_000  # parts of a value, each with every subschema
_MAX_FAULTS = 3
_BACKTRACKING = 20_000  # steps of one pattern with look-around
_MAX_UNREADABLE = 32  # patterns of one schema that may be passed over
_EARLIER = ("http://json-schema.org/draft-07/schema#", "http://json-schema.org/draft-04/schema#")


class NotASchema(ValueError):
    """It is no JSON schema, or none that can be kept to here; the text says why."""


class _OtherDialect(NotASchema):
    """It is none of the dialect that it names, or of today's."""


class Schema:
    """One schema, compiled."""

    def __init__(self, definition: Mapping[str, Any] | bool, *, any_pattern: bool = False) -> None:
        """Raises `NotASchema`."""
        if too_deep(definition):
            raise NotASchema(f"it is nested more than {MAX_DEPTH} levels deep")
        self.definition = definition
        try:
            self._references = _References(definition)
        except RecursionError:
            raise NotASchema("its references lead too deep") from None
        if self._references.weight > _MAX_WEIGHT:
            raise NotASchema("its references unfold to too many subschemas")
        self._validator = _compile(definition, _MAX_UNREADABLE if any_pattern else 0)

    def admits(self, value: Any) -> bool:
        """Whether *value*, made of what JSON can say, fits."""
        return not too_deep(value) and self._validator.is_valid(value)

    def faults(self, value: Any) -> "list[ValidationError]":
        """What is wrong with *value*, the first few; none where it fits, or where it takes too long to tell."""
        if self.admits(value) or not self._explains(value):
            return []
        return list(islice(self._validator.iter_errors(value), _MAX_FAULTS))

    def at(self, path: list[str | int]) -> Any:
        """The part of the schema at *path*, in which `$ref` leads to what is referred to; None if there is none."""
        node: Any = self.definition
        for key in path:
            try:
                node = self.referred(node[key]) if key == "$ref" else node[key]
            except (KeyError, IndexError, TypeError):
                return None
        return node

    def referred(self, target: Any) -> Any:
        """The part of the schema that the reference *target* is to; None if there is none."""
        return next(iter(self._references.find(target)), None) if isinstance(target, str) else None

    def _explains(self, value: Any) -> bool:
        depth, size = _measures(value)
        references = self._references
        if depth > MAX_DEPTH or references.weight > _MAX_EXPLAINED or references.weight * size > _MAX_COMPARED:
            return False
        return not references.are_circular or references.count**depth <= _MAX_EXPLAINED


def compiled(definition: Mapping[str, Any] | bool, *, any_pattern: bool = False) -> Schema:
    """The schema *definition*, from the cache if it was seen before. Raises `NotASchema`.

    *any_pattern*: patterns that cannot be read here, such as Python's, or those that only old scripts of the web may
    have, are not checked. Tools of strangers hold such, and one of them is no reason to refuse all the others.
    """
    try:
        spelled = orjson.dumps(definition)
    except TypeError as error:
        raise NotASchema(f"it cannot be written as JSON: {error}") from None
    found = _schemas.get((spelled, any_pattern))
    if found is None:
        found = Schema(definition, any_pattern=any_pattern)
        _schemas.put((spelled, any_pattern), found, len(spelled))
    return found


_schemas: Cache[tuple[bytes, bool], Schema] = Cache(2_000_000)


def too_deep(value: Any) -> bool:
    """Whether *value* has more levels than `MAX_DEPTH`."""
    return _measures(value)[0] > MAX_DEPTH


def _measures(value: Any) -> tuple[int, int]:
    """How many levels and parts *value* has, counted no further than what is too many levels."""
    level, depth, size = [value], 0, 1
    while depth <= MAX_DEPTH:
        level = [child for node in level for child in _children(node)]
        if not level:
            break
        depth, size = depth + 1, size + len(level)
    return depth, size


def _children(node: Any) -> Iterator[Any]:
    if isinstance(node, Mapping):
        return iter(node.values())
    return iter(node) if isinstance(node, list) else iter(())


def _compile(definition: Mapping[str, Any] | bool, passed_over: int) -> "Validator":
    """*passed_over*: so many patterns may be left unchecked.

    Where the definition names no dialect and is none of today's, it may be one of an earlier.
    """
    try:
        return _compile_as_named(definition, passed_over)
    except _OtherDialect:
        if isinstance(definition, Mapping) and "$schema" not in definition:
            for dialect in _EARLIER:
                with suppress(NotASchema):
                    return _compile_as_named({**definition, "$schema": dialect}, passed_over)
        raise


def _compile_as_named(definition: Mapping[str, Any] | bool, passed_over: int) -> "Validator":
    import jsonschema_rs

    options = jsonschema_rs.FancyRegexOptions(backtrack_limit=_BACKTRACKING, size_limit=1_000_000)
    known = _with_known_dialect(dict(definition)) if isinstance(definition, Mapping) else definition
    while True:
        try:
            # `format` is an annotation, as the specification has it.
            return jsonschema_rs.validator_for(known, offline=True, validate_formats=False, pattern_options=options)
        except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
            place = _unreadable_pattern(error) if passed_over and isinstance(known, dict) else None
            if place is None:
                fault = getattr(getattr(error, "kind", None), "name", "$ref")
                raise (NotASchema if fault == "$ref" else _OtherDialect)(
                    str(getattr(error, "message", error)).partition("\n")[0][:300]
                ) from None
        passed_over -= 1
        known = _without(known, place)


def _unreadable_pattern(error: Exception) -> Sequence[str | int] | None:
    """The place of the pattern that *error* is about, if it is about one."""
    kind, place = getattr(error, "kind", None), getattr(error, "instance_path", [])
    return place if kind is not None and kind.name == "format" and place[-1:] == ["pattern"] else None


def _without(node: Any, path: Sequence[str | int]) -> Any:
    """A copy of *node* that lacks what is at *path*."""
    step, *rest = path
    if isinstance(node, list):
        return [_without(child, rest) if at == step else child for at, child in enumerate(node)]
    return {key: _without(child, rest) if key == step else child for key, child in node.items() if rest or key != step}


def _with_known_dialect(definition: dict[str, Any]) -> dict[str, Any]:
    """*definition* without a `$schema` that is none of the published ones: it cannot be fetched."""
    dialect = definition.get("$schema")
    if isinstance(dialect, str) and "json-schema.org/draft" not in dialect:
        del definition["$schema"]
    return definition


class _References:
    """What the references of a schema lead to, and how many subschemas it unfolds to (*weight*).

    What a reference may mean depends on the dialect, and on the `$id` around it. Of all that it may mean here, the
    heaviest counts.
    """

    def __init__(self, root: Any) -> None:
        self._root = root
        self._resources = [root]  # in which a pointer may begin
        self._anchors: dict[str, list[Any]] = {}
        self._known: dict[str, int] = {}
        self._open: set[str] = set()
        self.count = 0
        self.are_circular = False
        self._note_names(root)
        self.weight = self._weigh(root, 0)

    def _note_names(self, node: Any) -> None:
        if isinstance(node, Mapping):
            names = [node.get(key) for key in ("$id", "id", "$anchor", "$dynamicAnchor")]
            if any(isinstance(name, str) for name in names[:2]) and node is not self._root:
                self._resources.append(node)
            for name in names:
                if isinstance(name, str):
                    self._anchors.setdefault(unquote(name.rpartition("#")[2]), []).append(node)
        for child in _children(node):
            self._note_names(child)

    def _weigh(self, node: Any, depth: int) -> int:
        weight = 1
        if isinstance(node, Mapping):
            for key in ("$ref", "$dynamicRef", "$recursiveRef"):
                target = node.get(key)
                if isinstance(target, str):
                    self.count += 1
                    weight += self._refer(target, depth)
        for child in _children(node):
            weight = min(weight + self._weigh(child, depth), _MAX_WEIGHT + 1)
        return weight

    def _refer(self, target: str, depth: int) -> int:
        if target in self._open or depth > MAX_DEPTH:
            self.are_circular = True
            return 1
        if target not in self._known:
            self._open.add(target)
            self._known[target] = max((self._weigh(node, depth + 1) for node in self.find(target)), default=1)
            self._open.discard(target)
        return self._known[target]

    def find(self, target: str) -> list[Any]:
        """All that *target* may mean."""
        fragment = unquote(target.partition("#")[2])
        if fragment and not fragment.startswith("/"):
            return self._anchors.get(fragment, [])
        steps = [part.replace("~1", "/").replace("~0", "~") for part in fragment.split("/")[1:]]
        return [node for resource in self._resources if (node := _at(resource, steps)) is not None]


def _at(node: Any, steps: Sequence[str]) -> Any:
    for step in steps:
        if isinstance(node, Mapping):
            node = node.get(step)
        elif isinstance(node, list) and step.isdecimal() and int(step) < len(node):
            node = node[int(step)]
        else:
            return None
    return node
