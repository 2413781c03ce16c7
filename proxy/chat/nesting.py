"""How deep values of JSON are nested: what is nested too deep is refused, before anything recurses into it."""

from collections.abc import Iterator, Mapping
from typing import Any

MAX_DEPTH = 100  # levels


def is_too_deep(value: Any) -> bool:
    """Whether *value* has more than `MAX_DEPTH` levels."""
    return measure(value)[0] > MAX_DEPTH


def measure(value: Any) -> tuple[int, int]:
    """Number of levels and of nodes in *value*, up to the first level that is too deep."""
    level, depth, size = [value], 0, 1
    while depth <= MAX_DEPTH:
        level = [child for node in level for child in children(node)]
        if not level:
            break
        depth, size = depth + 1, size + len(level)
    return depth, size


def children(node: Any) -> Iterator[Any]:
    """The values that *node* holds, without those in them."""
    if isinstance(node, Mapping):
        return iter(node.values())
    return iter(node) if isinstance(node, list) else iter(())
