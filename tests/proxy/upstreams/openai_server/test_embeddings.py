"""Embeddings through the proxy: they go to the server that lists the model."""

from pathlib import Path

import openai
import pytest

from proxy.api.app_keys import UPSTREAMS, USAGE
from proxy.upstreams.breaker import FAILURES_TO_OPEN
from tests.openai_server import OpenAiPeer, Refused
from tests.proxy.running import RunningProxy, running_proxy
from tests.proxy.upstreams.openai_server.conftest import KEY
from tests.site import SimulatedSite


async def test_they_are_those_of_the_server_that_lists_the_model(served: RunningProxy, server: OpenAiPeer) -> None:
    made = await served.openai.embeddings.create(
        model="mine/llama3.2", input=["a text"], dimensions=2, encoding_format="float"
    )

    assert made.data[0].embedding == [0.25, -1.0]
    asked = server.asked[0].body
    assert (asked["model"], asked["input"], asked["dimensions"]) == ("llama3.2:latest", ["a text"], 2)
    assert served.app[USAGE].totals["mine/llama3.2", "mine"]["tokens_in"] == 5


@pytest.mark.parametrize(
    ("vector", "told"),
    [([0.25, -1.0], "AACAPgAAgL8="), ("AACAPgAAgL8=", "AACAPgAAgL8="), ([1e39], [1e39]), (["a"], ["a"])],
)
async def test_base64_is_given_where_it_was_asked_for(
    served: RunningProxy, server: OpenAiPeer, vector: object, told: object
) -> None:
    server.answers = [Refused(200, {"data": [{"embedding": vector, "index": 0}]})]  # some servers know lists alone

    body = {"model": "mine/tiny", "input": "a text", "encoding_format": "base64"}
    async with served.http.post(f"{served.url}/v1/embeddings", json=body) as response:
        assert await response.json() == {"data": [{"embedding": told, "index": 0}]}


async def test_half_a_surrogate_pair_costs_a_character(served: RunningProxy, server: OpenAiPeer) -> None:
    body = {"model": "mine/tiny", "input": "a\ud83d"}
    async with served.http.post(f"{served.url}/v1/embeddings", json=body) as response:
        assert response.status == 200

    assert server.asked[0].body["input"] == "a\ufffd"


@pytest.mark.parametrize(
    ("model", "why"), [("gpt-4o-mini-helper", "makes no embeddings"), ("unheard-of", "does not exist here")]
)
async def test_a_model_of_no_server_makes_none(served: RunningProxy, server: OpenAiPeer, model: str, why: str) -> None:
    with pytest.raises(openai.NotFoundError) as refused:
        await served.openai.embeddings.create(model=model, input="a text")

    assert refused.value.code == "model_not_found"
    assert why in refused.value.message
    assert not server.asked


@pytest.mark.parametrize(
    ("refused", "status"),
    [
        (Refused(400, {"error": {"message": f"no embeddings here, {KEY}"}}), 400),
        (Refused(200, {"error": "it broke"}), 502),
        (Refused(200, "a page"), 502),
        (Refused(401), 503),
    ],
)
async def test_errors_keep_their_meaning(
    served: RunningProxy, server: OpenAiPeer, refused: Refused, status: int
) -> None:
    server.answers = [refused]

    with pytest.raises(openai.APIStatusError) as raised:
        await served.openai.embeddings.create(model="mine/tiny", input="a text")

    assert raised.value.status_code == status
    assert KEY not in str(raised.value)
    assert served.app[USAGE].totals["mine/tiny", "mine"].keys() >= {"requests", f"error:{raised.value.code}"}
    assert "rejected" not in served.app[USAGE].totals["mine/tiny", "mine"]


async def test_a_server_that_is_left_alone_costs_no_request_where_another_has_the_model(
    site: SimulatedSite, server: OpenAiPeer, tmp_path: Path
) -> None:
    async with (
        OpenAiPeer("tiny") as other,
        running_proxy(
            site, tmp_path, servers=f"mine={server.base_url},other={other.base_url}", server_keys=f"mine={KEY}"
        ) as proxy,
    ):
        for upstream in proxy.app[UPSTREAMS][1:]:
            await upstream.discover()
        server.answers = [Refused(500)]

        for _ in range(FAILURES_TO_OPEN + 1):
            await proxy.openai.embeddings.create(model="tiny", input="a text", encoding_format="float")

    assert len(server.asked) == FAILURES_TO_OPEN
    assert len(other.asked) == FAILURES_TO_OPEN + 1


@pytest.mark.parametrize("body", [{"input": "x"}, {"model": "mine/tiny"}, {"model": "mine/tiny", "input": []}])
async def test_what_makes_no_sense_is_400(served: RunningProxy, body: dict[str, object]) -> None:
    async with served.http.post(f"{served.url}/v1/embeddings", json=body) as response:
        assert response.status == 400
