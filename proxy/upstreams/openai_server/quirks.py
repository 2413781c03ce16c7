"""How servers differ from OpenAI's API, and what their complaints tell of it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from proxy.chat.ask import EFFORT, HINTS, Ask
from proxy.chat.extras import CALL_SIGNATURE, DETAILS, REASONING_TEXTS
from proxy.upstreams.openai_server.message_order import Order, wanted_order

_BUDGETS = ((4096, "high"), (2048, "medium"))  # what Anthropic's budgets of tokens mean; servers know no budgets
_EFFORTS = {"xhigh": "high", "max": "high"}  # and of its efforts those that most servers do not know
BESIDE_PROMPT = "maximum context length"  # of a limit too: together with the prompt it is more than fits
_ID_RULE = "must be a-z, A-Z, 0-9, with a length of 9"  # of calls' ids, as Mistral's servers and vLLM tell it
_FORM_RULE = "'response_format.type' must be 'json_schema'"  # LM Studio's
_UNKNOWN_FIELD = ("extra_forbidden", "unsupported")  # Mistral's words for it, and Groq's
_FIXED = ("temperature", "top_p", "presence_penalty", "frequency_penalty")  # at their defaults, in models that reason
_is_fixed = re.compile(r"not support|unsupported|only \S+ is allowed|deprecated", re.IGNORECASE).search
_is_missing = re.compile("missing|must be passed back", re.IGNORECASE).search  # Moonshot's words, and DeepSeek's
_lacks_tools = re.compile(  # Ollama's words, vLLM's, llama.cpp's and Groq's
    "not support tools|requires --enable-auto-tool-choice|tools param requires --jinja|tool calling` is not supported"
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
    takes_effort: bool = True  # of reasoning, derived from Anthropic's parameters
    reasoning_field: str = REASONING_TEXTS[0]  # of a message that goes back; `THINKING`: parts of its content; "": none
    needs_thoughts: bool = False  # with each answer that goes back, be they empty
    takes_signatures: bool = True  # of calls, back
    marks_unsigned_calls: bool = False  # it refuses calls without a signature or this mark
    takes_any_call_id: bool = True  # else only those of the form that it makes itself
    takes_json_object: bool = True  # a response format without a schema
    order: Order = "any"  # of the messages
    takes_tools: bool = True
    takes_stops: bool = True  # else they are cut here alone
    refused: frozenset[str] = frozenset()  # names among `HINTS` and `_FIXED`, or "tools" of kinds we do not know

    def after_thoughts(self, name: str) -> "Quirks":
        """The quirks after an answer with thoughts under *name*; some servers refuse what they send themselves."""
        if not self.reasoning_field and name == REASONING_TEXTS[0]:
            return self
        return replace(self, reasoning_field=name)

    def after_complaint(self, complaint: str, ask: Ask) -> "Quirks | None":
        """The quirks to try again with after a *complaint* of the server; None: it is about something else."""
        refused = {name for name in HINTS if name in complaint and name in ask.extra_parameters}
        if _is_fixed(complaint):
            refused |= {name for name in _FIXED if name in complaint and name in ask.parameters}
        most, order, thoughts = _most_tokens(complaint), wanted_order(complaint), REASONING_TEXTS[0]
        asked = ask.max_tokens or 0
        is_told = self.takes_effort and effort_in(ask.parameters) is not None
        is_unknown = any(word in complaint for word in _UNKNOWN_FIELD)
        learned: tuple[tuple[object, Mapping[str, Any]], ...] = (
            (refused - self.refused, {"refused": self.refused | refused}),
            (0 < most < min(asked, self.most_tokens or asked), {"most_tokens": most}),
            (order not in ("any", self.order) and self.order != "alternating", {"order": order}),
            ("stream_options" in complaint and self.takes_usage_option, {"takes_usage_option": False}),
            (
                "max_completion_tokens" in complaint and self.limit_field == "max_tokens",
                {"limit_field": "max_completion_tokens"},
            ),
            (self.reasoning_field and thoughts in complaint and is_unknown, {"reasoning_field": ""}),
            (not self.needs_thoughts and thoughts in complaint and _is_missing(complaint), {"needs_thoughts": True}),
            (
                ask.tool_config is not None and ask.tool_config.tools and self.takes_tools and _lacks_tools(complaint),
                {"takes_tools": False, "refused": self.refused | {"tools"}},
            ),
            (ask.stops and self.takes_stops and _refuses_stop(complaint), {"takes_stops": False}),
            (is_told and ("reasoning" in complaint or "think" in complaint), {"takes_effort": False}),
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


def is_of_request(complaint: str) -> bool:
    """Whether a *complaint* that comes as the server's own failure is about what was asked for."""
    return wanted_order(complaint) != "any" or _lacks_tools(complaint) is not None


def effort_in(parameters: Mapping[str, Any]) -> str | None:
    """The reasoning effort in Anthropic's *parameters*; None: the model's default."""
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
