"""The web pages that a server's answer cites, as OpenAI's search models and OpenRouter tell them."""

import json
from pathlib import Path
from typing import Any

from proxy.api.app_keys import UPSTREAMS
from proxy.upstreams.openai_server.citations import MAX_SOURCES
from proxy.upstreams.openai_server.reader import ChunkReader
from tests.openai_server import OpenAiPeer
from tests.proxy.api.messages.messages_client import message
from tests.proxy.running import RunningProxy, running_proxy
from tests.proxy.upstreams.openai_server.api_clients import MODEL, messaged, responded
from tests.proxy.upstreams.openai_server.test_extras import choices_of
from tests.proxy.upstreams.openai_server.test_failover import streamed
from tests.site import SimulatedSite

PAGE: Any = {"url": "https://a.example/x", "title": "A", "start_index": 4, "end_index": 9}
BARE: Any = {"url": "https://b.example/"}
FOUND: Any = [PAGE, {**BARE, "title": "", "start_index": 0, "end_index": 0}]


def cites(page: Any) -> Any:
    """An annotation."""
    return {"type": "url_citation", "url_citation": page}


def answering(*deltas: Any) -> bytes:
    """A streamed answer."""
    chunks = [{"choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    return "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks).encode() + b"data: [DONE]\n\n"


async def test_cited_pages_are_told_once_in_each_api(gateway: RunningProxy, server: OpenAiPeer) -> None:
    others = [{"type": "file_citation", "file_citation": {}}, cites({"title": "nowhere"}), cites(None), "x"]
    deltas = ({"content": "See ", "annotations": []}, {"content": "there"}, {"annotations": [cites(PAGE), *others]})
    server.answers = [answering(*deltas, {"annotations": [cites(PAGE), cites(BARE)]}, {"annotations": "x"})]

    whole = (await gateway.chat("hi", model=MODEL)).body["choices"][0]["message"]
    chunks = choices_of(await streamed(gateway, MODEL))
    output = (await responded(gateway))["output"][0]["content"][0]
    block = message(await messaged(gateway, stream=False))["content"][0]

    assert (whole["content"], whole["annotations"]) == ("See there", [cites(page) for page in FOUND])
    assert [delta for each in chunks if (delta := each["delta"].get("annotations"))] == [whole["annotations"]]
    assert output["annotations"] == [{"type": "url_citation", **page} for page in FOUND]
    assert [(each["url"], each["title"]) for each in block["citations"]] == [
        (page["url"], page["title"]) for page in FOUND
    ]


async def test_pages_that_are_told_beside_the_choices_are_sources_too(
    gateway: RunningProxy, server: OpenAiPeer
) -> None:
    results = [{"title": "A", "url": PAGE["url"], "date": None, "snippet": "x"}, {"title": "no address"}, None, 5]
    choice = {"index": 0, "delta": {"content": "See [1][2]."}, "finish_reason": None}
    urls: Any = {"citations": [PAGE["url"], BARE["url"], "nowhere", 7]}
    last = {**urls, "search_results": results, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    chunks = [{**urls, "choices": [choice]}, last, {**urls, "choices": []}, {"citations": 7, "choices": []}]
    server.answers = ["".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks).encode() + b"data: [DONE]\n\n"]

    whole = (await gateway.chat("hi", model=MODEL)).body["choices"][0]["message"]
    output = (await responded(gateway))["output"][0]["content"][0]
    block = message(await messaged(gateway, stream=False))["content"][0]

    told = [{**PAGE, "start_index": 0, "end_index": 0}, FOUND[1]]
    assert (whole["content"], whole["annotations"]) == ("See [1][2].", [cites(page) for page in told])
    assert output["annotations"] == [{"type": "url_citation", **page} for page in told]
    assert [(each["url"], each["title"]) for each in block["citations"]] == [(PAGE["url"], "A"), (BARE["url"], "")]


async def test_pages_that_are_told_in_both_ways_are_told_once(gateway: RunningProxy, server: OpenAiPeer) -> None:
    said = {"role": "assistant", "content": "See there", "annotations": [cites(PAGE)]}
    answer = {"citations": [PAGE["url"]], "choices": [{"index": 0, "message": said, "finish_reason": "stop"}]}
    server.answers = [json.dumps(answer).encode()]

    whole = (await gateway.chat("hi", model=MODEL)).body["choices"][0]["message"]

    assert whole["annotations"] == [cites(PAGE)]


async def test_what_a_site_found_passes_two_proxies(site: SimulatedSite, tmp_path: Path) -> None:
    async with (
        running_proxy(site, tmp_path / "back") as back,
        running_proxy(site, tmp_path / "front", captured=False, servers=f"back={back.url}") as front,
    ):
        await front.app[UPSTREAMS][1].discover()
        near = await back.chat("news", model="web-search-bot", web_search=True)
        far = await front.chat("news", model="back/web-search-bot", web_search_options={})

    told = near.body["choices"][0]["message"]["annotations"]
    assert told
    assert far.body["choices"][0]["message"]["annotations"] == told


def test_pages_without_end_are_not_all_kept() -> None:
    reader = ChunkReader("s", None, lambda: "call_1")
    for number in range(MAX_SOURCES + 10):
        delta = {"annotations": [cites({"url": f"https://a.example/{number}"})]}
        reader.take({"choices": [{"delta": delta, "finish_reason": "stop"}]})
    beside = ChunkReader("s", None, lambda: "call_1")
    urls = [f"https://a.example/{number}" for number in range(MAX_SOURCES + 10)]
    beside.take({"citations": urls, "choices": [{"delta": {"content": "x"}, "finish_reason": "stop"}]})

    beside.take({"search_results": [{"url": urls[-1], "title": "Late"}, {"url": urls[0], "title": "First"}]})

    assert len(reader.end().sources) == len(beside.end().sources) == MAX_SOURCES
    assert beside.end().sources[0].title == "First"  # titles of those that are known still come
