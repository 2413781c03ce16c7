"""JSON schemas of clients: compiling them, validating values, and describing errors.

`jsonschema-rs` is hundreds of times faster than `jsonschema`, its patterns run in bounded time (`re` hangs on
`(a+)+$`), and it can be kept from fetching anything. What it does not bound is bounded here: deep values overflow
its stack, and its list of errors grows exponentially where a schema refers to itself in alternatives, though the
bare verdict does not.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import orjson

from proxy.chat.nesting import MAX_DEPTH, children, is_too_deep, measure
from proxy.chat.tools.cache import Cache

if TYPE_CHECKING:
    from jsonschema_rs import ValidationError, Validator

_MAX_WEIGHT = 200_000  # subschemas, with those of references: validation stays below 10 ms
_MAX_EXPLAINED = 1_000  # possible errors of a value; beyond, they are not listed
_MAX_COMPARED = 1_000_000  # parts of a value, each with every subschema
_MAX_ERRORS = 3
_BACKTRACKING = 20_000  # steps of one pattern with look-around
_MAX_UNREADABLE = 32  # patterns of one schema that may be passed over
_EARLIER = ("http://json-schema.org/draft-07/schema#", "http://json-schema.org/draft-04/schema#")


class InvalidSchema(ValueError):
    """It is no JSON schema, or not a supported one; the message says why."""


class _OtherDialect(InvalidSchema):
    """It is not valid in the dialect that it names, or in the current one."""


class _LostReference(InvalidSchema):
    """A reference in it leads to nothing."""


class Schema:
    """A compiled schema."""

    def __init__(self, definition: Mapping[str, Any] | bool, *, any_pattern: bool = False) -> None:
        """Raises `InvalidSchema`."""
        if is_too_deep(definition):
            raise InvalidSchema(f"it is nested more than {MAX_DEPTH} levels deep")
        self.definition = definition
        try:
            self._references = _References(definition)
        except RecursionError:
            raise InvalidSchema("its references lead too deep") from None
        if self._references.size > _MAX_WEIGHT:
            raise InvalidSchema("its references unfold to too many subschemas")
        skippable = _MAX_UNREADABLE if any_pattern else 0
        try:
            self._validator = _compile(definition, skippable)
        except _LostReference:
            self._validator = _compile(_with_pointers(definition), skippable)

    def is_valid(self, value: Any) -> bool:
        """Whether *value*, which consists of JSON types, is valid."""
        return not is_too_deep(value) and self._validator.is_valid(value)

    def errors(self, value: Any) -> "list[ValidationError]":
        """The first few errors of *value*; none where it is valid, or where finding them would take too long."""
        if self.is_valid(value) or not self._can_explain(value):
            return []
        return list(islice(self._validator.iter_errors(value), _MAX_ERRORS))

    def subschema(self, path: list[str | int]) -> Any:
        """The subschema at *path*, following `$ref`; None if there is none."""
        node: Any = self.definition
        for key in path:
            try:
                node = self.resolve_ref(node[key]) if key == "$ref" else node[key]
            except (KeyError, IndexError, TypeError):
                return None
        return node

    def resolve_ref(self, target: Any) -> Any:
        """The subschema that the reference *target* leads to; None if there is none."""
        return next(iter(self._references.find(target)), None) if isinstance(target, str) else None

    def _can_explain(self, value: Any) -> bool:
        depth, size = measure(value)
        references = self._references
        if depth > MAX_DEPTH or references.size > _MAX_EXPLAINED or references.size * size > _MAX_COMPARED:
            return False
        return not references.are_circular or references.count**depth <= _MAX_EXPLAINED


def compile_schema(definition: Mapping[str, Any] | bool, *, any_pattern: bool = False) -> Schema:
    """Compile *definition*, or take it from the cache. Raises `InvalidSchema`.

    *any_pattern*: patterns that cannot be compiled, such as Python's or old JavaScript's, are not checked.
    Third-party tools have such, and one of them is no reason to refuse all the others.
    """
    try:
        serialized = orjson.dumps(definition)
    except TypeError as error:
        raise InvalidSchema(f"it cannot be written as JSON: {error}") from None
    schema = _schemas.get((serialized, any_pattern))
    if schema is None:
        schema = Schema(definition, any_pattern=any_pattern)
        _schemas.put((serialized, any_pattern), schema, len(serialized))
    return schema


_schemas: Cache[tuple[bytes, bool], Schema] = Cache(2_000_000)


def _compile(definition: Mapping[str, Any] | bool, skippable: int) -> "Validator":
    """Compile *definition*; up to *skippable* patterns may be left unchecked.

    A definition that names no dialect, and is not valid in the current one, is tried in earlier ones.
    """
    try:
        return _compile_as_named(definition, skippable)
    except _OtherDialect:
        if isinstance(definition, Mapping) and "$schema" not in definition:
            for dialect in _EARLIER:
                with suppress(InvalidSchema):
                    return _compile_as_named({**definition, "$schema": dialect}, skippable)
        raise


def _compile_as_named(definition: Mapping[str, Any] | bool, skippable: int) -> "Validator":
    import jsonschema_rs

    options = jsonschema_rs.FancyRegexOptions(backtrack_limit=_BACKTRACKING, size_limit=1_000_000)
    schema = _with_known_dialect(dict(definition)) if isinstance(definition, Mapping) else definition
    while True:
        try:
            # `format` is an annotation, as the specification has it.
            return jsonschema_rs.validator_for(schema, offline=True, validate_formats=False, pattern_options=options)
        except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
            path = _unreadable_pattern(error) if skippable and isinstance(schema, dict) else None
            if path is None:
                kind = getattr(getattr(error, "kind", None), "name", "$ref")
                raise (_LostReference if kind == "$ref" else _OtherDialect)(
                    str(getattr(error, "message", error)).partition("\n")[0][:300]
                ) from None
        skippable -= 1
        schema = _without(schema, path)


def _unreadable_pattern(error: Exception) -> Sequence[str | int] | None:
    """The path of the pattern that *error* is about, if it is about one."""
    kind, path = getattr(error, "kind", None), getattr(error, "instance_path", [])
    return path if kind is not None and kind.name == "format" and path[-1:] == ["pattern"] else None


def _without(node: Any, path: Sequence[str | int]) -> Any:
    """A copy of *node* without the node at *path*."""
    step, *rest = path
    if isinstance(node, list):
        return [_without(child, rest) if at == step else child for at, child in enumerate(node)]
    return {key: _without(child, rest) if key == step else child for key, child in node.items() if rest or key != step}


def _with_pointers(node: Any) -> Any:
    """A copy of *node* in which references by a bare path (`/$defs/Name`) are pointers: some clients omit the `#`."""
    if isinstance(node, list):
        return [_with_pointers(child) for child in node]
    if not isinstance(node, Mapping):
        return node
    copy = {key: _with_pointers(child) for key, child in node.items()}
    target = copy.get("$ref")
    return {**copy, "$ref": f"#{target}"} if isinstance(target, str) and target.startswith("/") else copy


def _with_known_dialect(definition: dict[str, Any]) -> dict[str, Any]:
    """*definition* without a `$schema` that is not a published one: it cannot be fetched."""
    dialect = definition.get("$schema")
    if isinstance(dialect, str) and "json-schema.org/draft" not in dialect:
        del definition["$schema"]
    return definition


class _References:
    """The references of a schema, and the number of subschemas that it unfolds to (`size`).

    The target of a reference depends on the dialect, and on the `$id` around it. Of all possible targets the
    largest counts.
    """

    def __init__(self, root: Any) -> None:
        self._root = root
        self._resources = [root]  # in which a pointer may begin
        self._anchors: dict[str, list[Any]] = {}
        self._sizes: dict[str, int] = {}
        self._visiting: set[str] = set()
        self.count = 0
        self.are_circular = False
        self._index_anchors(root)
        self.size = self._count_subschemas(root, 0)

    def _index_anchors(self, node: Any) -> None:
        if isinstance(node, Mapping):
            names = [node.get(key) for key in ("$id", "id", "$anchor", "$dynamicAnchor")]
            if any(isinstance(name, str) for name in names[:2]) and node is not self._root:
                self._resources.append(node)
            for name in names:
                if isinstance(name, str):
                    self._anchors.setdefault(unquote(name.rpartition("#")[2]), []).append(node)
        for child in children(node):
            self._index_anchors(child)

    def _count_subschemas(self, node: Any, depth: int) -> int:
        weight = 1
        if isinstance(node, Mapping):
            for key in ("$ref", "$dynamicRef", "$recursiveRef"):
                target = node.get(key)
                if isinstance(target, str):
                    self.count += 1
                    weight += self._count_referred(target, depth)
        for child in children(node):
            weight = min(weight + self._count_subschemas(child, depth), _MAX_WEIGHT + 1)
        return weight

    def _count_referred(self, target: str, depth: int) -> int:
        if target in self._visiting or depth > MAX_DEPTH:
            self.are_circular = True
            return 1
        if target not in self._sizes:
            self._visiting.add(target)
            self._sizes[target] = max(
                (self._count_subschemas(node, depth + 1) for node in self.find(target)), default=1
            )
            self._visiting.discard(target)
        return self._sizes[target]

    def find(self, target: str) -> list[Any]:
        """All nodes that *target* may mean."""
        fragment = unquote(target if target.startswith("/") else target.partition("#")[2])
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
