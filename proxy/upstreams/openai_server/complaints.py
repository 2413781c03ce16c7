"""What a server's complaint tells of how it differs: one rule for each difference."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from proxy.chat.ask import HINTS, Ask
from proxy.chat.extras import CALL_SIGNATURE, DETAILS, REASONING_TEXTS
from proxy.upstreams.openai_server.message_order import asks_more, wanted_order
from proxy.upstreams.openai_server.options import has_pictures_of_before, has_tools, sent_options
from proxy.upstreams.openai_server.quirks import Quirks

BESIDE_PROMPT = "maximum context length"  # of a limit too: together with the prompt it is more than fits
Learned = Mapping[str, Any]  # fields of `Quirks`, with their new values

_BY_WORDS: tuple[tuple[str, str, object], ...] = (  # words, and the field and value that they tell
    ("stream_options", "takes_usage_option", False),
    ("max_completion_tokens", "limit_field", "max_completion_tokens"),
    ("thought_signature", "marks_unsigned_calls", True),
    ("must be a-z, A-Z, 0-9, with a length of 9", "takes_any_call_id", False),  # Mistral's servers, and vLLM
    ("'response_format.type' must be 'json_schema'", "takes_json_object", False),  # LM Studio
    (CALL_SIGNATURE, "takes_signatures", False),
    (DETAILS, "takes_signatures", False),
)
_refuses = re.compile(  # the parameters that it names, or all values but the default
    r"not support|unsupported|only \S+ is allowed|deprecated|extra_forbidden|not permitted|unknown (?:name|parameter)"
    "|unrecognized request argument|found that support",
    re.IGNORECASE,
).search
_lacks_tools = re.compile(
    "not support (?:tools|function calling|tool use)|n't support tool use"  # Ollama, DeepSeek, xAI and Bedrock
    "|requires --enable-auto-tool-choice|tools param requires --jinja"  # vLLM and llama.cpp
    "|tool calling`? is not supported|tools is not supported in this model|unsupported tool use"  # Groq, OpenAI, Azure
    "|function calling is not enabled|found that support tool use",  # Google and OpenRouter
    re.IGNORECASE,
).search
# OpenAI's newest: some take tools with the effort "none", which is not their default, and others not even then.
_either_thinks_or_calls = re.compile("tools with reasoning_effort are not supported", re.IGNORECASE).search
lacks_media = re.compile(  # pictures, sounds or files: llama.cpp's words, OpenRouter's, vLLM's, DeepSeek's, LM Studio's
    "input is not supported|support (?:image|audio|video|file) input|is not a multimodal model"
    "|unknown variant `?(?:image_url|input_audio|file)\\b|not support images"
).search
_refuses_format = re.compile(  # a type of response format, not what a schema holds
    r"(?!.*invalid (?:json )?schema)(?=.*(?:response.?format|json_schema|json_object))"
    ".*(?:not support|unsupported|unavailable|must be one of|found that support)",
    re.IGNORECASE | re.DOTALL,
).match
_refuses_stop = re.compile("'stop' is not supported|not supported on this model: stop").search  # OpenAI's, and xAI's
_find_most = re.compile(  # how OpenAI, DeepSeek and Alibaba, Groq, Volcengine and Anthropic tell the largest limit
    r"(?:at most|range of max_tokens (?:is|should be) \[1,|less than or equal to|value <=|max_tokens: [0-9]+ >)"
    " ?`?([0-9]{1,9})",
    re.IGNORECASE,
).search
_is_of_effort = re.compile(  # also in the name of a model, behind a dash, which says nothing
    r"(?!.*(?:tool|reasoning_content)).*(?<![\w-])(?:reasoning|think)", re.IGNORECASE | re.DOTALL
).match
_is_unknown = re.compile("extra_forbidden|unsupported").search  # of a field: Mistral's word, and Groq's
_is_missing = re.compile("missing|must be passed back", re.IGNORECASE).search  # Moonshot's words, and DeepSeek's


def learned_from(complaint: str, quirks: Quirks, ask: Ask) -> Quirks | None:
    """The quirks to try again with after a *complaint* about *ask* as *quirks* shaped it; None: it is about something
    else."""
    fields = next((fields for rule in _RULES if (fields := rule(complaint, quirks, ask))), None)
    return replace(quirks, **fields) if fields else None


def is_of_request(complaint: str) -> bool:
    """Whether a *complaint* that comes as the server's own failure is about what was asked for."""
    tells = (_lacks_tools, _either_thinks_or_calls, _refuses_format)
    return wanted_order(complaint) != "any" or any(tell(complaint) for tell in tells)


def _no_tools(complaint: str, quirks: Quirks, ask: Ask) -> Learned:
    if not (has_tools(ask) and quirks.takes_tools):
        return {}
    if quirks.thinks_beside_tools and _either_thinks_or_calls(complaint):
        return {"thinks_beside_tools": False}
    is_none_refused = not quirks.thinks_beside_tools and "reasoning_effort" in complaint
    if is_none_refused or _lacks_tools(complaint):
        return {"takes_tools": False, "refused": quirks.refused | {"tools"}}
    return {}


def _left_out(complaint: str, quirks: Quirks, ask: Ask) -> Learned:
    names = {name for name in HINTS if name in complaint and name in ask.extra_parameters}
    if _refuses(complaint):
        names |= {name for name in sent_options(ask) if re.search(rf"\b{name}\b", complaint)}
    return {"refused": quirks.refused | names} if names - quirks.refused else {}


def _lower_limit(complaint: str, quirks: Quirks, ask: Ask) -> Learned:
    found = _find_most(complaint) if "_tokens" in complaint else None
    most, asked = int(found[1]) if found else 0, ask.max_tokens or 0
    return {"most_tokens": most} if 0 < most < min(asked, quirks.most_tokens or asked) else {}


def _order(complaint: str, quirks: Quirks, ask: Ask) -> Learned:
    order = wanted_order(complaint)
    return {"order": order} if asks_more(order, quirks.order) else {}


def _by_words(complaint: str, quirks: Quirks, ask: Ask) -> Learned:
    told = ({name: value} for words, name, value in _BY_WORDS if words in complaint and getattr(quirks, name) != value)
    return next(told, {})


def _thoughts(complaint: str, quirks: Quirks, ask: Ask) -> Learned:
    if REASONING_TEXTS[0] not in complaint:
        return {}
    if quirks.reasoning_field and _is_unknown(complaint):
        return {"reasoning_field": ""}
    return {"needs_thoughts": True} if not quirks.needs_thoughts and _is_missing(complaint) else {}


def _stops(complaint: str, quirks: Quirks, ask: Ask) -> Learned:
    return {"takes_stops": False} if ask.stops and quirks.takes_stops and _refuses_stop(complaint) else {}


def _format(complaint: str, quirks: Quirks, ask: Ask) -> Learned:
    form = quirks.format_of(ask.tool_config)
    is_refused = form and quirks.takes(ask.tool_config) and _refuses_format(complaint)
    return {"refused_formats": quirks.refused_formats | {form}} if is_refused else {}


def _effort(complaint: str, quirks: Quirks, ask: Ask) -> Learned:
    effort = quirks.taken_effort(ask)
    return {"refused_efforts": quirks.refused_efforts | {effort}} if effort and _is_of_effort(complaint) else {}


def _pictures(complaint: str, quirks: Quirks, ask: Ask) -> Learned:
    is_refused = quirks.takes_pictures and lacks_media(complaint) and has_pictures_of_before(ask)
    return {"takes_pictures": False} if is_refused else {}


_RULES: tuple[Callable[[str, Quirks, Ask], Learned], ...] = (  # the first that has learned something ends it
    _no_tools,
    _left_out,
    _lower_limit,
    _order,
    _by_words,
    _thoughts,
    _stops,
    _effort,
    _format,
    _pictures,
)
