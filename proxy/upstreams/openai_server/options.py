"""What a client may choose of how a model answers, by its names on the wire of chat completions."""

from collections.abc import Mapping
from typing import Any

from proxy.chat.ask import EFFORT, SAMPLING, Ask, Image, media_of_last_turn
from proxy.chat.tools.definitions import ToolChoice

SPELLED = {"reasoning": "reasoning_effort", "text.verbosity": "verbosity"}  # in the Responses API
# What is left out where a model refuses it; an effort is refused by its value alone.
_OPTIONAL = (*(name for name in SAMPLING if name != "reasoning_effort"), "tool_choice", "parallel_tool_calls")
_BUDGETS = ((4096, "high"), (2048, "medium"))  # what Anthropic's budgets of tokens mean; servers know no budgets
_EFFORTS = {"xhigh": "high", "max": "high"}  # and of its efforts those that most servers do not know


def sent_options(ask: Ask) -> dict[str, str]:
    """By their names on the wire, those of `_OPTIONAL` that *ask* has, as its client names them."""
    found = {wire: name for name in ask.parameters if (wire := SPELLED.get(name, name)) in _OPTIONAL}
    config = ask.tool_config
    if config is not None and config.tools:
        found |= {} if config.choice == ToolChoice() else {"tool_choice": "tool_choice"}
        found |= {} if config.parallel else {"parallel_tool_calls": "parallel_tool_calls"}
    return found


def own_effort(parameters: Mapping[str, Any]) -> tuple[str, str] | None:
    """The reasoning effort in OpenAI's *parameters*, behind its name there."""
    reasoning = parameters.get("reasoning")
    effort = reasoning.get("effort") if isinstance(reasoning, dict) else None
    found = (("reasoning", effort), ("reasoning_effort", parameters.get("reasoning_effort")))
    return next(((name, value) for name, value in found if isinstance(value, str)), None)


def effort_in(parameters: Mapping[str, Any]) -> str | None:
    """The reasoning effort in the *parameters* of any API; None: the model's default."""
    if own := own_effort(parameters):
        return own[1]
    thinking, effort = parameters.get("thinking"), parameters.get(EFFORT)
    kind = thinking.get("type") if isinstance(thinking, dict) else None
    if effort is not None:
        return _EFFORTS.get(effort, effort) if kind != "disabled" else None
    budget = thinking.get("budget_tokens") if isinstance(thinking, dict) and kind == "enabled" else None
    return next((name for least, name in _BUDGETS if budget >= least), "low") if isinstance(budget, int) else None


def has_tools(ask: Ask) -> bool:
    """Whether *ask* has tools of its client's."""
    return ask.tool_config is not None and bool(ask.tool_config.tools)


def has_pictures_of_before(ask: Ask) -> bool:
    """Whether *ask* has pictures and no other media, and the last turn is not about them."""
    are_pictures = all(isinstance(each, Image) for each in ask.media.values())
    return bool(ask.media) and are_pictures and not media_of_last_turn(ask.messages)
