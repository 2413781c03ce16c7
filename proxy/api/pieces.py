"""Long texts in pieces: OpenAI and Anthropic tell a few words in an event, and many clients read no lines longer than
64 KiB (what Go's bufio.Scanner takes). Some of them end the answer there, as if it were whole."""

from collections.abc import Sequence

import orjson

MAX_PIECE_CHARS = 8192
MAX_PIECE_BYTES = 6 * MAX_PIECE_CHARS  # in JSON: as many characters, all escaped


def pieces(text: str) -> Sequence[str]:
    """*text* in pieces whose JSON has at most `MAX_PIECE_BYTES`; a text that fits stays whole."""
    if len(text) <= MAX_PIECE_CHARS or len(orjson.dumps(text)) <= MAX_PIECE_BYTES:
        return (text,)
    return [text[start : start + MAX_PIECE_CHARS] for start in range(0, len(text), MAX_PIECE_CHARS)]
