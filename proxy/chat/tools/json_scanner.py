"""Finding the end of a JSON value in streamed text, even if it is not strict JSON."""

import re

_OUTSIDE = re.compile(r"""["'“{}\[\]\#/<`]""")
_INSIDE = {  # by what ends it: strings, and comments up to the end of a line
    '"': re.compile(r'["\\]'),
    "'": re.compile(r"['\\]"),
    "”": re.compile(r"[”\\]"),
    "\n": re.compile(r"\n"),
}
_COMMENT = re.compile(r"(?:.?[\s,{}\[\]]\#|[\s,{}\[\]]//)", re.DOTALL)  # as in no address and no colour
_BEFORE_STRING = "{[,:：，"  # an apostrophe that does not follow one of these opens nothing


class JsonScanner:
    """Counts brackets outside strings and comments. A string ends at its own kind of quote."""

    def __init__(self) -> None:
        self.depth = 0
        self.is_stuck = False  # at a tag or a fence, which JSON cannot hold
        self._until = ""
        self._skips = False  # the next character is escaped
        self._tail = ""  # two characters
        self._last = ""  # not a blank
        self._last_of_line = ""  # the same, or a line feed

    @property
    def in_string(self) -> bool:
        """Whether the next character belongs to a string."""
        return self._until not in ("", "\n")

    def feed(self, piece: str) -> int:
        """Return the end of the value in *piece*, or the index where it got stuck; -1 while the value goes
        on."""
        at = 0
        if self._skips and piece:
            at, self._skips = 1, False
        while at < len(piece):
            match = (_INSIDE[self._until] if self._until else _OUTSIDE).search(piece, at)
            if match is None:
                break
            at = match.end()
            if self._until:
                at = self._inside(match[0], piece, at)
            elif self._outside(match[0], piece, match.start()):
                return match.start() if self.is_stuck else at
        self._tail = (self._tail + piece)[-2:]
        self._last = _before(piece, len(piece)) or self._last
        self._last_of_line = _before(piece, len(piece), on_line=True) or self._last_of_line
        return -1

    def _inside(self, found: str, piece: str, at: int) -> int:
        if found != "\\":
            self._until = ""
        elif at == len(piece):
            self._skips = True
        else:
            at += 1
        return at

    def _outside(self, found: str, piece: str, at: int) -> bool:
        """Handle *found* outside strings; returns whether the value ends there, or cannot go on."""
        if found in "{[":
            self.depth += 1
        elif found in "}]":
            self.depth -= 1
            return self.depth <= 0
        elif found in "<`":  # elsewhere it is part of a text, with a quote in it before
            self.is_stuck = (_before(piece, at, on_line=True) or self._last_of_line) in "}]\n"
            return self.is_stuck
        elif found in "#/" and _COMMENT.fullmatch((self._tail + piece[max(0, at - 2) : at])[-2:] + found):
            self._until = "\n"
        elif found == "“":
            self._until = "”"
        elif found == '"' or (found == "'" and (_before(piece, at) or self._last) in _BEFORE_STRING):
            self._until = found
        return False


def _before(piece: str, at: int, *, on_line: bool = False) -> str:
    """The last character before *at* that is no blank, or a line feed (*on_line*); empty if it is in an earlier
    chunk."""
    while at and piece[at - 1].isspace() and not (on_line and piece[at - 1] == "\n"):
        at -= 1
    return piece[at - 1] if at else ""
