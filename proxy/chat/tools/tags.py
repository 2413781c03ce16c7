"""Tags with which models mark calls; full-width bars and vendors' prefixes are removed."""

import re
from typing import Literal, NamedTuple

MAX_TAG = 200  # characters
PREFIXES = ("DSML", "antml:", "minimax:", "seed:", "steptml:", "xai:")  # as each maker's models write them
_ATTRIBUTE = re.compile(r"""([\w.-]+)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""")
_NAME = re.compile(r"[\w.-]+(?![^ =/])")

# What may begin calls; each may close, or carry attributes. A bare `<function>` is not one of them.
OPENERS = (
    *("tool_call", "tool_calls", "function_call", "function_calls", "invoke", "tool_name", "function=", "python_tag"),
    *("tool_call_begin", "tool_calls_begin", "tool_calls_section_begin", "tool_call_section_begin", "python_start"),
)
# The same as they stand before attributes, or what closes a tag at once.
_OPENED = ("function=", "function ", *(word + end for word in OPENERS for end in " /"))
FIRST_LETTERS = "|｜ " + "".join({word[0] for word in (*PREFIXES, *OPENERS)})


class Tag(NamedTuple):
    """One tag: `<name …>`, `</name>` or `<name=value>`."""

    name: str
    value: str  # after `=`, else the attribute `name`
    is_closing: bool
    is_empty: bool  # `<name/>`: nothing is in it
    attributes: dict[str, str]
    length: int


def read_tag(text: str, at: int) -> Tag | Literal["more"] | None:
    """The tag that begins at *at*; `"more"` where the text ends within a possible one."""
    end = text.find(">", at, at + MAX_TAG)
    inner = text[at + 1 : end if end >= 0 else at + MAX_TAG]
    if "\n" in inner or "<" in inner:
        return None
    if end < 0:
        return "more" if len(text) - at < MAX_TAG else None
    plain = _plain(inner)
    closing = plain.startswith("/")
    plain = _plain(plain[1:]) if closing else plain
    empty, plain = plain.endswith("/"), plain.removesuffix("/")
    name = _NAME.match(plain)
    if name is None:
        return None
    rest = plain[name.end() :].strip()
    attributes = {match[1]: match[2] or match[3] or match[4] or "" for match in _ATTRIBUTE.finditer(rest)}
    value = rest[1:].strip(" \"'") if rest.startswith("=") else attributes.get("name", "")
    return Tag(name[0], value, closing, empty, attributes, end + 1 - at)


def opens_call(text: str, at: int) -> bool | Literal["more"]:
    """Whether a tag that begins calls is at *at*."""
    tag = read_tag(text, at)
    if tag is None:
        return False
    if tag == "more":
        return "more" if _may_open(_plain(text[at + 1 :])) else False
    name = f"{tag.name}=" if tag.name == "function" and tag.value else tag.name
    return name in OPENERS and not tag.is_closing


def _plain(inner: str) -> str:
    """The inside of a tag without bars and prefixes."""
    inner = inner.replace("｜", "|").replace("▁", "_").strip("|")
    for prefix in PREFIXES:
        inner = inner.removeprefix(prefix).strip("|")
    return inner.strip()


def _may_open(plain: str) -> bool:
    """Whether *plain*, the beginning of a tag, may become one that begins calls."""
    return plain.startswith(_OPENED) or any(word.startswith(plain) for word in (*PREFIXES, *OPENERS))
