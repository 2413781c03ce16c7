"""Long texts in pieces: OpenAI and Anthropic tell a few words in an event, and many clients read no lines longer than
64 KiB (what Go's bufio.Scanner takes). Some of them end the answer there, as if it were whole."""

from collections.abc import Sequence

MAX_PIECE_CHARS = 8192  # 48 KiB at most, where all are escaped


def pieces(text: str) -> Sequence[str]:
    """*text* in pieces, as long as they may be."""
    if len(text) <= MAX_PIECE_CHARS:
        return (text,)
    return [text[start : start + MAX_PIECE_CHARS] for start in range(0, len(text), MAX_PIECE_CHARS)]
