"""The legacy `/v1/completions` on a server: a chat's log probabilities in the legacy shape."""

from typing import Any

import pytest

from tests.openai_server import Answer, OpenAiPeer
from tests.proxy.api.openapi.test_described_calls import invalid_values
from tests.proxy.running import RunningProxy
from tests.proxy.upstreams.openai_server.api_clients import MODEL, SITES
from tests.site import SimulatedSite

ONE = {"one ": -0.25, "one 0": -2.5, "one 1": -2.5}
TWO = {"two": -0.25, "two0": -2.5, "two1": -2.5}
LOGPROB_FIELDS = {
    "tokens": ["one ", "two"],
    "token_logprobs": [-0.25, -0.25],
    "top_logprobs": [ONE, TWO],
    "text_offset": [0, 4],
}


async def whole(proxy: RunningProxy, **fields: Any) -> Any:
    """The only choice."""
    answer = await proxy.openai.completions.create(model=MODEL, prompt="hi", **fields)
    body = answer.model_dump(exclude_unset=True)
    assert invalid_values("Completion", [body]) == []
    return body["choices"][0]


async def streamed(proxy: RunningProxy, **fields: Any) -> list[Any]:
    """All choices of the chunks."""
    stream = await proxy.openai.completions.create(model=MODEL, prompt="hi", stream=True, **fields)
    chunks = [chunk.model_dump(exclude_unset=True) async for chunk in stream]
    assert invalid_values("CompletionChunk", chunks) == []
    return [choice for chunk in chunks for choice in chunk["choices"]]


def joined_logprobs(choices: list[Any]) -> dict[str, list[Any]]:
    """Log probabilities of the chunks, joined as a client joins them."""
    pieces = [choice["logprobs"] for choice in choices if choice["logprobs"]]
    return {name: [value for piece in pieces for value in piece[name]] for name in LOGPROB_FIELDS}


async def test_a_whole_answer_has_log_probabilities(gateway: RunningProxy, server: OpenAiPeer) -> None:
    server.answers = [Answer(["one ", "two"])]

    choice = await whole(gateway, logprobs=2)

    assert (choice["text"], choice["logprobs"]) == ("one two", LOGPROB_FIELDS)
    assert (server.received[0].body["logprobs"], server.received[0].body["top_logprobs"]) == (True, 2)


async def test_each_chunk_tells_those_of_its_text(gateway: RunningProxy, server: OpenAiPeer) -> None:
    server.answers = [Answer(["one ", "two"])]

    choices = await streamed(gateway, logprobs=2)

    assert [choice["text"] for choice in choices] == ["one ", "two", ""]
    assert joined_logprobs(choices) == LOGPROB_FIELDS
    assert choices[-1] == {"index": 0, "text": "", "logprobs": None, "finish_reason": "stop"}


async def test_thoughts_are_not_shown_with_them(gateway: RunningProxy, server: OpenAiPeer) -> None:
    server.answers = [Answer(["one ", "two"], thoughts="hm")]

    choices = await streamed(gateway, logprobs=2)

    assert [choice["text"] for choice in choices] == ["one ", "two", ""]
    assert (await whole(gateway, logprobs=2))["logprobs"] == LOGPROB_FIELDS


async def test_log_probabilities_are_cut_with_the_text(gateway: RunningProxy, server: OpenAiPeer) -> None:
    server.answers = [Answer(["one ", "two", "three"])]

    choices = await streamed(gateway, logprobs=2, stop=["three"])

    assert "".join(choice["text"] for choice in choices) == "one two"
    assert joined_logprobs(choices)["text_offset"][:2] == [0, 4]


@pytest.mark.parametrize(
    ("fields", "params", "likeliest"),
    [
        ({"logprobs": 0}, {"logprobs": True}, [{"one ": -0.25}, {"two": -0.25}]),
        ({}, {}, None),
        ({"extra_body": {"logprobs": False, "top_logprobs": 2}}, {"logprobs": False}, None),
        ({"extra_body": {"logprobs": True, "top_logprobs": 2}}, {"logprobs": True, "top_logprobs": 2}, [ONE, TWO]),
    ],
)
async def test_as_many_are_asked_for_as_the_client_wants(
    gateway: RunningProxy, server: OpenAiPeer, fields: Any, params: dict[str, Any], likeliest: Any
) -> None:
    server.answers = [Answer(["one ", "two"])]

    logprobs = (await whole(gateway, **fields))["logprobs"]

    body = server.received[0].body
    assert {name: value for name, value in body.items() if "logprobs" in name} == params
    assert (logprobs and logprobs["top_logprobs"]) == likeliest


async def test_a_site_tells_none_and_the_server_that_stands_in_does(
    gateway: RunningProxy, server: OpenAiPeer, site: SimulatedSite
) -> None:
    server.answers = [Answer(["one ", "two"])]
    create = gateway.openai.completions.with_raw_response.create

    of_site = await create(model=SITES, prompt="hi", logprobs=2)
    site.behaviour.ajax_status = 500
    of_server = await create(model=SITES, prompt="hi", logprobs=2)

    assert of_site.headers["x-ignored-params"] == "logprobs"
    assert of_site.parse().choices[0].logprobs is None
    assert of_server.headers["x-fallback-model"] == MODEL
    logprobs = of_server.parse().choices[0].logprobs
    assert (logprobs and logprobs.tokens) == ["one ", "two"]
