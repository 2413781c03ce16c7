"""Reading a request of Anthropic's Messages API. What does not change what the answer means is left out and named."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from proxy.api.chat_completions.request import ChatRequest, read_stops
from proxy.api.messages.blocks import read_messages, read_texts
from proxy.api.messages.tools import read_tool_options
from proxy.api.parameters import check_number, check_text, read_flag, read_model, read_whole
from proxy.api.tools import HEADER_SAFE, ToolsMode, text_or_empty
from proxy.chat.ask import EFFORT, Ask
from proxy.chat.errors import bad_request
from shared.conversations import Message

SAMPLING: Mapping[str, tuple[float, float]] = {"temperature": (0, 1), "top_p": (0, 1), "top_k": (0, float("inf"))}
# Claude Code's first block of the system text: it is not meant for models, and differs from one request to the next.
_BILLING = "x-anthropic-billing-header:"
_BEGINS = {"type": "create"}  # a thread that begins: the request holds all of it
# What would make another answer of it. At this code Anthropic's SDKs and at these words Claude Code send all of it.
_REFUSED = {
    "thread": (
        "thread_not_found",
        "No conversations are kept for this API (capability_rejected: beta_header:message-threads-2026-08-12); "
        "send the whole history.",
    ),
    "compaction": ("unsupported_parameter", "No histories are summed up here."),
}
_READ = frozenset(
    {
        "max_tokens",
        "messages",
        "model",
        "output_config",
        "output_format",
        "stop_sequences",
        "stream",
        "system",
        "thinking",
        "tool_choice",
        "tools",
    }
)


def parse_messages(body: Mapping[str, Any], tools: ToolsMode = "emulate", *, counts_only: bool = False) -> ChatRequest:
    """Read a body of `POST /v1/messages`. *counts_only*: of `count_tokens`, which takes no limit.

    Raises `ServiceError` (400).
    """
    model = read_model(body, "'model' must name a model")
    for name, (code, why) in _REFUSED.items():
        if body.get(name) and body[name] != _BEGINS:
            raise bad_request(f"'{name}' is not supported: {why}", param=name, code=code)
    limit = None if counts_only else _read_limit(body)
    options = read_tool_options(body, tools)
    deferred = {tool.name: tool for tool in options.tool_config.tools if tool.is_found} if options.tool_config else {}
    messages, pictures = read_messages(body.get("messages"), deferred)
    ask = Ask(
        model=model,
        messages=(*_read_system(body.get("system")), *messages),
        web_search=options.searches,
        stops=read_stops(body, "stop_sequences"),
        max_tokens=limit,
        parameters=_read_parameters(body),
        extra_parameters=_cache_key(body.get("metadata")),
        wants_extras=_shows_thoughts(body.get("thinking")),
        ignored=(*_ignored(body), *options.left_out),
        tool_config=options.tool_config,
    )
    return ChatRequest(ask, pictures, stream=read_flag(body, "stream"))


def _read_parameters(body: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters that only servers take, checked. Raises `ServiceError` (400)."""
    for name, limits in SAMPLING.items():
        if body.get(name) is not None:
            check_number(body[name], name, limits, whole=name == "top_k")
    parameters = {name: body[name] for name in (*SAMPLING, "thinking") if body.get(name) is not None}
    if (effort := (body.get("output_config") or {}).get("effort")) is not None:
        check_text(effort, EFFORT)
        parameters[EFFORT] = effort
    return parameters


def _cache_key(metadata: Any) -> dict[str, str]:
    """A word for servers' caches that is the same all through a session, as agents name it; who it is of stays here."""
    name = text_or_empty(metadata.get("user_id")) if isinstance(metadata, dict) else ""
    return {"prompt_cache_key": sha256(name.encode("utf-8", "surrogatepass")).hexdigest()} if name else {}


def _shows_thoughts(value: Any) -> bool:
    """Whether the client wants to see what the model thinks."""
    return (
        isinstance(value, dict) and value.get("type") in ("enabled", "adaptive") and value.get("display") != "omitted"
    )


def _read_limit(body: Mapping[str, Any]) -> int:
    limit = read_whole(body, "max_tokens")
    if limit is None:
        raise bad_request("'max_tokens' is required.", param="max_tokens", code="missing_required_parameter")
    if limit < 1:
        raise bad_request("'max_tokens' must be at least 1.", param="max_tokens", code="integer_below_min_value")
    return limit


def _read_system(value: Any) -> tuple[Message, ...]:
    if value is None:
        return ()
    texts = [text for text in read_texts(value, "system") if not text.startswith(_BILLING)]
    text = "\n".join(texts)
    return (Message(role="system", text=text),) if text else ()


def _ignored(body: Mapping[str, Any]) -> tuple[str, ...]:
    """What was sent and is not read, by its name."""
    names = [name for name, value in body.items() if name not in _READ and name not in SAMPLING and value is not None]
    names += [f"output_config.{name}" for name in body.get("output_config") or () if name not in ("effort", "format")]
    return tuple(name for name in names if HEADER_SAFE.fullmatch(name))
