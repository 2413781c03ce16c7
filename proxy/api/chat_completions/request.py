"""Reading a chat/completions request: everything clients send, and a clear 400 for what makes no sense."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from proxy.api.images.reading import MAX_IMAGES, Picture, read_image_url
from proxy.api.parameters import read_flag, read_ignored, read_limit, read_metadata, read_whole
from proxy.api.tool_history import ToolHistory
from proxy.chat.ask import Ask
from proxy.chat.errors import ServiceError, bad_request
from shared.conversations import Message, Role

MAX_MESSAGES = 10_000
MAX_STOPS = 16
MAX_STOP_CHARS = 256
MAX_CHOICES = 4
_IGNORED = (
    "temperature",
    "top_p",
    "seed",
    "presence_penalty",
    "frequency_penalty",
    "logit_bias",
    "logprobs",
    "top_logprobs",
    "reasoning_effort",
    "verbosity",
    "audio",
    "suffix",
)
# All that is read besides the model, the messages and `stream`.
_RARE = frozenset(_IGNORED) | {
    "conversation_id",
    "function_call",
    "functions",
    "max_completion_tokens",
    "max_tokens",
    "metadata",
    "modalities",
    "n",
    "response_format",
    "stop",
    "stream_options",
    "tool_choice",
    "tools",
    "web_search",
    "web_search_options",
}
THOUGHTS = ("thinking", "redacted_thinking", "reasoning", "reasoning_text", "summary_text")  # parts no model is told
_ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "user",
    "function": "user",
}
_OF_TOOLS = frozenset({"assistant", "tool", "function"})


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A request, normalised. `pictures` holds the images of all messages, or where to fetch them."""

    ask: Ask
    pictures: Mapping[str, Picture] = field(repr=False)
    stream: bool = False
    include_usage: bool = False
    choices: int = 1
    ignored: tuple[str, ...] = ()  # parameters that were sent and that the site cannot take


def parse_chat(body: Mapping[str, Any]) -> ChatRequest:
    """Read a chat/completions body. Raises `ServiceError` (400) that names the field."""
    model = body.get("model")
    if not isinstance(model, str) or not model.strip():
        raise bad_request("You must provide a model parameter; GET /v1/models lists the names.", param="model")
    messages, pictures = read_messages(body.get("messages"))
    if _RARE.isdisjoint(body):  # most requests: a model, messages, and perhaps a stream
        return ChatRequest(
            Ask(model.strip(), messages), pictures, stream=body.get("stream") is True or read_flag(body, "stream")
        )
    _refuse_unsupported(body)
    read_metadata(body.get("metadata"))
    ignored = read_ignored(body, _IGNORED)
    ask = Ask(
        model=model.strip(),
        messages=messages,
        conversation_id=_conversation_id(body),
        web_search=read_flag(body, "web_search") or isinstance(body.get("web_search_options"), dict),
        stops=_stops(body),
        max_tokens=read_limit(body, "max_tokens", "max_completion_tokens"),
        parameters={name: body[name] for name in ignored if name in body},
    )
    return ChatRequest(
        ask=ask,
        pictures=pictures,
        stream=read_flag(body, "stream"),
        include_usage=_includes_usage(body),
        choices=_choices(body),
        ignored=ignored,
    )


def read_messages(value: Any, *, name: str = "messages") -> tuple[tuple[Message, ...], dict[str, Picture]]:
    """Read the list of messages called *name*, and the pictures they name. Raises `ServiceError` (400)."""
    if not isinstance(value, list):
        raise bad_request(f"'{name}' must be a list of messages.", param=name)
    if not value:
        raise bad_request(f"'{name}' must hold at least one message.", param=name)
    if len(value) > MAX_MESSAGES:
        raise bad_request(f"'{name}' holds more than {MAX_MESSAGES} messages.", param=name)
    pictures: dict[str, Picture] = {}
    tools = ToolHistory()
    messages: list[Message] = []
    for index, item in enumerate(value):
        messages.append(_read_message(item, f"{name}.{index}", pictures, tools))
    return tuple(messages), pictures


def _read_message(item: Any, where: str, pictures: dict[str, Picture], tools: ToolHistory) -> Message:
    if not isinstance(item, dict):
        raise bad_request(f"'{where}' must be an object with a role and content.", param=where)
    role = item.get("role")
    if not isinstance(role, str) or role not in _ROLES:
        known = ", ".join(_ROLES)
        raise bad_request(f"'{where}.role' must be one of {known}.", param=f"{where}.role", code="invalid_value")
    content: Any = item.get("content")
    images: tuple[str, ...] = ()
    if not isinstance(content, str):
        content, images = _read_content(content, f"{where}.content", pictures)
    if role in _OF_TOOLS:
        content = tools.text(item, content)
    return Message(role=_ROLES[role], text=content, images=images)


def _read_content(content: Any, where: str, pictures: dict[str, Picture]) -> tuple[str, tuple[str, ...]]:
    if content is None:
        return "", ()
    if not isinstance(content, list):
        raise bad_request(f"'{where}' must be a string or a list of content parts.", param=where)
    texts: list[str] = []
    digests: list[str] = []
    for index, part in enumerate(content):
        kind = part.get("type") if isinstance(part, dict) else None
        place = f"{where}.{index}"
        if kind in ("text", "input_text", "output_text", "refusal"):  # no sets: a client may send what has no hash
            text = part.get("refusal" if kind == "refusal" else "text")
            if not isinstance(text, str):
                raise bad_request(f"'{place}.text' must be a string.", param=place)
            texts.append(text)
        elif kind in ("image_url", "input_image"):
            digest, image = read_image_url(part.get("image_url"), place)
            pictures[digest] = image
            digests.append(digest)
        elif isinstance(part, str):
            texts.append(part)
        elif kind not in THOUGHTS:
            raise bad_request(
                f"'{place}' has a type the site cannot take; use text or image_url.",
                param=place,
                code="unsupported_content_part",
            )
    if len(digests) > MAX_IMAGES:
        raise bad_request(f"'{where}' holds more than {MAX_IMAGES} images.", param=where, code="too_many_images")
    return "\n".join(texts), tuple(digests)


def _includes_usage(body: Mapping[str, Any]) -> bool:
    options = body.get("stream_options")
    if options is not None and not isinstance(options, dict):
        raise bad_request("'stream_options' must be an object.", param="stream_options", code="invalid_type")
    return bool(options) and read_flag(options or {}, "include_usage")


def _conversation_id(body: Mapping[str, Any]) -> str | None:
    value = body.get("conversation_id")
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise bad_request("'conversation_id' must be a string.", param="conversation_id", code="invalid_type")
    return value


def _choices(body: Mapping[str, Any]) -> int:
    count = read_whole(body, "n")
    if count is None:
        return 1
    if not 1 <= count <= MAX_CHOICES:
        raise bad_request(f"'n' must be from 1 to {MAX_CHOICES}.", param="n", code="invalid_value")
    if count > 1 and _conversation_id(body):
        raise unsupported("n", "A conversation goes on with one answer; leave conversation_id out for several.")
    return count


def _stops(body: Mapping[str, Any]) -> tuple[str, ...]:
    value = body.get("stop")
    stops = [value] if isinstance(value, str) else value
    if stops is None:
        return ()
    if not isinstance(stops, list) or not all(isinstance(stop, str) for stop in stops) or len(stops) > MAX_STOPS:
        raise bad_request(f"'stop' must be a string or at most {MAX_STOPS} of them.", param="stop", code="invalid_type")
    if any(len(stop) > MAX_STOP_CHARS for stop in stops):
        message = f"A text in 'stop' must have at most {MAX_STOP_CHARS} characters."
        raise bad_request(message, param="stop", code="string_above_max_length")
    return tuple(stop for stop in stops if stop)


def _refuse_unsupported(body: Mapping[str, Any]) -> None:
    """Refuse what would change the answer and cannot be done; leaving it out silently would be a lie."""
    for tools, choice in (("tools", "tool_choice"), ("functions", "function_call")):
        refuse_lone_choice(body, tools, choice, harmless=("none", "auto") if body.get(tools) == [] else ())
        if body.get(tools) and body.get(choice) != "none":
            raise unsupported(tools, "The site's bots call no tools.")
    modalities = body.get("modalities")
    if modalities is not None and not isinstance(modalities, list):
        raise bad_request("'modalities' must be a list.", param="modalities", code="invalid_type")
    if any(each != "text" for each in modalities or ()):
        raise unsupported("modalities", "The site's bots answer in text only.")
    form = body.get("response_format")
    if form is not None and not (isinstance(form, dict) and form.get("type") == "text"):
        raise unsupported("response_format", "The site's bots answer in plain text only.")


def refuse_lone_choice(body: Mapping[str, Any], tools: str, choice: str, *, harmless: Sequence[str]) -> None:
    """Raise `ServiceError` (400) for a *choice* of *tools* where there are none, unless it is *harmless*."""
    value = body.get(choice)
    if value is not None and not body.get(tools) and value not in harmless:
        raise bad_request(
            f"'{choice}' is only allowed where '{tools}' are given.", param=choice, code="missing_required_parameter"
        )


def unsupported(name: str, why: str) -> ServiceError:
    """The error for a parameter that would change the answer and cannot be honoured."""
    return bad_request(f"'{name}' is not supported: {why}", param=name, code="unsupported_parameter")


def ignored_header(ignored: Sequence[str]) -> dict[str, str]:
    """The response header that names the parameters which the site cannot take."""
    return {"x-ignored-params": ", ".join(ignored)} if ignored else {}
