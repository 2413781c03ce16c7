"""Paths as SDKs of Azure's build them: they name the model as a deployment, and may leave it out of the body."""

import json
from pathlib import Path
from time import perf_counter
from typing import Any

import openai
import pytest
from aiohttp import web

from proxy.api.app_keys import UPSTREAMS
from proxy.api.routes import add_routes
from tests.openai_server import Answer, OpenAiPeer
from tests.proxy.running import RunningProxy, running_proxy
from tests.proxy.wire import exchange
from tests.site import SimulatedSite

MODEL = "gpt-4o-mini-helper"
VERSION = "2024-10-21"
SAID: Any = [{"role": "user", "content": "[[say:你好]]"}]
BODY = {"messages": SAID}


def azure(proxy: RunningProxy, **options: Any) -> openai.AsyncAzureOpenAI:
    """Azure's client of the official SDK."""
    return openai.AsyncAzureOpenAI(
        azure_endpoint=proxy.url, api_key="the key", api_version=VERSION, max_retries=0, **options
    )


async def test_the_official_sdks_client_of_azure_works(site: SimulatedSite, tmp_path: Path) -> None:
    async with running_proxy(site, tmp_path, key="the key") as proxy, azure(proxy) as client:
        whole = await client.chat.completions.create(model=MODEL, messages=SAID)
        stream = await client.chat.completions.create(model=MODEL, messages=SAID, stream=True)
        text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices])
        old = await client.completions.create(model=MODEL, prompt="[[say:你好]]")
        response = await client.responses.create(model=MODEL, input="[[say:你好]]")
        models = [model.id async for model in client.models.list()]
        with pytest.raises(openai.NotFoundError) as unknown:
            await client.chat.completions.create(model="nobody", messages=SAID)
        async with openai.AsyncAzureOpenAI(azure_endpoint=proxy.url, api_key="no", api_version=VERSION) as stranger:
            with pytest.raises(openai.AuthenticationError):
                await stranger.chat.completions.create(model=MODEL, messages=SAID)

    assert [whole.choices[0].message.content, text, old.choices[0].text, response.output_text] == ["你好"] * 4
    assert whole.model == MODEL
    assert MODEL in models
    assert unknown.value.code == "model_not_found"


async def test_the_deployment_in_the_path_is_the_model_whatever_the_body_says(
    site: SimulatedSite, tmp_path: Path
) -> None:
    async with OpenAiPeer() as peer, running_proxy(site, tmp_path, servers=f"mine={peer.base_url}") as proxy:
        await proxy.app[UPSTREAMS][1].discover()
        peer.answers = [Answer()]
        async with azure(proxy, azure_deployment="mine/tiny") as client:
            whole = await client.chat.completions.create(model="gpt-4.1", messages=SAID)
        async with azure(proxy) as client:
            quoted = await client.chat.completions.create(model="mine/tiny", messages=SAID)
            vectors = await client.embeddings.create(model="mine/tiny", input="hi")

    assert [whole.model, quoted.model] == ["mine/tiny"] * 2
    assert len(vectors.data) == 1
    assert [request.body["model"] for request in peer.received] == ["tiny"] * 3


@pytest.mark.parametrize(
    "base", ["/openai/deployments", "/openai//deployments/", "/openai/v1/deployments", "/deployments"]
)
async def test_the_model_may_be_left_out_of_the_body(proxy: RunningProxy, base: str) -> None:
    answer = await exchange(proxy.url, "POST", f"{base}/{MODEL}/chat/completions/?api-version={VERSION}", BODY)

    assert answer.status == 200, answer.body
    assert json.loads(answer.body)["model"] == MODEL


@pytest.mark.parametrize("path", ["/openai/deployments/embeddings", "/openai/deployments", "/xdeployments/m/models"])
async def test_without_a_name_it_is_no_deployment(proxy: RunningProxy, path: str) -> None:
    assert (await exchange(proxy.url, "POST", path, BODY)).status == 404


def test_the_time_for_a_path_grows_with_its_length() -> None:
    app = web.Application()
    add_routes(app)
    patterns = [pattern for resource in app.router.resources() if (pattern := resource.get_info().get("pattern"))]

    def seconds(times: int) -> float:
        path, start = "/openai/deployments" + "/deployments/chat" * times, perf_counter()
        assert not any(pattern.fullmatch(path) for pattern in patterns)
        return perf_counter() - start

    short, long = [min(seconds(times) for _ in range(5)) for times in (100, 2000)]
    assert long < 100 * short  # 20 times as long; by its square it would be 400
