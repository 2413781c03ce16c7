"""Reading the web pages that an answer cites."""

from collections.abc import Iterator, Mapping
from typing import Any

from shared.conversations import Citation
from shared.plugins.lenient_json import number_at, text_at

MAX_SOURCES = 128  # where the events before have told as many, no more are taken


class Sources:
    """The pages that one answer cites, each once: some servers tell all of them again and again."""

    def __init__(self) -> None:
        self._cited: dict[Citation, None] = {}
        self._found: dict[str, str] = {}  # titles by address, of pages that are told beside the answer

    def read_annotations(self, annotations: Any) -> None:
        """Take pages as OpenAI's chat completions tell them; what has no address is left out."""
        if len(self._cited) < MAX_SOURCES:
            self._cited |= dict.fromkeys(_cited_in(annotations))

    def read_beside(self, chunk: Mapping[str, Any]) -> None:
        """Take pages as Perplexity tells them beside its choices: in the order of the numbers in the text."""
        for name in ("citations", "search_results"):  # the latter have titles
            for url, title in _found_in(pages) if (pages := chunk.get(name)) else ():
                if len(self._found) < MAX_SOURCES or url in self._found:
                    self._found[url] = title or self._found.get(url, "")

    def all(self) -> tuple[Citation, ...]:
        """All of them. Gateways may tell the same pages in both ways: then those that stand in the answer."""
        return tuple(self._cited) or tuple(Citation(url, title) for url, title in self._found.items())


def _cited_in(annotations: Any) -> Iterator[Citation]:
    for each in annotations if isinstance(annotations, list) else ():
        page = each.get("url_citation") if isinstance(each, dict) else None
        if isinstance(page, dict) and (url := text_at(page, "url")):
            yield Citation(url, text_at(page, "title"), number_at(page, "start_index"), number_at(page, "end_index"))


def _found_in(pages: Any) -> Iterator[tuple[str, str]]:
    """The address and the title of each page, which may be an address alone."""
    for each in pages if isinstance(pages, list) else ():
        page = each if isinstance(each, dict) else {"url": each}
        url = text_at(page, "url")
        if url.startswith(("http://", "https://")):
            yield url, text_at(page, "title")
