"""What the site sends to the model for one turn, and what both keep of it afterwards (PROTOCOL 6)."""

import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.site.checks import Admitted
from tests.site.dialects import Dialect
from tests.site.model import count_tokens
from tests.site.records import Message, ModelCall, forget_oldest, remember

if TYPE_CHECKING:
    from tests.site.server import SimulatedSite

_PHP_BLANKS = " \t\n\r\0\x0b"
_BLIND_PROVIDERS = frozenset({"DeepSeek"})  # they drop images silently (PROTOCOL 8)
_INPUT_TOKENS = 11  # of every recorded turn


@dataclass(frozen=True, slots=True)
class Prepared:
    """A call ready to be made. *unknown_id* is a previous id that the model does not know, or empty."""

    call: ModelCall
    unknown_id: str


def prepare(site: "SimulatedSite", turn: Admitted) -> Prepared:
    """Build and record the model call, and log the user's message: it stays whatever comes of the turn."""
    bot = turn.bot
    text = turn.message.text.strip(_PHP_BLANKS)
    new: list[Message] = [{"role": "user", "content": text}] if text else []
    system: list[Message] = [{"role": "system", "content": bot.instructions}]
    previous = turn.previous_id
    if previous is None and bot.conversation_state and bot.provider == "OpenAI":
        previous = site.history.last_response_id(turn.row)
    if previous is None:
        earlier = site.history.last_messages(turn.row, bot)
        messages = context = system + earlier + new
    else:
        messages = system + new
        context = system + site.responses.get(previous, []) + new
    call = ModelCall(
        provider=bot.provider,
        model=bot.model,
        bot_id=bot.id,
        messages=messages,
        previous_id=previous,
        web_search=turn.web_search,
        images=turn.message.images if text and bot.provider not in _BLIND_PROVIDERS else 0,
        session_id=turn.session_id,
        conversation_uuid=turn.conversation_uuid,
        context=context,
    )
    remember(site.model_calls, call)
    site.model_call_count += 1
    message_id = turn.message.client_message_id or new_message_id().replace(".", "")
    site.history.add(turn.row, message_id=message_id, role="user", text=turn.message.text)
    return Prepared(call, previous if previous is not None and previous not in site.responses else "")


def keep_answer(
    site: "SimulatedSite", turn: Admitted, call: ModelCall, dialect: Dialect, *, answer: str, message_id: str
) -> None:
    """Log the answer of a turn that reached `done`, count its tokens, and let the model remember it."""
    tokens = count_tokens(answer)
    site.history.use_tokens(turn.session_id, turn.bot.id, _INPUT_TOKENS + tokens)
    ids = dialect.details
    if turn.bot.conversation_state:
        history = [message for message in call.context if message["role"] != "system"]
        site.responses[dialect.response_id] = [*history, {"role": "assistant", "content": answer}]
        forget_oldest(site.responses)
    if answer not in {"", "0"}:  # PHP takes both for empty
        details = _details(call, tokens, has_state=turn.bot.conversation_state) | ids
        site.history.add(turn.row, message_id=message_id.replace(".", ""), role="bot", text=answer, details=details)


def new_message_id() -> str:
    """`aipkit-msg-` and what PHP's uniqid gives with more entropy: 13 hex digits and a number below 10."""
    micros = time.time_ns() // 1000
    unique = f"{micros // 1_000_000:08x}{micros % 1_000_000:05x}"
    return f"aipkit-msg-{unique}{secrets.randbelow(10)}.{secrets.randbelow(10**8):08d}"


def _details(call: ModelCall, output_tokens: int, *, has_state: bool) -> dict[str, Any]:
    total = _INPUT_TOKENS + output_tokens
    raw = {
        "input_tokens": _INPUT_TOKENS,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": output_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": total,
    }
    sent: dict[str, Any] = {"model": call.model, "input": call.messages, "stream": True, "store": has_state}
    sent |= {"temperature": 1, "max_output_tokens": 4000, "top_p": 1}
    if call.previous_id:
        sent["previous_response_id"] = call.previous_id
    return {
        "provider": call.provider,
        "model": call.model,
        "usage": {
            "input_tokens": _INPUT_TOKENS,
            "output_tokens": output_tokens,
            "total_tokens": total,
            "provider_raw": raw,
        },
        "request_payload": {"provider": call.provider, "model": call.model, "payload_sent": sent},
    }
