"""Reading the content of an answer that comes as parts in place of a string."""

from typing import Any

from proxy.chat.extras import THINKING


def text_of(content: Any) -> str:
    """The text in content that comes as parts; thoughts are others of them."""
    parts = [part for part in _parts_of(content) if part.get("type") in ("text", "output_text")]
    return "".join(text for part in parts if isinstance(text := part.get("text"), str))


def thoughts_of(content: Any) -> str:
    """The thoughts in such content; each part holds a text, or parts again."""
    inner = [part.get(THINKING) for part in _parts_of(content) if part.get("type") == THINKING]
    return "".join(each if isinstance(each, str) else text_of(each) for each in inner)


def _parts_of(content: Any) -> list[dict[str, Any]]:
    return [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
