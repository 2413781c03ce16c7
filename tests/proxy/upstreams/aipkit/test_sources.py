"""Pages that a site cites, as sources of an answer."""

from typing import Any

import pytest

from proxy.upstreams.aipkit.reader import ReplyReader, sources
from proxy.upstreams.event_decoder import ServerEvent
from shared.conversations import Citation
from tests.proxy.running import RunningProxy
from tests.site import SimulatedSite


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


def cited(*events: tuple[str, str]) -> list[dict[str, Any]]:
    reader = ReplyReader("Google")
    for name, data in (*events, ("done", '{"finished":true}')):
        reader.read(ServerEvent(name, data))
    return reader.citations


PAGE = ("grounding_metadata", '{"groundingChunks":[{"web":{"uri":"https://a","title":"A"}},{"retrievedContext":{}},5]}')


def test_pages_in_googles_own_form_count_where_there_is_no_other() -> None:
    assert cited(PAGE, ("grounding_metadata", "{}")) == [{"url": "https://a", "title": "A"}]
    assert cited(("citations", '[{"url":"https://b"}]'), PAGE) == [{"url": "https://b"}]


@pytest.mark.parametrize("data", ["5", "{}", '{"groundingChunks":{}}', '{"groundingChunks":[{"web":[]}]}'])
def test_grounding_without_pages_cites_none(data: str) -> None:
    assert cited(("grounding_metadata", data)) == []


@pytest.mark.parametrize("version", ["2.3", "2.3.69"])
async def test_sources_of_google_under_an_old_plugin_reach_the_client(
    proxy: RunningProxy, site: SimulatedSite, version: str
) -> None:
    site.behaviour.version = version

    answer = await proxy.chat("hi", model="gemini-flash", web_search=True)

    (annotation,) = answer.body["choices"][0]["message"]["annotations"]
    assert annotation["url_citation"]["url"] == "https://example.invalid/a"
