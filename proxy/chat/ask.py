"""The request for an answer, independent of API and upstream."""

from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from proxy.chat.errors import unsupported_part
from proxy.chat.tools.definitions import ToolConfig
from shared.conversations import Message

SAMPLING = (  # chat completions parameters that only servers support
    "temperature",
    "top_p",
    "seed",
    "presence_penalty",
    "frequency_penalty",
    "logit_bias",
    "logprobs",
    "top_logprobs",
    "top_k",
    "min_p",
    "repetition_penalty",
    "reasoning_effort",
    "verbosity",
)
HINTS = (  # parameters of OpenAI's APIs on which no answer depends; some servers refuse them
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safety_identifier",
    "service_tier",
)
EFFORT = "output_config.effort"  # the same as `reasoning_effort`, in Anthropic's API
OMITTED_FILE = "[a file that cannot be shown here]"


@dataclass(frozen=True, slots=True)
class Image:
    """A picture: `image/png`, `image/jpeg`, `image/webp` or `image/gif`, and base64 without a prefix.

    *detail*: how closely a server is to look at it; empty: as it likes.
    """

    mime_type: str
    base64: str = field(repr=False)
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ContentPart:
    """A sound or file in a message, which only servers take: *raw* is its chat completions object, *where* its
    place in the request."""

    raw: Mapping[str, Any] = field(repr=False)
    where: str
    size: int  # about as many characters

    def as_text(self) -> str | None:
        """The content of a plain text file under its file name, whatever its type; None for anything else."""
        file = self.raw.get("file")
        data = file.get("file_data") if isinstance(file, dict) else None
        head, _, payload = data.partition(",") if isinstance(data, str) else ("", "", "")
        if not isinstance(file, dict) or not head.lower().endswith(";base64"):
            return None
        try:
            text = b64decode(payload).decode()
        except ValueError:
            return None
        if "\0" in text or text.startswith("%PDF"):
            return None
        name = file.get("filename")
        return f"{name}\n{text}" if name and isinstance(name, str) else text


Media = Image | ContentPart


@dataclass(frozen=True, slots=True)
class Ask:
    """One request for one answer. *media*: the pictures of all messages, and the parts that only servers take, by the
    names in `Message.images`."""

    model: str
    messages: tuple[Message, ...]
    media: Mapping[str, Media] = field(default_factory=dict, repr=False)
    conversation_id: str | None = None
    web_search: bool = False
    search_word: str = "web_search"  # by which it was asked for
    stops: tuple[str, ...] = ()
    max_tokens: int | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)  # of sampling, as the client named them
    # Sent only to servers that the client named: parameters, and fields of messages (name, reasoning) by message id.
    extra_parameters: Mapping[str, Any] = field(default_factory=dict)
    message_fields: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    wants_extras: bool = False  # the client takes reasoning and log probabilities
    ignored: tuple[str, ...] = ()  # names of parameters that no upstream supports
    tool_config: ToolConfig | None = None  # tools, and the form of the answer
    caller: str = ""  # a key or an address: slots are shared out fairly among callers
    allowed: frozenset[str] | None = None  # names of the models that the caller may use; None: all

    def for_fallback(self) -> "Ask":
        """A copy for a server that the client did not name, without what was meant for another one."""
        messages = tuple(_without_thoughts(each) if each.calls else each for each in self.messages)
        return replace(self, extra_parameters={}, message_fields={}, messages=messages)

    @property
    def parts(self) -> Mapping[str, ContentPart]:
        """The parts among `media` that only servers take."""
        return {name: each for name, each in self.media.items() if isinstance(each, ContentPart)}

    def for_sites(self) -> "Ask":
        """A copy for sites: parts that only servers take become their text, or a placeholder. Slow for large files.

        Raises `ServiceError` (400) where the last turn has a part without text.
        """
        parts = self.parts
        texts = file_texts(parts)
        for name in media_of_last_turn(self.messages):
            if name in parts and name not in texts:
                raise unsupported_part(parts[name].where)
        kinds = dict.fromkeys(str(part.raw["type"]) for name, part in parts.items() if name not in texts)
        media = {name: each for name, each in self.media.items() if name not in parts}
        replacements = dict.fromkeys(parts, OMITTED_FILE) | texts
        messages = tuple(replace_media(each, replacements) for each in self.messages)
        return replace(self, media=media, messages=messages, ignored=(*self.ignored, *kinds))

    def pictures(self, messages: Sequence[Message], *, limit: int) -> tuple[tuple[Image, ...], int]:
        """The *limit* newest pictures of *messages*, oldest first, and how many are left out."""
        if not self.media:
            return (), 0
        newest = (name for message in reversed(messages) for name in reversed(message.images))
        found = [image for name in newest if isinstance(image := self.media.get(name), Image)]
        return tuple(reversed(found[:limit])), len(found[limit:])


def turn_start(messages: Sequence[Message]) -> int:
    """The index of the first message of the last turn. A turn ends with the assistant's messages; the last one may be a
    prefix of the answer."""
    last_user = max((index for index, message in enumerate(messages) if message.role == "user"), default=0)
    return max(
        (index + 1 for index, message in enumerate(messages[:last_user]) if message.role == "assistant"), default=0
    )


def media_of_last_turn(messages: Sequence[Message]) -> Sequence[str]:
    """Names of the pictures and files of the last turn, which must not be left out.

    Those of tool results and earlier turns are sent with every request: without them the conversation can still go on.
    """
    turn = messages[turn_start(messages) :]
    return () if any(each.result for each in turn) else [name for each in turn for name in each.images]


def file_texts(parts: Mapping[str, ContentPart]) -> dict[str, str]:
    """The texts of the plain text files among *parts*, by name. Slow for large files."""
    return {name: text for name, part in parts.items() if (text := part.as_text()) is not None}


def replace_media(message: Message, replacements: Mapping[str, str]) -> Message:
    """A copy of *message* with the texts in *replacements* instead of the pictures and files of those names."""
    kept = [number for number, name in enumerate(message.images) if name not in replacements]
    if len(kept) == len(message.images):
        return message
    images = tuple(message.images[number] for number in kept)
    places = tuple(message.places[number] for number in kept) if message.places else ()
    texts = dict.fromkeys(replacements[name] for name in message.images if name in replacements)
    return replace(message, images=images, places=places, text="\n".join(filter(None, (message.text, *texts))))


def _without_thoughts(message: Message) -> Message:
    """A copy of *message* without reasoning and signatures, which only one server can read."""
    calls = tuple(replace(call, signed="") if call.signed else call for call in message.calls)
    return replace(message, calls=calls, thoughts="")
