"""Read the tokens that a server reports."""

from typing import Any

from proxy.chat.tokens import Usage


def read_usage(usage: Any) -> Usage | None:
    """The counts in the `usage` of a chunk or an answer; None where it has none."""
    prompt, completion = (
        (usage.get(name) for name in ("prompt_tokens", "completion_tokens")) if isinstance(usage, dict) else (0, 0)
    )
    if isinstance(prompt, int) and isinstance(completion, int) and prompt + completion > 0:
        cached = _detail(usage, "prompt_tokens_details", "cached_tokens")
        thought = _detail(usage, "completion_tokens_details", "reasoning_tokens")
        return Usage(max(prompt, 0), max(completion, 0), cached, thought)
    return None


def _detail(usage: dict[str, Any], group: str, name: str) -> int:
    """A count in a *group* of the usage, which many servers leave out."""
    details = usage.get(group)
    count = details.get(name) if isinstance(details, dict) else 0
    return max(count, 0) if isinstance(count, int) else 0
