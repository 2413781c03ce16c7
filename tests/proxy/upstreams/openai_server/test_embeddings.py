"""Embeddings through the proxy: they go to the server that lists the model."""

import openai
import pytest

from proxy.api.app_keys import USAGE
from tests.openai_server import OpenAiPeer, Refused
from tests.proxy.running import RunningProxy
from tests.proxy.upstreams.openai_server.conftest import KEY


async def test_they_are_those_of_the_server_that_lists_the_model(served: RunningProxy, server: OpenAiPeer) -> None:
    made = await served.openai.embeddings.create(
        model="mine/llama3.2", input=["a text"], dimensions=2, encoding_format="float"
    )

    assert made.data[0].embedding == [0.25, -1.0]
    asked = server.asked[0].body
    assert (asked["model"], asked["input"], asked["dimensions"]) == ("llama3.2:latest", ["a text"], 2)
    assert served.app[USAGE].totals["mine/llama3.2", "mine"]["tokens_in"] == 5


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


@pytest.mark.parametrize("body", [{"input": "x"}, {"model": "mine/tiny"}, {"model": "mine/tiny", "input": []}])
async def test_what_makes_no_sense_is_400(served: RunningProxy, body: dict[str, object]) -> None:
    async with served.http.post(f"{served.url}/v1/embeddings", json=body) as response:
        assert response.status == 400
