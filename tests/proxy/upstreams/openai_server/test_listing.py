"""Models that a server lists, their details, and servers that list none or are down."""

import asyncio
import json
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from proxy.api.app_keys import UPSTREAMS
from proxy.upstreams.breaker import FAILURES_TO_OPEN
from proxy.upstreams.openai_server.listing import InvalidListing, read_models
from proxy.upstreams.openai_server.server import OpenAiServer
from tests.openai_server import HttpError, OpenAiPeer
from tests.proxy.running import RunningProxy, running_proxy
from tests.site import SimulatedSite


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ({"data": [{"id": "a"}, {"id": "b"}, {"id": "a"}, {"id": ""}, {"id": 5}, {}, "c"]}, ["a", "b"]),
        ([{"id": "a"}], ["a"]),
        ({"models": [{"id": "a"}]}, ["a"]),
        ([{"id": "x" * 200}], ["x" * 200]),
        ({"data": []}, []),
        ({"object": "list", "data": None}, []),  # Ollama, before any was pulled
        ({"data": [{"id": "with\nbreak"}, {"id": "x" * 201}, {"id": " blank"}]}, []),
    ],
)
def test_models_are_read_from_a_listing(body: Any, names: list[str]) -> None:
    assert [bot.name for bot in read_models(json.dumps(body).encode(), {})] == names


@pytest.mark.parametrize("body", [b"<html>", b"{}", b'"text"', b'{"data": {}}', b'{"data": null}'])
def test_an_invalid_model_list_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidListing):
        read_models(body, {})


def test_a_model_keeps_its_number_while_others_come_and_go() -> None:
    known: dict[str, int] = {}
    first = read_models(b'{"data": [{"id": "a"}, {"id": "b", "architecture": {"input_modalities": ["text"]}}]}', known)
    second = read_models(b'{"data": [{"id": "c"}, {"id": "b"}]}', known)

    assert {bot.name: bot.id for bot in (*first, *second)} == {"a": 1, "b": 2, "c": 3}
    assert [bot.images for bot in first] == [True, False]


def test_a_models_owner_and_senses_are_known_where_they_are_reported() -> None:
    owners: list[Any] = ["acme", "x" * 200, "x" * 201, 5]
    senses: list[Any] = [["text", "image"], ["text"], "text", None]
    listed = [
        {"id": str(number), "owned_by": owner, "architecture": {"input_modalities": sense}}
        for number, (owner, sense) in enumerate(zip(owners, senses, strict=True))
    ]
    bots = read_models(json.dumps(listed).encode(), {})

    assert [bot.provider for bot in bots] == ["acme", "x" * 200, "", ""]
    assert [bot.images for bot in bots] == [True, False, True, True]


@pytest.mark.parametrize(
    ("fields", "length"),
    [
        ({"context_length": 131_072}, 131_072),  # OpenRouter, and this proxy
        ({"max_model_len": 32_768}, 32_768),  # vLLM
        ({"context_window": 131_072, "max_completion_tokens": 32_768}, 131_072),  # Groq
        ({"max_context_length": 262_144}, 262_144),  # Mistral
        ({"meta": {"n_ctx": 4096, "n_ctx_train": 131_072}}, 4096),  # llama.cpp
        ({"meta": None}, 0),  # llama.cpp, before it has loaded its model
        ({"context_length": None}, 0),
        ({"context_length": 0, "max_model_len": 1}, 1),
        ({"context_length": 2**53, "max_model_len": 2**53 - 1}, 2**53 - 1),
        ({"context_length": "128k", "max_model_len": -1, "meta": {"n_ctx": 1e300}}, 0),
    ],
)
def test_a_models_context_is_known_where_it_is_reported(fields: dict[str, Any], length: int) -> None:
    (bot,) = read_models(json.dumps({"data": [{"id": "a", **fields}]}).encode(), {})

    assert bot.context_length == length


async def test_a_server_that_lists_nothing_is_asked_last_until_it_does_or_answers(
    gateway: RunningProxy, server: OpenAiPeer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    upstream = gateway.app[UPSTREAMS][1]
    assert isinstance(upstream, OpenAiServer)
    known = upstream.bots()
    server.listing = HttpError(404)
    await upstream._look()
    assert "takes its base URL" in str(upstream.health().problem)
    server.listing = HttpError(500, {"error": "it broke"})
    await upstream._look()
    away = str(upstream.health().problem), upstream.rank(known.bots[0])
    assert (await gateway.chat("hi", model="mine/tiny")).status == 200
    assert upstream.health().problem is None
    for _ in range(FAILURES_TO_OPEN):
        upstream.gate.breaker.failed(monotonic())
    server.listing = None
    await upstream._look()

    assert ("it broke" in away[0], away[1]) == (True, 3)
    assert "it broke" in caplog.text
    assert (upstream.health().breaker, upstream.rank(known.bots[0])) == ("half_open", 0)
    assert upstream.bots() is known


async def test_a_server_that_lists_its_models_is_left_alone_for_a_while(
    site: SimulatedSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proxy.upstreams.openai_server.server.AWAY_PAUSE", 0.01)
    async with OpenAiPeer() as server, running_proxy(site, tmp_path, servers=f"mine={server.base_url}") as proxy:
        async with asyncio.timeout(5):
            while not proxy.app[UPSTREAMS][1].is_discovered:
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)

    assert server.listed == 1


async def test_requests_to_a_server_that_is_down_do_not_look_for_it_one_after_the_other(
    site: SimulatedSite, tmp_path: Path
) -> None:
    async with OpenAiPeer() as server:
        server.listing = HttpError(500)
        async with running_proxy(site, tmp_path, servers=f"mine={server.base_url}") as proxy:
            codes = [(await proxy.chat("hi", model="mine/tiny")).code for _ in range(3)]
            async with proxy.http.get(f"{proxy.url}/v1/models") as response:
                listed = (await response.json())["data"]

    assert (codes, server.listed) == (["model_not_found"] * 3, 1)
    assert "mine" not in {model["site"] for model in listed}, "no names of sites are guessed for it"


async def test_a_server_that_is_gone_is_not_waited_for_where_another_has_the_model(
    site: SimulatedSite, tmp_path: Path
) -> None:
    async with OpenAiPeer("tiny") as server, OpenAiPeer("tiny") as other:
        named = f"mine={server.base_url},other={other.base_url}"
        async with running_proxy(site, tmp_path, servers=named) as proxy:
            for upstream in proxy.app[UPSTREAMS][1:]:
                await upstream.discover()
            server.answers, server.drops_connection = [b""], True
            answer = await proxy.chat("hi", model="tiny")

    assert (answer.text, len(server.received), len(other.received)) == ("served", 1, 1)
