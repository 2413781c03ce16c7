"""What a client asks, as every upstream is told it."""

from base64 import b64decode
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from proxy.chat.errors import unfit_part
from proxy.chat.tools.definitions import Offer
from shared.conversations import Message

SAMPLING = (  # parameters of chat completions that only servers heed
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
EFFORT = "output_config.effort"  # the same as `reasoning_effort`, in Anthropic's API
NOT_SHOWN = "[a file that cannot be shown here]"


@dataclass(frozen=True, slots=True)
class Image:
    """A picture: `image/png`, `image/jpeg`, `image/webp` or `image/gif`, and base64 without a prefix."""

    mime_type: str
    base64: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Part:
    """What only servers can take of a message, sound or a file, as chat completions tell it; *where* it was sent."""

    told: Mapping[str, Any] = field(repr=False)
    where: str
    size: int  # about as many characters

    def as_text(self) -> str | None:
        """What it says, under its name, where it is a file with nothing but text in it, whatever it is called."""
        file = self.told.get("file")
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


Media = Image | Part


@dataclass(frozen=True, slots=True)
class Ask:
    """One request for one answer. `images` holds the pictures of all messages by what names them there, and parts that
    only servers can take by the same kind of names."""

    model: str
    messages: tuple[Message, ...]
    images: Mapping[str, Media] = field(default_factory=dict, repr=False)
    conversation_id: str | None = None
    web_search: bool = False
    search_word: str = "web_search"  # by which it was asked for
    stops: tuple[str, ...] = ()
    max_tokens: int | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)  # of sampling, as the client named them
    # What only servers that are asked by name are told: parameters, and fields of messages, by the messages' ids: who
    # speaks, and thoughts by the names that servers have for them.
    extras: Mapping[str, Any] = field(default_factory=dict)
    message_fields: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    beside: bool = False  # the client is shown what is told beside the text
    ignored: tuple[str, ...] = ()  # names of others that were sent, and that no upstream is told
    offer: Offer | None = None  # tools, and the form of the answer
    caller: str = ""  # who asks (a key or an address): slots go round among callers
    allowed: frozenset[str] | None = None  # names of the models that the caller may use; None: all

    def for_fallback(self) -> "Ask":
        """The same for a server that the client did not name: without what was meant for another one."""
        messages = tuple(_without_thoughts(each) if each.calls else each for each in self.messages)
        return replace(self, extras={}, message_fields={}, messages=messages)

    def not_told(self, takes: Collection[str], *, may_search: bool) -> list[str]:
        """Names of what was sent, and means nothing to an upstream that *takes* these parameters."""
        search = [self.search_word] if self.web_search and not may_search else []
        return [*(name for name in self.parameters if name not in takes), *search, *self.ignored]

    @property
    def parts(self) -> Mapping[str, Part]:
        """Those of `images` that only servers can take."""
        return {name: each for name, each in self.images.items() if isinstance(each, Part)}

    def for_sites(self) -> "Ask":
        """The same with words in place of what only servers can take: its text, if it has one. Large ones take long.

        Raises `ServiceError` (400) where something else is asked about.
        """
        parts = self.parts
        texts = file_texts(parts)
        for name in asked_about(self.messages):
            if name in parts and name not in texts:
                raise unfit_part(parts[name].where)
        kinds = dict.fromkeys(str(part.told["type"]) for name, part in parts.items() if name not in texts)
        images = {name: each for name, each in self.images.items() if name not in parts}
        words = dict.fromkeys(parts, NOT_SHOWN) | texts
        messages = tuple(in_words(each, words) for each in self.messages)
        return replace(self, images=images, messages=messages, ignored=(*self.ignored, *kinds))

    def pictures(self, messages: Sequence[Message], *, most: int) -> tuple[tuple[Image, ...], int]:
        """The newest that came with *messages*, oldest first, *most* of them; and how many are left out."""
        if not self.images:
            return (), 0
        newest = (name for message in reversed(messages) for name in reversed(message.images))
        found = [image for name in newest if isinstance(image := self.images.get(name), Image)]
        return tuple(reversed(found[:most])), len(found[most:])


def turn_start(messages: Sequence[Message]) -> int:
    """Where the last turn begins. Turns end with the assistant's messages, of which the last may be a beginning."""
    asked = max((index for index, message in enumerate(messages) if message.role == "user"), default=0)
    return max((index + 1 for index, message in enumerate(messages[:asked]) if message.role == "assistant"), default=0)


def asked_about(messages: Sequence[Message]) -> Sequence[str]:
    """The names of the pictures and files that have to be told: those of the last turn. What tools gave, or came in
    earlier turns, is sent again and again: a conversation that could not go on without it would be lost."""
    turn = messages[turn_start(messages) :]
    return () if any(each.result for each in turn) else [name for each in turn for name in each.images]


def file_texts(parts: Mapping[str, Part]) -> dict[str, str]:
    """The texts of the files among *parts* that are nothing else, by their names. Takes long for large ones."""
    return {name: text for name, part in parts.items() if (text := part.as_text()) is not None}


def in_words(message: Message, words: Mapping[str, str]) -> Message:
    """*message* with *words* in place of the pictures and files of these names."""
    images = tuple(name for name in message.images if name not in words)
    if len(images) == len(message.images):
        return message
    told = dict.fromkeys(words[name] for name in message.images if name in words)
    return replace(message, images=images, text="\n".join(filter(None, (message.text, *told))))


def _without_thoughts(message: Message) -> Message:
    """*message* with its calls as any server may be told them."""
    calls = tuple(replace(call, signed="") if call.signed else call for call in message.calls)
    return replace(message, calls=calls, thoughts="")
