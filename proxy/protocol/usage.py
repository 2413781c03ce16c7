"""Estimating token counts: the site names none."""


def estimate_tokens(text: str) -> int:
    """About how many tokens *text* is; at least 1 unless it is empty."""
    wide = sum(1 for char in text if ord(char) > 0x2E80) if not text.isascii() else 0
    return wide + (len(text) - wide + 3) // 4
