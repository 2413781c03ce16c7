"""Embeddings through the proxy: they go to the server that lists the model."""

import asyncio
from pathlib import Path

import openai
import pytest

from proxy.api.app_keys import UPSTREAMS, USAGE
from proxy.upstreams.breaker import FAILURES_TO_OPEN
from tests.openai_server import HttpError, OpenAiPeer
from tests.proxy.running import RunningProxy, running_proxy
from tests.proxy.upstreams.openai_server.conftest import KEY
from tests.site import SimulatedSite


async def test_embeddings_come_from_the_server_that_lists_the_model(gateway: RunningProxy, server: OpenAiPeer) -> None:
    embeddings = await gateway.openai.embeddings.create(
        model="mine/llama3.2", input=["a text"], dimensions=2, encoding_format="float"
    )

    assert embeddings.data[0].embedding == [0.25, -1.0]
    sent = server.received[0].body
    assert (sent["model"], sent["input"], sent["dimensions"]) == ("llama3.2:latest", ["a text"], 2)
    assert gateway.app[USAGE].totals["mine/llama3.2", "mine"]["tokens_in"] == 5


@pytest.mark.parametrize(
    ("vector", "value"),
    [([0.25, -1.0], "AACAPgAAgL8="), ("AACAPgAAgL8=", "AACAPgAAgL8="), ([1e39], [1e39]), (["a"], ["a"])],
)
async def test_base64_is_given_where_it_was_asked_for(
    gateway: RunningProxy, server: OpenAiPeer, vector: object, value: object
) -> None:
    server.answers = [HttpError(200, listing(vector))]  # some servers know lists alone

    body = {"model": "mine/tiny", "input": "a text", "encoding_format": "base64"}
    async with gateway.http.post(f"{gateway.url}/v1/embeddings", json=body) as response:
        assert await response.json() == listing(value)


def listing(*vectors: object, **fields: object) -> dict[str, object]:
    """What OpenAI answers."""
    data = [{"object": "embedding", "index": index, "embedding": each} for index, each in enumerate(vectors)]
    usage = {"prompt_tokens": 5, "total_tokens": 5}
    return {"object": "list", "data": data, "model": "tiny", "usage": usage, **fields}


@pytest.mark.parametrize("encoding", [{}, {"encoding_format": "base64"}])
@pytest.mark.parametrize(
    ("usage", "tokens"), [({}, 0), ({"usage": None}, 0), ({"usage": {"total_tokens": 7}}, 7)], ids=str
)
async def test_what_a_server_leaves_out_and_openai_always_tells_is_added(
    gateway: RunningProxy, server: OpenAiPeer, usage: dict[str, object], tokens: int, encoding: dict[str, str]
) -> None:
    """Google's endpoint tells no usage and no index 0, others no tokens of the prompt."""
    server.answers = [HttpError(200, {"data": [{"embedding": "AA=="}, {"embedding": "AQ==", "index": 1}], **usage})]

    body = {"model": "mine/tiny", "input": ["a", "b"], **encoding}
    async with gateway.http.post(f"{gateway.url}/v1/embeddings", json=body) as response:
        answer = await response.json()

    assert answer == listing("AA==", "AQ==", usage={"prompt_tokens": tokens, "total_tokens": tokens})
    assert gateway.app[USAGE].totals["mine/tiny", "mine"].get("tokens_in", 0) == tokens


async def test_a_lone_surrogate_costs_a_character(gateway: RunningProxy, server: OpenAiPeer) -> None:
    body = {"model": "mine/tiny", "input": "a\ud83d"}
    async with gateway.http.post(f"{gateway.url}/v1/embeddings", json=body) as response:
        assert response.status == 200

    assert server.received[0].body["input"] == "a\ufffd"


@pytest.mark.parametrize(
    ("model", "why"), [("gpt-4o-mini-helper", "makes no embeddings"), ("unheard-of", "does not exist here")]
)
async def test_a_model_of_no_server_is_an_error(
    gateway: RunningProxy, server: OpenAiPeer, model: str, why: str
) -> None:
    with pytest.raises(openai.NotFoundError) as exc_info:
        await gateway.openai.embeddings.create(model=model, input="a text")

    assert exc_info.value.code == "model_not_found"
    assert why in exc_info.value.message
    assert not server.received


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (HttpError(400, {"error": {"message": f"no embeddings here, {KEY}"}}), 400),
        (HttpError(200, {"error": "it broke"}), 502),
        (HttpError(200, "a page"), 502),
        (HttpError(401), 503),
    ],
)
async def test_errors_keep_their_meaning(
    gateway: RunningProxy, server: OpenAiPeer, error: HttpError, status: int
) -> None:
    server.answers = [error]

    with pytest.raises(openai.APIStatusError) as exc_info:
        await gateway.openai.embeddings.create(model="mine/tiny", input="a text")

    assert exc_info.value.status_code == status
    assert KEY not in str(exc_info.value)
    assert gateway.app[USAGE].totals["mine/tiny", "mine"].keys() >= {"requests", f"error:{exc_info.value.code}"}
    assert "rejected" not in gateway.app[USAGE].totals["mine/tiny", "mine"]


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
        server.answers = [HttpError(500)]

        for _ in range(FAILURES_TO_OPEN + 1):
            await proxy.openai.embeddings.create(model="tiny", input="a text", encoding_format="float")

    assert len(server.received) == FAILURES_TO_OPEN
    assert len(other.received) == FAILURES_TO_OPEN + 1


async def test_a_server_that_fails_again_and_again_is_left_alone(gateway: RunningProxy, server: OpenAiPeer) -> None:
    server.answers = [HttpError(500)]
    codes = []
    for _ in range(FAILURES_TO_OPEN + 1):
        with pytest.raises(openai.InternalServerError) as exc_info:
            await gateway.openai.embeddings.create(model="mine/tiny", input="a text")
        codes.append(exc_info.value.code)

    assert codes == [*["upstream_error"] * FAILURES_TO_OPEN, "site_unavailable"]
    assert len(server.received) == FAILURES_TO_OPEN


async def test_where_all_servers_say_when_to_come_again_the_soonest_is_told(
    site: SimulatedSite, tmp_path: Path
) -> None:
    async with OpenAiPeer() as server, OpenAiPeer() as other:
        server.answers = [HttpError(429, headers={"Retry-After": "7"})]
        other.answers = [HttpError(429, headers={"Retry-After": "90"})]
        listed = f"mine={server.base_url},other={other.base_url}"
        async with running_proxy(site, tmp_path, servers=listed) as proxy:
            for upstream in proxy.app[UPSTREAMS][1:]:
                await upstream.discover()
            with pytest.raises(openai.RateLimitError) as exc_info:
                await proxy.openai.embeddings.create(model="tiny", input="a text")

    assert exc_info.value.response.headers["retry-after"] == "7"


@pytest.mark.parametrize("body", [{"input": "x"}, {"model": "mine/tiny"}, {"model": "mine/tiny", "input": []}])
async def test_what_makes_no_sense_is_400(gateway: RunningProxy, body: dict[str, object]) -> None:
    async with gateway.http.post(f"{gateway.url}/v1/embeddings", json=body) as response:
        assert response.status == 400


async def test_a_restart_of_the_only_server_is_bridged(site: SimulatedSite, tmp_path: Path) -> None:
    async with (
        OpenAiPeer("tiny") as server,
        running_proxy(site, tmp_path, servers=f"mine={server.base_url}") as proxy,
    ):
        upstream = proxy.app[UPSTREAMS][1]
        await upstream.discover()
        await server.stop()
        making = asyncio.create_task(
            proxy.openai.embeddings.create(model="mine/tiny", input="a text", encoding_format="float")
        )
        async with asyncio.timeout(5):
            while not upstream.health().open_streams:
                await asyncio.sleep(0)
            while upstream.health().open_streams:  # it waits for another try without a slot
                await asyncio.sleep(0)
        await server.start(server.port)

        assert (await making).data[0].embedding == [0.25, -1.0]


async def test_a_server_that_is_away_is_not_waited_for_where_another_has_the_model(
    site: SimulatedSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proxy.chat.upstream.restart_pause", lambda attempts: 1000.0)
    async with (
        OpenAiPeer("tiny") as first,
        OpenAiPeer("tiny") as other,
        running_proxy(site, tmp_path, servers=f"mine={first.base_url},other={other.base_url}") as proxy,
    ):
        for upstream in proxy.app[UPSTREAMS][1:]:
            await upstream.discover()
        await first.stop()
        async with asyncio.timeout(30):
            made = await proxy.openai.embeddings.create(model="tiny", input="a text", encoding_format="float")
        assert made.data[0].embedding == [0.25, -1.0]
        await first.start(first.port)


async def test_a_server_that_stays_away_is_told_after_some_tries(
    site: SimulatedSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proxy.chat.upstream.restart_pause", lambda attempts: 0.01)
    async with OpenAiPeer("tiny") as server, running_proxy(site, tmp_path, servers=f"mine={server.base_url}") as proxy:
        await proxy.app[UPSTREAMS][1].discover()
        await server.stop()
        with pytest.raises(openai.InternalServerError) as exc_info:
            await proxy.openai.embeddings.create(model="mine/tiny", input="a text")
        await server.start(server.port)

    assert exc_info.value.code == "upstream_unreachable"
