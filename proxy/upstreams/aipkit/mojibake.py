"""Repair of sites that encode UTF-8 twice, so that 你好 arrives as `ä½\\xa0å¥½`.

The bytes of such text were read as Latin-1 or Windows-1252 on their way. Then *every* non-ASCII character is part of a
sequence that stands for valid UTF-8, while ordinary text breaks that at its first `é` before a letter, its first ’ or
its first 你. That break proves a reply clean. Without one, each sequence is evidence; text is held back from the first
sequence on until there is enough, and left alone where there never is: a reply may quote `Ã©` and mean it.
"""

import re
from typing import NamedTuple

MAX_HELD_CHARS = 512  # a reply still undecided after so many is passed as it is


class _Threshold(NamedTuple):
    """Points of evidence needed; a sequence of n bytes gives n - 1 of them."""

    at_once: int  # to decide in mid-reply
    at_end: int  # to decide when the reply, or the room to hold it, ends
    if_mostly: int  # likewise, when at least two thirds of all its characters belong to sequences


_THRESHOLDS = {  # by what earlier replies have shown
    True: _Threshold(6, 1, 1),
    None: _Threshold(64, 16, 3),  # at once: some 30 Chinese characters; at the end: a short paragraph of French
    False: _Threshold(96, 32, 4),
}
_CONTROL_POINTS = 6  # more for C1 controls in a sequence of Latin-1: nobody who quotes such text writes them

# Windows-1252 shows most of the bytes 80-9F as other characters; here they become the bytes' own code points again.
_TO_BYTES = {
    ord(shown): byte for byte in range(0x80, 0xA0) if (shown := bytes([byte]).decode("cp1252", "replace")) != "\ufffd"
}
_C1_CONTROL = re.compile("[\x80-\x9f]")
_ASCII = re.compile("[\x00-\x7f]+")

# UTF-8 sequences, as the characters that stand for their bytes. Second bytes: no overlong forms, no surrogates.
_VALID = "(?!\xe0[\x80-\x9f]|\xed[\xa0-\xbf]|\xf0[\x80-\x8f]|\xf4[\x90-\xbf])"
_MORE = "[\x80-\xbf]"
_SEQUENCE = f"{_VALID}(?:[\xc2-\xdf]{_MORE}|[\xe0-\xef]{_MORE}{{2}}|[\xf0-\xf4]{_MORE}{{3}})"
_BEGUN = f"{_VALID}(?:[\xc2-\xdf]|[\xe0-\xef]{_MORE}?|[\xf0-\xf4]{_MORE}{{0,2}})"
# The byte A0, a no-break space, often has become a plain space (`ä½ å¥½`). That is taken for damage only in a kana or
# Chinese character right before a whole sequence: é… and a space are ordinary French.
_DAMAGED = f"[\xe3-\xe9](?:{_MORE} | {_MORE})"
_TOKEN = re.compile(f"(?:{_DAMAGED})?{_SEQUENCE}")
_OPEN = re.compile(f"(?:(?:{_DAMAGED})?(?:{_BEGUN})?|[\xe3-\xe9] )\\Z")  # may grow into a token
_LONGEST_TOKEN = 7
_LONGEST_OPEN = 6


class Repair:
    """Passes the text of one reply through, repaired if the site encodes twice.

    *site_double_encodes* is the `verdict` of the site's earlier replies. True lowers the evidence that is needed,
    False raises it. How the text is cut never changes what comes out, and without repair it comes out unchanged.
    """

    def __init__(self, site_double_encodes: bool | None = None, *, sent: int = 0) -> None:
        """*sent*: characters of the reply, all of them ASCII, that were given out without it."""
        self._threshold = _THRESHOLDS[site_double_encodes]
        self.verdict: bool | None = None  # None: this reply has not shown it, for all that has been read
        self.is_passing = False  # it is decided that nothing is changed any more
        self._held = ""
        self._sent = sent  # characters given out before anything was held
        self._weighed = 0  # characters of the held text that are ASCII or whole sequences
        self._points = 0
        self._suspicious = 0  # characters in sequences

    def feed(self, text: str) -> str:
        """What may be given out after *text*; possibly nothing yet."""
        if self.is_passing:
            return text
        if not self._held and text.isascii():
            self._sent += len(text)
            return text
        self._held += text
        if self.verdict:
            return self._repaired()
        return self._weigh(ended=False)

    def end(self) -> str:
        """What was still held when the reply ended."""
        if self.is_passing:
            return ""
        rest = self._repaired() if self.verdict else self._weigh(ended=True)
        return rest + self._release()

    def _weigh(self, *, ended: bool) -> str:
        """Take the held text as evidence, up to whatever decides; what may be given out then."""
        head = self._leading_ascii()
        begins = self._held[:_LONGEST_TOKEN].translate(_TO_BYTES)  # clean text mostly breaks here, and costs little
        if not self._weighed and len(begins) == _LONGEST_TOKEN and not _TOKEN.match(begins):
            return head + self._decide(False)
        view = self._held[:MAX_HELD_CHARS].translate(_TO_BYTES)
        while self._weighed < len(view):
            if not ended and _OPEN.match(view, self._weighed):
                break
            if sequence := _TOKEN.match(view, self._weighed):
                self._count(view, sequence)
                if self._points >= self._threshold.at_once:
                    return head + self._decide(True)
            token = sequence or _ASCII.match(view, self._weighed)
            if not token:
                return head + self._decide(False)
            self._weighed = token.end()
        if ended or len(view) == MAX_HELD_CHARS:
            return head + self._decide(True if self._is_enough() else None)
        return head

    def _leading_ascii(self) -> str:
        """Take ASCII text off the front of what is held: it waits for no decision."""
        if not (match := _ASCII.match(self._held)):
            return ""
        self._held = self._held[match.end() :]
        self._sent += match.end()
        return match[0]

    def _count(self, view: str, token: re.Match[str]) -> None:
        start, end = token.span()
        self._suspicious += end - start
        self._points += end - start - 1
        if _C1_CONTROL.search(self._held, start, end) and self._held[start:end] == view[start:end]:
            self._points += _CONTROL_POINTS

    def _is_enough(self) -> bool:
        mostly = 3 * self._suspicious >= 2 * (self._sent + self._weighed)
        return self._points >= (self._threshold.if_mostly if mostly else self._threshold.at_end)

    def _decide(self, verdict: bool | None) -> str:
        self.verdict = verdict
        if verdict:
            return self._repaired()
        self.is_passing = True
        return self._release()

    def _repaired(self) -> str:
        """The held text, decoded up to a last sequence that may still grow; what fits none stays as it is."""
        view = self._held.translate(_TO_BYTES)
        growing = _OPEN.search(view, max(0, len(view) - _LONGEST_OPEN))
        end = growing.start() if growing else len(view)
        parts: list[str] = []
        done = 0
        for token in _TOKEN.finditer(view, 0, end):
            parts += (self._held[done : token.start()], token[0].replace(" ", "\xa0").encode("latin-1").decode("utf-8"))
            done = token.end()
        parts.append(self._held[done:end])
        self._held = self._held[end:]
        return "".join(parts)

    def _release(self) -> str:
        held, self._held = self._held, ""
        return held
