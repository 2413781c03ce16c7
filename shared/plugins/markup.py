"""Finding the elements of a page's HTML that hold a plugin's configuration, without a browser."""

import re
from collections.abc import Collection
from html.parser import HTMLParser

from shared.plugins.lenient_json import read_json, text_at

_EMPTY_END, _COMMENT_END = re.compile("-?>"), re.compile("--!?>")


def elements_in(html: str, attributes: Collection[str]) -> list[dict[str, str]]:
    """For each element with some of these attributes: those and its `class`, HTML-unescaped, in the page's order."""
    if not any(name in html for name in attributes):
        return []
    found = _Elements(attributes)
    found.feed(html)
    return found.elements


def pages_in(body: bytes) -> list[str]:
    """The HTML of a page, or that in core REST's JSON of one page or several (PROTOCOL 14)."""
    value = read_json(body)
    contents = [
        each.get("content") for each in (value if isinstance(value, list) else [value]) if isinstance(each, dict)
    ]
    rendered = [text_at(content, "rendered") for content in contents if isinstance(content, dict)]
    return list(filter(None, rendered)) or [body.decode("utf-8", "replace")]


class _Elements(HTMLParser):
    def __init__(self, attributes: Collection[str]) -> None:
        super().__init__()
        self._attributes = attributes
        self.elements: list[dict[str, str]] = []

    def parse_marked_section(self, i: int, report: bool = True) -> int:
        """`<![…` is a comment up to the next `>`, as for browsers; the parser itself fails, or ignores the rest."""
        return self.parse_bogus_comment(i)

    def parse_comment(self, i: int, report: bool = True) -> int:
        """A comment ends where it does for browsers: older parsers go on over `<!-->` and `--!>`."""
        end = _EMPTY_END.match(self.rawdata, i + 4) or _COMMENT_END.search(self.rawdata, i + 4)
        return end.end() if end else -1

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value for name, value in attrs if name in self._attributes and value}
        if found:
            self.elements.append({**found, **{name: value for name, value in attrs if name == "class" and value}})
