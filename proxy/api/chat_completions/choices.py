"""OpenAI's chat shapes for several answers to one request (`n`)."""

from collections.abc import Sequence
from typing import Any

from proxy.api.chat_completions.reply import ChatReply, Ending
from proxy.chat.errors import ServiceError
from proxy.chat.tokens import Usage


class ChoicesReply:
    """Builds the objects of several answers; *replies* are those of each, in the order of their numbers."""

    def __init__(self, replies: Sequence[ChatReply]) -> None:
        self._replies = replies

    def opening(self) -> bytes:
        """The role of each, once."""
        return b"".join(reply.opening() for reply in self._replies)

    def text(self, piece: tuple[int, str]) -> bytes:
        """One chunk of text of one of them."""
        index, text = piece
        return self._replies[index].text(text)

    def silence(self) -> bytes:
        """A chunk that adds nothing."""
        return self._replies[0].silence()

    def closing(self, endings: Sequence[Ending], used: Usage) -> bytes:
        """The last chunks of each, and the end mark."""
        last = b"".join(reply.finish(ending) for reply, ending in zip(self._replies, endings, strict=True))
        return last + self._replies[0].end(used)

    def failure(self, error: ServiceError) -> bytes:
        """The event in place of the rest of all."""
        return self._replies[0].failure(error)

    def whole(self, pieces: Sequence[tuple[int, str]], endings: Sequence[Ending], used: Usage) -> dict[str, Any]:
        """All in one piece."""
        choices = [
            reply.choice("".join(text for index, text in pieces if index == number), ending)
            for number, (reply, ending) in enumerate(zip(self._replies, endings, strict=True))
        ]
        return self._replies[0].completion(choices, used)
