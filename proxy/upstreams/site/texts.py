"""How WordPress, PHP and their JSON change a text that is sent to them."""

PHP_BLANKS = " \t\n\r\0\x0b"  # what PHP's trim() removes


def look_at(images: int) -> str:
    """The text to send with pictures that come without one: sites drop them, or refuse the message."""
    return f"Please look at the attached {'image' if images == 1 else 'images'}."
