"""What WordPress, PHP and their JSON make of a text that is sent to them."""

import re

PHP_BLANKS = " \t\n\r\0\x0b"  # what PHP's trim() removes
_SURROGATE = re.compile("[\ud800-\udfff]").search


def as_utf8(text: str) -> str:
    """*text* as UTF-8 can hold it: halves of surrogate pairs, for which a site refuses or empties all of a message,
    become replacement characters."""
    if _SURROGATE(text) is None:
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def look_at(images: int) -> str:
    """What is said where pictures come without a word: sites drop them, or refuse the message."""
    return f"Please look at the attached {'image' if images == 1 else 'images'}."
