"""What WordPress, PHP and their JSON make of a text that is sent to them."""

PHP_BLANKS = " \t\n\r\0\x0b"  # what PHP's trim() removes


def look_at(images: int) -> str:
    """What is said where pictures come without a word: sites drop them, or refuse the message."""
    return f"Please look at the attached {'image' if images == 1 else 'images'}."
