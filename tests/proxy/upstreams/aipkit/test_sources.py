"""Pages that a site cites, as sources of an answer."""

from typing import Any

import pytest

from proxy.upstreams.aipkit.reader import sources
from shared.conversations import Citation


def test_citations_become_sources_and_those_without_an_address_are_left_out() -> None:
    cited: list[dict[str, Any]] = [
        {"url": "https://a", "source_title": "A", "start_char_index": 1, "end_char_index": 2},
        {"title": "B"},
    ]

    assert sources(cited) == (Citation("https://a", "A", 1, 2),)


@pytest.mark.parametrize("position", [-1, 2**53, True, "2", 1.5, None])
def test_an_invalid_position_becomes_the_start_of_the_text(position: object) -> None:
    cited = {"url": "https://a", "title": "A", "start_char_index": position, "end_char_index": position}

    assert sources([cited]) == (Citation("https://a", "A"),)
