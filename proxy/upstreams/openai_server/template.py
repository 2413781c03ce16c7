"""Reading chunks that are alike: those of one answer mostly differ in nothing but their text."""

import re
from typing import Any

import orjson

_CONTENT = re.compile(rb'"content": ?("(?:[^"\\]++|\\.)*+")', re.DOTALL)
_MARK = "\0the text"
_TRIES = 8  # at chunks of which no two are alike
_MOST = 4096  # bytes of a chunk that is learned from
_is_plain = re.compile(rb"[ !#-\[\]-\x7f]++").fullmatch  # text of ASCII without escapes


class Template:
    """The bytes before and after the text in the chunks of one answer, learned from one of them.

    What fits is that chunk with another text: both are JSON up to the same place, one string there, and the same rest.
    """

    __slots__ = ("_after", "_before", "_head", "_left", "_tail")

    def __init__(self) -> None:
        self._before = self._after = b""
        self._head = self._tail = b""  # of an event that is one line, up to its text and from its end on
        self._left = _TRIES

    def text(self, data: bytes) -> str | None:
        """The text of a chunk that is like the one that was learned from; None: it takes a closer look."""
        if not self._before or not (data.startswith(self._before) and data.endswith(self._after)):
            return None
        try:
            text = orjson.loads(data[len(self._before) : len(data) - len(self._after)])
        except orjson.JSONDecodeError:
            return None
        self._left = _TRIES
        return text if isinstance(text, str) else None

    def plain(self, events: bytes) -> str | None:
        """The text of whole events as they are on the wire, where it can be had at once; None: it takes a closer look.

        Of thousands of streams each is far from the processor's cache: the less is looked at, the better.
        """
        head, tail = self._head, self._tail
        if not head or not (events.startswith(head) and events.endswith(tail)):
            return None
        text = events[len(head) : len(events) - len(tail)]
        if _is_plain(text) is None:
            text = _joined(events[:-2].split(b"\n\n"), head, tail[:-2])
            if _is_plain(text) is None:
                return None
        self._left = _TRIES
        return text.decode()

    def learn(self, data: bytes, chunk: dict[str, Any]) -> None:
        """Go by *data*, which is *chunk*, from now on, if it tells a text and nothing else."""
        if not self._left or len(data) > _MOST or not _is_bare(chunk):
            return
        self._left -= 1
        if found := _CONTENT.search(data):
            before, after = data[: found.start(1)], data[found.end(1) :]
            if _text_in(before + orjson.dumps(_MARK) + after) == _MARK:
                self._before, self._after = before, after
                is_line = b"\n" not in before and b"\n" not in after
                self._head, self._tail = (b'data: %b"' % before, b'"%b\n\n' % after) if is_line else (b"", b"")


def _joined(events: list[bytes], head: bytes, tail: bytes) -> bytes:
    """What stands between *head* and *tail* in all of *events*; nothing where it does not in each."""
    start, end = len(head), -len(tail)
    least = start - end
    found = [
        event[start:end] for event in events if event.startswith(head) and event.endswith(tail) and len(event) >= least
    ]
    return b"".join(found) if len(found) == len(events) else b""


def _is_bare(chunk: dict[str, Any]) -> bool:
    choice = chunk["choices"][0]
    if chunk.get("usage") or choice.get("finish_reason") or choice.get("logprobs"):
        return False
    delta = choice.get("delta")
    if not isinstance(delta, dict) or not isinstance(delta.get("content"), str):
        return False
    return not any(value for name, value in delta.items() if name not in ("role", "content"))


def _text_in(data: bytes) -> Any:
    """The text of a chunk, in the only place that counts."""
    try:
        return orjson.loads(data)["choices"][0]["delta"]["content"]
    except (orjson.JSONDecodeError, LookupError, TypeError):
        return None
