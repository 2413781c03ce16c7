"""The legacy `/v1/completions` on a server: the log probabilities that a chat tells, in the legacy shape."""

from typing import Any

import pytest

from tests.openai_server import OpenAiPeer, Said
from tests.proxy.api.test_described_calls import wrong
from tests.proxy.running import RunningProxy
from tests.proxy.upstreams.openai_server.thoughts import MODEL, SITES
from tests.site import SimulatedSite

ONE = {"one ": -0.25, "one 0": -2.5, "one 1": -2.5}
TWO = {"two": -0.25, "two0": -2.5, "two1": -2.5}
TOLD = {
    "tokens": ["one ", "two"],
    "token_logprobs": [-0.25, -0.25],
    "top_logprobs": [ONE, TWO],
    "text_offset": [0, 4],
}


async def whole(proxy: RunningProxy, **fields: Any) -> Any:
    """The only choice."""
    answer = await proxy.openai.completions.create(model=MODEL, prompt="hi", **fields)
    told = answer.model_dump(exclude_unset=True)
    assert wrong("Completion", [told]) == []
    return told["choices"][0]


async def streamed(proxy: RunningProxy, **fields: Any) -> list[Any]:
    """All choices of the chunks."""
    stream = await proxy.openai.completions.create(model=MODEL, prompt="hi", stream=True, **fields)
    chunks = [chunk.model_dump(exclude_unset=True) async for chunk in stream]
    assert wrong("CompletionChunk", chunks) == []
    return [choice for chunk in chunks for choice in chunk["choices"]]


def together(choices: list[Any]) -> dict[str, list[Any]]:
    """What was told piece by piece, as a client puts it together."""
    pieces = [choice["logprobs"] for choice in choices if choice["logprobs"]]
    return {name: [value for piece in pieces for value in piece[name]] for name in TOLD}


async def test_a_whole_answer_tells_them(served: RunningProxy, server: OpenAiPeer) -> None:
    server.answers = [Said(["one ", "two"])]

    choice = await whole(served, logprobs=2)

    assert (choice["text"], choice["logprobs"]) == ("one two", TOLD)
    assert (server.asked[0].body["logprobs"], server.asked[0].body["top_logprobs"]) == (True, 2)


async def test_each_chunk_tells_those_of_its_text(served: RunningProxy, server: OpenAiPeer) -> None:
    server.answers = [Said(["one ", "two"])]

    choices = await streamed(served, logprobs=2)

    assert [choice["text"] for choice in choices] == ["one ", "two", ""]
    assert together(choices) == TOLD
    assert choices[-1] == {"index": 0, "text": "", "logprobs": None, "finish_reason": "stop"}


async def test_thoughts_are_not_shown_with_them(served: RunningProxy, server: OpenAiPeer) -> None:
    server.answers = [Said(["one ", "two"], thoughts="hm")]

    choices = await streamed(served, logprobs=2)

    assert [choice["text"] for choice in choices] == ["one ", "two", ""]
    assert (await whole(served, logprobs=2))["logprobs"] == TOLD


async def test_they_are_told_where_the_text_is_cut_here(served: RunningProxy, server: OpenAiPeer) -> None:
    server.answers = [Said(["one ", "two", "three"])]

    choices = await streamed(served, logprobs=2, stop=["three"])

    assert "".join(choice["text"] for choice in choices) == "one two"
    assert together(choices)["text_offset"][:2] == [0, 4]


@pytest.mark.parametrize(
    ("fields", "asked", "likeliest"),
    [
        ({"logprobs": 0}, {"logprobs": True}, [{"one ": -0.25}, {"two": -0.25}]),
        ({}, {}, None),
        ({"extra_body": {"logprobs": False, "top_logprobs": 2}}, {"logprobs": False}, None),
        ({"extra_body": {"logprobs": True, "top_logprobs": 2}}, {"logprobs": True, "top_logprobs": 2}, [ONE, TWO]),
    ],
)
async def test_as_many_are_asked_for_as_the_client_wants(
    served: RunningProxy, server: OpenAiPeer, fields: Any, asked: dict[str, Any], likeliest: Any
) -> None:
    server.answers = [Said(["one ", "two"])]

    told = (await whole(served, **fields))["logprobs"]

    body = server.asked[0].body
    assert {name: value for name, value in body.items() if "logprobs" in name} == asked
    assert (told and told["top_logprobs"]) == likeliest


async def test_a_site_tells_none_and_the_server_that_stands_in_does(
    served: RunningProxy, server: OpenAiPeer, site: SimulatedSite
) -> None:
    server.answers = [Said(["one ", "two"])]
    create = served.openai.completions.with_raw_response.create

    of_site = await create(model=SITES, prompt="hi", logprobs=2)
    site.behaviour.ajax_status = 500
    of_server = await create(model=SITES, prompt="hi", logprobs=2)

    assert of_site.headers["x-ignored-params"] == "logprobs"
    assert of_site.parse().choices[0].logprobs is None
    assert of_server.headers["x-fallback-model"] == MODEL
    told = of_server.parse().choices[0].logprobs
    assert (told and told.tokens) == ["one ", "two"]
