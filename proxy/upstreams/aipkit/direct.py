"""The short way for text: from the site's socket to the client's, without a task in between. For an answer that is
sent whole it only collects.

A reply's first text, its end and everything unusual take the plain way, through generators that decode, repair, cut
and write. Between them lie hundreds of small events that all look alike; those are rewritten as bytes here, in the
very call that the socket's data arrives with. What makes that safe:

1. The plain way is empty: its reader waits for the next piece, so all that came before has been written. (`Body`
   calls a tap only then; the unfinished event that the decoder holds is taken back first.)
2. Only whole events are taken, and only such as the plain way would pass on unchanged: valid deltas, valid UTF-8, no
   half surrogate, nothing that the repair of double encoding would have to look at.
3. A delta's JSON string is JSON for the client too: the bytes around it are exchanged, the string stays as it is.
4. What was taken is kept, and given to the plain way as `Sent` text before anything that follows: it calls `drain`
   before it reads a piece.
5. Where the client is slow (its socket holds unsent bytes) nothing is taken: the plain way waits for the client, and
   the site with it.
"""

import re
from asyncio import Transport

import orjson

from proxy.upstreams.aipkit.mojibake import Repair
from proxy.upstreams.event_decoder import EventDecoder

MAX_TAKEN_BYTES = 256 * 1024  # sent and not yet given to the plain way, which sees to it that an answer has an end
MAX_TAIL_BYTES = 64 * 1024  # of an unfinished event; a larger one is the plain way's business

_BEFORE, _AFTER = b'data: {"delta":', b"}\n\n"
_BETWEEN = _AFTER + _BEFORE
_START, _END = len(_BEFORE), -len(_AFTER)  # of the string in one event
_SIZE_LINES = tuple(b"%x\r\n" % size for size in range(1024))  # of the chunks that nearly all events are sent in
# Events whose JSON strings are: `_ASCII`, without escaped letters. `_ANY`, without half surrogates. `_CLEAR`, without
# the letters U+00C0 to U+00FF too, raw (lead byte C3) or escaped, with which all double-encoded text begins.
_SIMPLE = rb'\\["\\/bfnrt]|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}'


def _events(inside: bytes) -> re.Pattern[bytes]:
    return re.compile(rb'(?:data: \{"delta":"(?:' + inside + rb')*+"\}\n\n)++')


_ONE_ASCII = re.compile(rb'data: \{"delta":"[ !#-\[\]-\x7f]*+"\}\n\n')  # without repeats within repeats: twice as fast
_ASCII = _events(rb'[ !#-\[\]-\x7f]++|\\["\\/bfnrt]')
_ANY = _events(rb'[^"\\\x00-\x1f]++|' + _SIMPLE + rb"|\\u(?![dD][89a-fA-F])[0-9a-fA-F]{4}")
_CLEAR = _events(rb'[^"\\\x00-\x1f\xc3]++|' + _SIMPLE + rb"|\\u(?![dD][89a-fA-F]|00[c-fC-F])[0-9a-fA-F]{4}")


class Sent(str):
    """Text that the client has got already."""

    __slots__ = ()


class Direct:
    """The short way of one answer. *before* and *after*: what stands around a text's JSON string for the client."""

    __slots__ = (
        "_after",
        "_around",
        "_before",
        "_decoder",
        "_is_whole",
        "_may_hold",
        "_pattern",
        "_repair",
        "_strings",
        "_tail",
        "_transport",
        "has_written",
    )

    def __init__(self, before: bytes, after: bytes) -> None:
        self.has_written = False  # for whoever fills silences: something went out since it was set to False
        self._before, self._after = before, after
        self._around = len(before) + len(after)
        self._transport: Transport | None = None
        self._is_whole = False
        # What the plain way knows is looked up only after it had something to read: each look is one at memory that is
        # not in the processor's cache, and there are thousands of streams.
        self._may_hold = True
        self._pattern: re.Pattern[bytes] | None = None
        self._decoder: EventDecoder
        self._repair: Repair
        self._tail = b""
        self._strings = bytearray()  # the JSON strings of what was taken, in order, with a comma after each

    def open(self, transport: Transport) -> None:
        """From now on the client's response is under way, in chunks, on *transport*."""
        self._transport = transport

    def collect(self) -> None:
        """From now on text is only collected, for an answer that is sent whole."""
        self._is_whole = True

    def follow(self, decoder: EventDecoder, repair: Repair) -> None:
        """Work for the attempt whose plain way uses these."""
        self._decoder, self._repair = decoder, repair
        self._may_hold, self._pattern = True, None
        self._tail = b""

    def drain(self) -> str:
        """The text that was sent since the last call, one before each piece that goes the plain way."""
        self._may_hold, self._pattern = True, None
        if not self._strings:
            return ""
        self._strings[-1:] = b"]"
        text = "".join(orjson.loads(b"[" + self._strings))
        self._strings = bytearray()
        return text

    def take(self, data: bytes) -> bytes:
        """Send what can be sent of *data* (a tap of `Body`); what is left goes the plain way."""
        if self._tail:
            data = self._tail + data
            self._tail = b""
        transport = self._transport
        if transport is None:
            if not self._is_whole:
                return data
        elif transport.get_write_buffer_size() or transport.is_closing():
            return data
        # One event, as it nearly always is where the model sets the pace.
        if self._pattern is None or _ONE_ASCII.fullmatch(data) is None or len(self._strings) > MAX_TAKEN_BYTES:
            return self._take_any(data)
        string = data[_START:_END]
        self._strings += string
        self._strings += b","
        if transport is not None:
            size = len(string) + self._around
            line = _SIZE_LINES[size] if size < len(_SIZE_LINES) else b"%x\r\n" % size
            transport.write(b"".join((line, self._before, string, self._after, b"\r\n")))
            self.has_written = True
        return b""

    def _take_any(self, data: bytes) -> bytes:
        """The same for any number of events, and the beginning of another."""
        if self._may_hold:
            data = self._decoder.take_back() + data
            self._may_hold = False
        end = data.rfind(b"\n\n") + 2
        if end < 2:
            return self._keep(data)
        events = data[:end]
        if len(self._strings) > MAX_TAKEN_BYTES or not self._is_plain(events):
            return data
        self._tail = data[end:]
        strings = events[_START:_END]
        self._strings += strings.replace(_BETWEEN, b",")
        self._strings += b","
        if self._transport is not None:
            strings = strings.replace(_BETWEEN, self._after + self._before)
            size = len(strings) + self._around
            self._transport.write(b"%x\r\n%b%b%b\r\n" % (size, self._before, strings, self._after))
            self.has_written = True
        return b""

    def _keep(self, data: bytes) -> bytes:
        """Hold the beginning of an event back, if it looks like one of a delta."""
        if len(data) <= MAX_TAIL_BYTES and (data.startswith(_BEFORE) or _BEFORE.startswith(data)):
            self._tail = data
            return b""
        return data

    def _is_plain(self, events: bytes) -> bool:
        pattern = self._pattern
        if pattern is None:
            pattern = self._pattern = self._find_pattern()
            if pattern is None:
                return False
        if _ASCII.fullmatch(events) is not None:
            return True
        if pattern.fullmatch(events) is None or not (events.isascii() or _is_utf8(events)):
            return False
        if pattern is _ANY:
            return True
        # Other letters prove the reply clean; the repair gives such text back unchanged, and remembers.
        strings = events[_START:_END].replace(_BETWEEN, b",")
        text = "".join(orjson.loads(b"[" + strings + b"]"))
        self._pattern = None  # it may be decided now
        return self._repair.feed(text) == text

    def _find_pattern(self) -> re.Pattern[bytes] | None:
        """What events may look like; None: the repair has to see all text."""
        if self._repair.is_passing:
            return _ANY
        return _CLEAR if self._repair.is_empty else None


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
