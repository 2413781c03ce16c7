"""The objects that OpenAI's responses are made of."""

from collections.abc import Mapping, Sequence
from typing import Any

from proxy.api.conversations.items import REASONING_ID, citations
from proxy.api.responses.request import ResponseRequest
from proxy.chat.extras import Extras
from proxy.chat.tokens import Usage
from proxy.chat.upstream import End
from shared.conversations import Citation


def content(text: str, end: End, logprobs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What a message holds. Beside a refusal an empty text is none: clients would read it as their JSON."""
    if end.refusal is None:
        return [text_part(text, end.sources, logprobs)]
    said = [text_part(text, end.sources, logprobs)] if text else []
    return [*said, {"type": "refusal", "refusal": end.refusal}]


def text_part(text: str, sources: Sequence[Citation], logprobs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The text of a message."""
    return {"type": "output_text", "text": text, "annotations": citations(sources), "logprobs": logprobs}


def reasoning_item(
    message_id: str, number: int, text: str, signed: str = "", *, as_summary: bool = False
) -> dict[str, Any]:
    """What a model thought, as open models tell it: as it is, and not summed up, also where that stands *as_summary*;
    or what its server signed of the call that follows. Without both the item has only begun."""
    parts = [reasoning_part(text, as_summary=as_summary)] if text else []
    return {
        "id": f"{REASONING_ID}_{message_id[4:]}_{number}",
        "type": "reasoning",
        "summary": parts if as_summary else [],
        "content": [] if as_summary else parts,
        "encrypted_content": signed or None,
        "status": "completed" if text or signed else "in_progress",
    }


def reasoning_part(text: str, *, as_summary: bool) -> dict[str, Any]:
    """The text of a reasoning item."""
    return {"type": "summary_text" if as_summary else "reasoning_text", "text": text}


def logprobs_of(extras: Extras) -> list[dict[str, Any]]:
    """Log probabilities as this API tells them; tokens that a server told otherwise are left out."""
    tokens = (extras.logprobs or {}).get("content")
    listed = []
    for token in tokens if isinstance(tokens, list) else ():
        if (one := _logprob(token)) is not None:
            others = token.get("top_logprobs")
            found = [_logprob(other) for other in others] if isinstance(others, list) else []
            listed.append({**one, "top_logprobs": [other for other in found if other is not None]})
    return listed


def _logprob(token: Any) -> dict[str, Any] | None:
    if not isinstance(token, dict):
        return None
    text, value, known = token.get("token"), token.get("logprob"), token.get("bytes")
    if not isinstance(text, str) or not isinstance(value, int | float):
        return None
    given = known if isinstance(known, list) else list(text.encode("utf-8", "replace"))
    return {"token": text, "logprob": value, "bytes": given}


def usage(used: Usage) -> dict[str, Any]:
    """The usage object."""
    return {
        "input_tokens": used.prompt_tokens,
        "input_tokens_details": {"cached_tokens": used.cached_tokens, "cache_write_tokens": 0},
        "output_tokens": used.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": used.reasoning_tokens},
        "total_tokens": used.prompt_tokens + used.completion_tokens,
    }


def blank(request: ResponseRequest, *, id: str, created: int, model: str) -> dict[str, Any]:
    """The object before there is an answer. Clients need every key, most of them with a value."""
    reasoning = request.ask.parameters.get("reasoning", {})
    return {
        "id": id,
        "object": "response",
        "created_at": created,
        "status": "in_progress",
        "completed_at": None,
        "background": False,
        "conversation": {"id": request.conversation_id} if request.conversation_id else None,
        "error": None,
        "frequency_penalty": 0.0,
        "incomplete_details": None,
        "instructions": request.instructions,
        "max_output_tokens": request.ask.max_tokens,
        "max_tool_calls": None,
        "metadata": request.metadata,
        "model": model,
        "output": [],
        "parallel_tool_calls": True,
        "presence_penalty": 0.0,
        "previous_response_id": request.previous_response_id,
        "prompt_cache_key": None,
        "reasoning": {"effort": reasoning.get("effort"), "summary": request.reasoning_summary},
        "safety_identifier": None,
        "service_tier": "default",
        "store": request.store,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}, "verbosity": "medium"},
        "tool_choice": "auto",
        "tools": [],
        "top_logprobs": 0,
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": None,
        "user": None,
        **request.echoed,
    }
