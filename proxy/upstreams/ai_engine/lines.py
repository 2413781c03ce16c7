"""The lines of an answer as they come: `data:` lines of a stream, or one JSON object.

A line's end often comes in a later piece than the line. A JSON object tells its own end, so it is not waited for.
"""

from typing import Any

import orjson

from proxy.upstreams.event_decoder import MAX_EVENT_BYTES, EventTooLarge
from shared.plugins.lenient_json import read_json

_DATA = b"data:"
_COMMENT = b":"  # sent meanwhile where a model of Anthropic's works with tools
_BOM = b"\xef\xbb\xbf"  # files of the site may begin with it, and so its answers, with one for each
_SHORT = 64 * 1024  # bytes; a longer event, which may come in very many pieces, is read once its line has ended


class LineDecoder:
    """Collects the bytes of one answer and gives out each event's object once it is whole."""

    def __init__(self) -> None:
        self._pending = bytearray()  # an unfinished line
        self._is_given = False  # it was given out, and only its end is missing
        self.plain = bytearray()  # of an answer that is no stream: all of it

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        """The events that *data* completes. Raises `EventTooLarge`."""
        self._pending += data
        events: list[dict[str, Any]] = []
        if b"\n" in data:
            *lines, rest = bytes(self._pending).split(b"\n")
            self._pending = bytearray(rest)
            for line in lines:
                events += self._of(line)
        if not self._is_given and self._may_be_whole():
            whole = _read(self._pending)
            self._is_given = bool(whole)
            events += whole
        if len(self._pending) > MAX_EVENT_BYTES or len(self.plain) > MAX_EVENT_BYTES:
            raise EventTooLarge
        return events

    def end(self) -> None:
        """There is no more."""
        if not self._pending.lstrip(_BOM).startswith((_DATA, _COMMENT)):
            self.plain += self._pending

    def _of(self, line: bytes) -> list[dict[str, Any]]:
        if self._is_given:
            self._is_given = False
        elif (stripped := line.lstrip(_BOM)).startswith(_DATA):
            event = read_json(stripped[len(_DATA) :])
            return [event] if isinstance(event, dict) else []
        elif line.strip() and not stripped.startswith(_COMMENT):
            self.plain += line
        return []

    def _may_be_whole(self) -> bool:
        pending = self._pending
        return len(pending) < _SHORT and pending.startswith(_DATA) and pending.endswith(b"}")


def _read(line: bytearray) -> list[dict[str, Any]]:
    """The event of a line whose end has not come; none where it is not a whole JSON object yet."""
    try:
        event = orjson.loads(line[len(_DATA) :])
    except orjson.JSONDecodeError:
        return []
    return [event] if isinstance(event, dict) else []
