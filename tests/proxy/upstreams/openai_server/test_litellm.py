"""LiteLLM's proxy behind ours: its answers, errors and tools reach our clients."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
from openai import APIStatusError

from proxy.api.app_keys import UPSTREAMS
from tests.clients.litellm_server import ANSWER, GONE, KEY, MOCKED, RELAYED, running_litellm
from tests.openai_server import Answer, OpenAiPeer
from tests.ports import a_free_port
from tests.proxy.api.messages.messages_client import message
from tests.proxy.running import RunningProxy, running_proxy
from tests.proxy.upstreams.openai_server.api_clients import THINKING, messaged
from tests.site import SimulatedSite

# The first test waits for LiteLLM's start, which keeps a core busy.
pytestmark = [pytest.mark.busy, pytest.mark.timeout(240)]
TOOL: Any = {
    "type": "function",
    "function": {"name": "look", "description": "Looks.", "parameters": {"type": "object", "properties": {}}},
}


@dataclass(frozen=True)
class LiteLlm:
    """Where it listens, and where it looks for its peer."""

    base_url: str
    peer_port: int


@pytest.fixture(scope="module")
def litellm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiteLlm]:
    peer_port = a_free_port()
    with running_litellm(tmp_path_factory.mktemp("litellm"), a_free_port(), peer_port) as base_url:
        yield LiteLlm(base_url, peer_port)


@pytest.fixture
async def peer(litellm: LiteLlm) -> AsyncIterator[OpenAiPeer]:
    """The server behind LiteLLM."""
    server = OpenAiPeer("tiny")
    await server.start(litellm.peer_port)
    yield server
    await server.stop()


@pytest.fixture
async def front(site: SimulatedSite, litellm: LiteLlm, tmp_path: Path) -> AsyncIterator[RunningProxy]:
    """A proxy that has LiteLLM behind its site, and knows its models."""
    async with running_proxy(
        site,
        tmp_path,
        servers=f"lite={litellm.base_url}",
        server_keys=f"lite={KEY}",
        fallback_model="lite/mocked",
    ) as proxy:
        await proxy.app[UPSTREAMS][1].discover()
        yield proxy


async def chunks_of(proxy: RunningProxy, model: str, **fields: Any) -> list[Any]:
    """The chunks of a streamed answer, by the official client."""
    messages: Any = [{"role": "user", "content": "hi"}]
    stream = await proxy.openai.chat.completions.create(model=model, messages=messages, stream=True, **fields)
    return [chunk async for chunk in stream]


async def test_its_models_are_listed(front: RunningProxy) -> None:
    listed = {model.id async for model in front.openai.models.list()}

    assert {f"lite/{name}" for name in (*MOCKED, RELAYED, GONE)} <= listed


async def test_answers_come_whole_and_streamed_with_its_usage(front: RunningProxy) -> None:
    whole = await front.chat("hi", model="lite/mocked")
    chunks = await chunks_of(front, "lite/mocked", stream_options={"include_usage": True})

    assert whole.text == ANSWER
    assert whole.body["choices"][0]["finish_reason"] == "stop"
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == ANSWER
    assert len(chunks) > 4
    used = whole.body["usage"]
    assert used["completion_tokens"] > 0
    assert (chunks[-1].usage.prompt_tokens, chunks[-1].usage.total_tokens) == (
        used["prompt_tokens"],
        used["total_tokens"],
    )


async def test_litellm_answers_where_the_site_does_not(front: RunningProxy, site: SimulatedSite) -> None:
    site.behaviour.ajax_status = 500

    answer = await front.chat("hi")

    assert (answer.text, answer.headers["x-fallback-model"]) == (ANSWER, "lite/mocked")


@pytest.mark.parametrize(
    ("model", "status", "code"),
    [
        ("limited", 429, "rate_limit_exceeded"),
        ("too-long", 400, None),
        ("broken", 502, "upstream_error"),
        (GONE, 404, "model_not_found"),
    ],
)
@pytest.mark.usefixtures("peer")
async def test_its_errors_keep_their_status_and_meaning(
    front: RunningProxy, model: str, status: int, code: str | None
) -> None:
    whole = await front.chat("hi", model=f"lite/{model}")
    with pytest.raises(APIStatusError) as streamed:
        await chunks_of(front, f"lite/{model}")

    assert (whole.status, streamed.value.status_code) == (status, status)
    assert code is None or (whole.code, streamed.value.code) == (code, code)
    assert KEY not in str(whole.body)


async def test_a_key_that_is_refused_behind_it_is_told_as_one(front: RunningProxy, peer: OpenAiPeer) -> None:
    peer.key = "sk-which-litellm-does-not-have"

    answer = await front.chat("hi", model=f"lite/{RELAYED}")

    assert (answer.status, answer.code) == (503, "credentials_refused")


async def test_a_name_that_it_does_not_list_is_no_model(front: RunningProxy) -> None:
    answer = await front.chat("hi", model="lite/unheard-of")

    assert (answer.status, answer.code) == (404, "model_not_found")


async def test_an_answer_that_breaks_off_there_never_looks_whole(front: RunningProxy) -> None:
    answer = await front.chat("hi", model="lite/breaks-off")

    assert answer.status >= 500


async def test_with_a_wrong_key_none_of_its_models_is_there_and_it_is_told_why(
    site: SimulatedSite, litellm: LiteLlm, tmp_path: Path
) -> None:
    wrong = "sk-which-it-does-not-know"
    async with running_proxy(site, tmp_path, servers=f"lite={litellm.base_url}", server_keys=f"lite={wrong}") as proxy:
        upstream = proxy.app[UPSTREAMS][1]
        answer = await proxy.chat("hi", model="lite/mocked")

    assert (answer.status, answer.code) == (404, "model_not_found")
    problem = upstream.health().problem
    assert problem is not None
    assert problem.text.endswith("(HTTP 400)")  # without a database it knows no other keys
    assert wrong not in str(answer.body) + str(upstream.health())


async def test_all_that_it_relays_passes(front: RunningProxy, peer: OpenAiPeer) -> None:
    peer.answers = [Answer(["seen"], thoughts="hm", calls=[("look", "{}")])]
    chunks = await chunks_of(
        front, f"lite/{RELAYED}", tools=[TOOL], seed=7, logprobs=True, top_logprobs=1, extra_body={"top_k": 5}
    )
    whole = await front.chat("hi", model=f"lite/{RELAYED}", tools=[TOOL], logprobs=True, top_logprobs=1)

    deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
    assert "".join(delta.content or "" for delta in deltas) == whole.text == "seen"
    assert "".join(getattr(delta, "reasoning_content", None) or "" for delta in deltas) == "hm"
    (name,) = [call.function.name for delta in deltas for call in delta.tool_calls or () if call.function.name]
    message = whole.body["choices"][0]["message"]
    assert (name, message["tool_calls"][0]["function"]) == ("look", {"name": "look", "arguments": "{}"})
    assert message["reasoning_content"] == "hm"
    assert [token["token"] for token in whole.body["choices"][0]["logprobs"]["content"]] == ["seen"]
    assert (peer.received[0].body["seed"], peer.received[0].body["top_k"]) == (7, 5)
    assert peer.received[0].body["tools"][0]["function"]["name"] == "look"


async def test_thoughts_and_log_probabilities_that_it_relays_reach_the_other_apis(
    front: RunningProxy, peer: OpenAiPeer
) -> None:
    peer.answers = [Answer(["seen"], thoughts="hm")]
    response = await front.openai.responses.create(model=f"lite/{RELAYED}", input="hi", top_logprobs=1)
    reply = message(await messaged(front, model=f"lite/{RELAYED}", **THINKING, stream=False))

    thought, output = cast("list[Any]", response.output)
    assert (thought.content[0].text, output.content[0].text) == ("hm", "seen")
    assert [token.token for token in output.content[0].logprobs] == ["seen"]
    assert [block.get("thinking", block.get("text")) for block in reply["content"]] == ["hm", "seen"]
