"""How servers differ from OpenAI's API, and what their complaints tell of it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from proxy.chat.ask import EFFORT, HINTS, SAMPLING, Ask
from proxy.chat.extras import CALL_SIGNATURE, DETAILS, REASONING_TEXTS
from proxy.chat.tools.definitions import ToolChoice
from proxy.upstreams.openai_server.message_order import Order, asks_more, wanted_order

SPELLED = {"reasoning": "reasoning_effort", "text.verbosity": "verbosity"}  # in the Responses API
_BUDGETS = ((4096, "high"), (2048, "medium"))  # what Anthropic's budgets of tokens mean; servers know no budgets
_EFFORTS = {"xhigh": "high", "max": "high"}  # and of its efforts those that most servers do not know
BESIDE_PROMPT = "maximum context length"  # of a limit too: together with the prompt it is more than fits
_ID_RULE = "must be a-z, A-Z, 0-9, with a length of 9"  # of calls' ids, as Mistral's servers and vLLM tell it
_FORM_RULE = "'response_format.type' must be 'json_schema'"  # LM Studio's
_UNKNOWN_FIELD = ("extra_forbidden", "unsupported")  # Mistral's words for it, and Groq's
# What is left out where a model refuses it, as the wire names it; an effort by its value alone.
_OPTIONAL = (*(name for name in SAMPLING if name != "reasoning_effort"), "tool_choice", "parallel_tool_calls")
_refuses = re.compile(  # the parameters that it names, or all values but the default
    r"not support|unsupported|only \S+ is allowed|deprecated|extra_forbidden|not permitted|unknown (?:name|parameter)"
    "|unrecognized request argument|found that support",
    re.IGNORECASE,
).search
_NEAREST = {"max": "high", "xhigh": "high", "none": "low", "minimal": "low"}  # of efforts, for one that it refuses
_is_of_effort = re.compile(r"(?!.*(?:tool|reasoning_content)).*(?:reasoning|think)", re.IGNORECASE | re.DOTALL).match
_is_missing = re.compile("missing|must be passed back", re.IGNORECASE).search  # Moonshot's words, and DeepSeek's
_lacks_tools = re.compile(
    "not support (?:tools|function calling|tool use)|n't support tool use"  # Ollama, DeepSeek, xAI and Bedrock
    "|requires --enable-auto-tool-choice|tools param requires --jinja"  # vLLM and llama.cpp
    "|tool calling`? is not supported|tools is not supported in this model|unsupported tool use"  # Groq, OpenAI, Azure
    "|function calling is not enabled|found that support tool use",  # Google and OpenRouter
    re.IGNORECASE,
).search
_refuses_stop = re.compile("'stop' is not supported|not supported on this model: stop").search  # OpenAI's, and xAI's
_find_most = re.compile(  # how OpenAI, DeepSeek and Alibaba, Groq, Volcengine and Anthropic tell the largest limit
    r"(?:at most|range of max_tokens (?:is|should be) \[1,|less than or equal to|value <=|max_tokens: [0-9]+ >)"
    " ?`?([0-9]{1,9})",
    re.IGNORECASE,
).search


@dataclass(frozen=True, slots=True)
class Quirks:
    """How one server differs from OpenAI's API, learned from its complaints."""

    limit_field: str = "max_tokens"
    most_tokens: int | None = None  # that a limit may have, where it is known
    takes_usage_option: bool = True  # `stream_options.include_usage`
    refused_efforts: frozenset[str] = frozenset()  # of reasoning
    reasoning_field: str = REASONING_TEXTS[0]  # of a message that goes back; `THINKING`: parts of its content; "": none
    needs_thoughts: bool = False  # with each answer that goes back, be they empty
    takes_signatures: bool = True  # of calls, back
    marks_unsigned_calls: bool = False  # it refuses calls without a signature or this mark
    takes_any_call_id: bool = True  # else only those of the form that it makes itself
    takes_json_object: bool = True  # a response format without a schema
    order: Order = "any"  # of the messages
    takes_tools: bool = True
    takes_stops: bool = True  # else they are cut here alone
    refused: frozenset[str] = frozenset()  # names among `HINTS` and `_OPTIONAL`, or "tools" of kinds we do not know

    def after_thoughts(self, name: str) -> "Quirks":
        """The quirks after an answer with thoughts under *name*; some servers refuse what they send themselves."""
        if not self.reasoning_field and name == REASONING_TEXTS[0]:
            return self
        return replace(self, reasoning_field=name)

    def after_complaint(self, complaint: str, ask: Ask) -> "Quirks | None":
        """The quirks to try again with after a *complaint* of the server; None: it is about something else."""
        refused = {name for name in HINTS if name in complaint and name in ask.extra_parameters}
        if _refuses(complaint):
            refused |= {name for name in sent_options(ask) if re.search(rf"\b{name}\b", complaint)}
        most, order, thoughts = _most_tokens(complaint), wanted_order(complaint), REASONING_TEXTS[0]
        asked = ask.max_tokens or 0
        effort = self.taken_effort(effort_in(ask.parameters))
        is_unknown = any(word in complaint for word in _UNKNOWN_FIELD)
        learned: tuple[tuple[object, Mapping[str, Any]], ...] = (
            (
                ask.tool_config is not None and ask.tool_config.tools and self.takes_tools and _lacks_tools(complaint),
                {"takes_tools": False, "refused": self.refused | {"tools"}},
            ),
            (refused - self.refused, {"refused": self.refused | refused}),
            (0 < most < min(asked, self.most_tokens or asked), {"most_tokens": most}),
            (asks_more(order, self.order), {"order": order}),
            ("stream_options" in complaint and self.takes_usage_option, {"takes_usage_option": False}),
            (
                "max_completion_tokens" in complaint and self.limit_field == "max_tokens",
                {"limit_field": "max_completion_tokens"},
            ),
            (self.reasoning_field and thoughts in complaint and is_unknown, {"reasoning_field": ""}),
            (not self.needs_thoughts and thoughts in complaint and _is_missing(complaint), {"needs_thoughts": True}),
            (ask.stops and self.takes_stops and _refuses_stop(complaint), {"takes_stops": False}),
            (effort and _is_of_effort(complaint), {"refused_efforts": self.refused_efforts | {effort or ""}}),
            ("thought_signature" in complaint and not self.marks_unsigned_calls, {"marks_unsigned_calls": True}),
            (_ID_RULE in complaint and self.takes_any_call_id, {"takes_any_call_id": False}),
            (_FORM_RULE in complaint and self.takes_json_object, {"takes_json_object": False}),
            (
                self.takes_signatures and (CALL_SIGNATURE in complaint or DETAILS in complaint),
                {"takes_signatures": False},
            ),
        )
        changed = next((fields for applies, fields in learned if applies), None)
        return replace(self, **changed) if changed else None

    def taken_effort(self, effort: str | None) -> str | None:
        """The *effort*, or where it is refused the nearest one; None: the model's default."""
        wanted = (effort, _NEAREST.get(effort or ""))
        return next((each for each in wanted if each and each not in self.refused_efforts), None)

    def left_out(self, ask: Ask) -> list[str]:
        """Names of what the client sent and the server is not, as it refuses that; an effort may be another one."""
        names = [name for wire, name in sent_options(ask).items() if wire in self.refused]
        own = own_effort(ask.parameters)
        return [*names, own[0]] if own and self.taken_effort(own[1]) != own[1] else names


def is_of_request(complaint: str) -> bool:
    """Whether a *complaint* that comes as the server's own failure is about what was asked for."""
    return wanted_order(complaint) != "any" or _lacks_tools(complaint) is not None


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


def _most_tokens(complaint: str) -> int:
    """How many tokens an answer may have, if the *complaint* says it; else 0."""
    found = _find_most(complaint) if "_tokens" in complaint else None
    return int(found[1]) if found else 0
