"""Reading the web pages that an answer cites, as OpenAI's chat completions tell them."""

from collections.abc import Iterator
from typing import Any

from shared.conversations import Citation
from shared.plugins.lenient_json import number_at, text_at


def citations_in(annotations: Any) -> Iterator[Citation]:
    """The pages in *annotations*; what has no address is left out."""
    for each in annotations if isinstance(annotations, list) else ():
        page = each.get("url_citation") if isinstance(each, dict) else None
        if isinstance(page, dict) and (url := text_at(page, "url")):
            yield Citation(url, text_at(page, "title"), number_at(page, "start_index"), number_at(page, "end_index"))
