"""The pages that a site cites, as what an answer rests on."""

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


@pytest.mark.parametrize("place", [-1, 2**53, True, "2", 1.5, None])
def test_what_is_no_place_in_a_text_is_its_beginning(place: object) -> None:
    cited = {"url": "https://a", "title": "A", "start_char_index": place, "end_char_index": place}

    assert sources([cited]) == (Citation("https://a", "A"),)
