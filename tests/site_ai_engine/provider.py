"""What the plugin sends to a bot's model, and what comes of it: pieces of text, and how the answer ends."""

import json
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tests.site.model import Script, respond
from tests.site.records import Message
from tests.site_ai_engine.bots import EngineBot
from tests.site_ai_engine.records import ModelCall

_NEWLINES = ("  lead", "\n", "\n", "a", "\n\n", "b", " \n", "c", "\n")
_LONG = re.compile(r"\[\[n:(\d+)\]\]")
_MESSAGES = {  # what the provider says, its code and its type
    "err400": (
        "This model's maximum context length is 128000 tokens.",
        "context_length_exceeded",
        "invalid_request_error",
    ),
    "err401": ("Incorrect API key provided: sk-dummy.", "invalid_api_key", "invalid_request_error"),
    "err403": (
        "Country, region, or territory not supported",
        "unsupported_country_region_territory",
        "request_forbidden",
    ),
    "err404": ("The model `stub-model` does not exist.", "model_not_found", "invalid_request_error"),
    "err429": (
        "Rate limit reached for stub-model in organization org-stub on requests per min.",
        "rate_limit_exceeded",
        "requests",
    ),
    "err429quota": (
        "You exceeded your current quota, please check your plan and billing details.",
        "insufficient_quota",
        "insufficient_quota",
    ),
    "err500": ("The server had an error while processing your request.", "server_error", "server_error"),
    "err503": ("The server is overloaded or not ready yet.", "server_overloaded", "server_error"),
    "unknown_id": (
        "Previous response with id '{id}' not found.",
        "previous_response_not_found",
        "invalid_request_error",
    ),
}
_BROKEN = {  # how the call itself failed, as cURL tells it
    "cut": "cURL error 18: transfer closed with outstanding read data remaining",
    "refused": "cURL error 7: Failed to connect to 127.0.0.1 port 8099 after 0 ms: Couldn't connect to server",
    "reset": "cURL error 56: Recv failure: Connection reset by peer",
    "failed": "Stub response failed",
}
_RAW = frozenset({"err400", "err500"})  # of these a plain answer has the provider's JSON
_POLITE = frozenset({"cut_clean", "late_error", "incomplete"})  # these look whole, with the text so far
_NOTHING = frozenset({"errhtml", "empty", "error_event"})  # these look whole, without any


@dataclass(frozen=True, slots=True)
class Outcome:
    """One turn of the model: its pieces, the error that ends it (""), and what tells a whole answer from a cut one."""

    pieces: tuple[str, ...]
    error: str = ""
    plain_error: str = ""
    is_whole: bool = True
    has_id: bool = True
    stalls: bool = False
    refuses: bool = False
    draws: bool = False
    delay: float | None = None


def call_of(bot: EngineBot, body: dict[str, Any], *, images: int, is_old: bool) -> ModelCall:
    """What goes to the bot's model for the request *body*. Top-level keys of it override what the operator set."""
    history = [dict(each) for each in body.get("messages") or [] if isinstance(each, dict)]
    most = int(body.get("maxMessages", bot.max_messages))
    if len(history) > most + 1:
        history = [history[0], *history[-most:]]
    earlier = [{"role": each.get("role"), "content": each.get("content")} for each in history]
    text = str(body["newMessage"]).strip(" \t\n\r\0\x0b")
    if bot.chat_completions:
        return ModelCall(bot.id, "/v1/chat/completions", _completions(bot, body, earlier, text, is_old=is_old))
    return ModelCall(bot.id, "/v1/responses", _responses(bot, body, earlier, text, images))


def _responses(
    bot: EngineBot, body: dict[str, Any], earlier: list[dict[str, Any]], text: str, images: int
) -> dict[str, Any]:
    previous = str(body.get("previousResponseId") or "")
    newest: list[dict[str, Any]] = [{"type": "input_text", "text": text}]
    newest += [{"type": "input_image", "image_url": "data:image/png;base64,"}] * images
    temperature = body.get("temperature", bot.temperature)
    return {
        "model": body.get("model", bot.model),
        "stream": bool(body.get("stream")),
        "instructions": body.get("instructions", bot.instructions),
        **({"previous_response_id": previous} if previous.startswith("resp_") else {}),
        "input": [*([] if previous.startswith("resp_") else earlier), {"role": "user", "content": newest}],
        "max_output_tokens": body.get("maxTokens", 4096),
        **({} if temperature is None else {"temperature": temperature}),
    }


def _completions(
    bot: EngineBot, body: dict[str, Any], earlier: list[dict[str, Any]], text: str, *, is_old: bool
) -> dict[str, Any]:
    instructions = body.get("instructions", bot.instructions)
    return {
        "model": body.get("model", bot.model),
        "stream": bool(body.get("stream")),
        "temperature": body.get("temperature", 0.8),
        "n": 1,
        "messages": [{"role": "system", "content": instructions}, *earlier, {"role": "user", "content": text}],
        "max_tokens": body.get("maxTokens", 1024 if is_old else 4096),
        **({"stream_options": {"include_usage": True}} if is_old else {}),
    }


def outcome_of(
    bot: EngineBot, call: ModelCall, remembered: Mapping[str, list[Message]], scripts: Mapping[str, Any]
) -> Outcome:
    """The model's turn. *remembered*: the last turn of each answer that the provider still knows."""
    previous = call.body.get("previous_response_id", "")
    if previous and previous not in remembered:
        return _refused("unknown_id", previous)
    messages: list[Message] = [
        *remembered.get(previous, []),
        *({"role": "system" if role == "developer" else role, "content": text} for role, text in call.messages),
    ]
    prompt = messages[-1]["content"]
    if "[[mode:newlines]]" in prompt:
        return Outcome(_NEWLINES)
    if "[[mode:draws]]" in prompt:
        return Outcome(("A cat", ":"), draws=True)
    if "[[mode:long]]" in prompt and (count := _LONG.search(prompt)):
        pieces = (f"[{call.body['model']}] ", *(f"chunk{number:04} " for number in range(int(count[1]))))
        return Outcome(pieces, delay=0.1)
    searches = bot.web_search and not _is_plain(call)
    model = call.body["model"]
    return _ended(respond(messages, model=model, images=call.images, web_search=searches, scripts=scripts))


def _is_plain(call: ModelCall) -> bool:
    return not call.body["stream"]


def _ended(script: Script) -> Outcome:
    ending, made = script.ending, Outcome(script.pieces, delay=script.delay)
    if ending in _MESSAGES:
        made = _refused(ending, "")
    elif ending in _BROKEN:
        made = replace(made, error=_BROKEN[ending], plain_error=_BROKEN[ending])
    elif ending in _POLITE:
        made = replace(made, is_whole=False)
    elif ending in _NOTHING:
        has_id = ending == "error_event"
        made = Outcome((), plain_error="No content received (res is null).", is_whole=False, has_id=has_id)
    elif ending == "refusal":
        made = Outcome(("I'm sorry, I cannot ", "help with that."), refuses=True)
    elif ending == "stall":
        made = replace(made, stalls=True)
    return made


def _refused(mode: str, bad_id: str) -> Outcome:
    message, code, kind = _MESSAGES[mode]
    message = message.replace("{id}", bad_id)
    plain = message
    if mode in _RAW:
        plain = json.dumps({"error": {"message": message, "type": kind, "param": None, "code": code}})
    elif mode == "err404":
        plain = f"{message} (https://api.example/v1/responses)"
    return Outcome((), error=f"Error: {message} ({code}) ({kind})", plain_error=plain)


def usage_of(bot: EngineBot, call: ModelCall, text: str, *, is_whole: bool, is_refused: bool = False) -> dict[str, Any]:
    """What the plugin tells of tokens: the provider's figures where it got them, else a guess of its own."""
    knows = is_whole and not (bot.chat_completions and "stream_options" not in call.body)
    prompt_tokens = len(call.messages[-1][1]) // 4 + (10 if knows else 0)
    completion_tokens = 26 if is_refused else len(text) // 4
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
        "price": None,
        "queries": 1,
        "accuracy": "tokens" if knows else "estimated",
    }


def new_response_id(bot: EngineBot) -> str:
    """A name of the provider's for an answer."""
    return f"chatcmpl-{secrets.token_hex(12)}" if bot.chat_completions else f"resp_{secrets.token_hex(16)}"


def as_streamed(pieces: Sequence[str]) -> list[str]:
    """The pieces as the plugin streams them: a bare line feed gets two blanks before it."""
    return ["  \n" if piece == "\n" else piece for piece in pieces]
