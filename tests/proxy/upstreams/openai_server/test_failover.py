"""A site and a server as each other's fallback, and the error if neither answers."""

import asyncio
import json
from pathlib import Path
from typing import Any

import openai
import pytest

from proxy.api.app_keys import UPSTREAMS
from proxy.chat.upstream import RefusalReason
from tests.openai_server import Answer, HttpError, OpenAiPeer
from tests.ports import a_free_port
from tests.proxy.running import RunningProxy, running_proxy
from tests.proxy.upstreams.list_upstream import ListedAnswer, ListUpstream, assistant_message, refusal
from tests.proxy.upstreams.openai_server.conftest import KEY
from tests.site import SimulatedSite

MODEL = "gpt-4o-mini-helper"  # the site's, and the server has one of that name too


async def streamed(proxy: RunningProxy, model: str) -> list[Any]:
    """The events of a streamed answer."""
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}], "stream": True}
    async with proxy.http.post(f"{proxy.url}/v1/chat/completions", json=body) as response:
        events = (await response.text()).removesuffix("\n\n").split("\n\n")
    return [event if "[DONE]" in event else json.loads(event.removeprefix("data: ")) for event in events]


async def test_the_site_answers_while_it_is_healthy(gateway: RunningProxy, server: OpenAiPeer) -> None:
    answer = await gateway.chat("hi")

    assert answer.status == 200
    assert "x-fallback-model" not in answer.headers
    assert not server.received


async def test_what_the_site_cannot_answer_the_server_does_with_the_whole_history(
    gateway: RunningProxy, site: SimulatedSite, server: OpenAiPeer
) -> None:
    first = await gateway.chat("my name is Ada")
    site.behaviour.ajax_status = 500

    answer = await gateway.chat("my name is Ada", assistant_message(first.text), "who am I?", temperature=0.1)

    assert (answer.text, answer.headers["x-fallback-model"]) == ("served", "mine/tiny")
    assert server.received[0].texts == ["my name is Ada", first.text, "who am I?"]
    assert server.received[0].body["temperature"] == 0.1
    assert "x-ignored-params" not in answer.headers


async def test_what_was_meant_for_another_is_not_told_to_the_server_that_stands_in(
    gateway: RunningProxy, site: SimulatedSite, server: OpenAiPeer
) -> None:
    site.behaviour.ajax_status = 500

    assert (await gateway.chat("hi", guided_choice=["yes", "no"])).text == "served"
    assert (await gateway.chat("hi", model="mine/tiny", guided_choice=["yes", "no"])).text == "served"
    assert ["guided_choice" in request.body for request in server.received] == [False, True]


async def test_a_site_outage_costs_no_request(gateway: RunningProxy, site: SimulatedSite, server: OpenAiPeer) -> None:
    site.behaviour.ajax_status = 500

    answers = await asyncio.gather(*(gateway.chat(f"hi {number}") for number in range(12)))

    assert [answer.text for answer in answers] == ["served"] * 12
    assert len(server.received) == 12


async def test_a_server_backs_any_number_of_sites(site: SimulatedSite, server: OpenAiPeer, tmp_path: Path) -> None:
    failing = [
        ListUpstream(f"http://list{number}.example/", ListedAnswer([], refusal(RefusalReason.UPSTREAM)))
        for number in range(5)
    ]
    async with running_proxy(
        site,
        tmp_path,
        edit_upstreams=lambda sites: [*failing, *sites],
        servers=f"mine={server.base_url}",
        server_keys=f"mine={KEY}",
        fallback_model="mine/tiny",
    ) as proxy:
        await proxy.app[UPSTREAMS][-1].discover()
        site.behaviour.ajax_status = 500

        assert (await proxy.chat("hi")).text == "served"

    assert [len(each.received) for each in failing] == [1, 1, 1, 0, 0]  # as often as a request may be tried on sites


async def test_a_stored_conversation_moves_to_the_server_and_back(
    gateway: RunningProxy, site: SimulatedSite, server: OpenAiPeer
) -> None:
    conversation = (await gateway.openai.conversations.create()).id
    await gateway.chat("my name is Ada", conversation_id=conversation)
    site.behaviour.ajax_status = 500
    await gateway.chat("and I live in Ulm", conversation_id=conversation)
    site.behaviour.ajax_status = 0

    answer = await gateway.chat("[[recall]]", conversation_id=conversation)

    assert server.received[0].texts[0] == "my name is Ada"
    assert "my name is Ada" in answer.text
    assert "and I live in Ulm" in answer.text
    assert "served" in answer.text


async def test_the_site_answers_where_the_server_fails_that_was_asked_in_its_place(
    site: SimulatedSite, server: OpenAiPeer, tmp_path: Path
) -> None:
    second = SimulatedSite()
    async with (
        second,
        running_proxy(
            site,
            tmp_path,
            more_sites=(second,),
            servers=f"mine={server.base_url}",
            server_keys=f"mine={KEY}",
            fallback_model="mine/tiny",
        ) as proxy,
    ):
        await proxy.app[UPSTREAMS][2].discover()
        for each in (site, second):
            each.behaviour.ajax_status = 429  # both rest now: the server is asked first
        assert (await proxy.chat("hi")).text == "served"
        for each in (site, second):
            each.behaviour.ajax_status = 0
        server.answers = [HttpError(500)]

        answer = await proxy.chat("my name is Ada, [[recall]]")

    assert answer.status == 200
    assert len(server.received) == 2
    assert len(site.model_calls) == 1


async def test_tools_reach_the_server_where_the_site_only_had_them_emulated(
    gateway: RunningProxy, site: SimulatedSite, server: OpenAiPeer
) -> None:
    site.behaviour.ajax_status = 500
    server.answers = [Answer([], [("look", "{}")])]
    tool: Any = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}

    answer = await gateway.openai.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": "look"}], tools=[tool]
    )

    assert [call.type for call in answer.choices[0].message.tool_calls or []] == ["function"]
    assert server.received[0].body["tools"][0]["function"]["name"] == "look"
    assert server.received[0].texts == ["look"]


async def test_without_a_fallback_only_its_own_names_lead_to_the_server(
    site: SimulatedSite, server: OpenAiPeer, tmp_path: Path
) -> None:
    site.behaviour.ajax_status = 500
    async with running_proxy(site, tmp_path, servers=f"mine={server.base_url}", server_keys=f"mine={KEY}") as proxy:
        await proxy.app[UPSTREAMS][1].discover()

        assert (await proxy.chat("hi")).status == 502
        assert (await proxy.chat("hi", model=f"mine/{MODEL}")).text == "served"

    assert [request.body["model"] for request in server.received] == [MODEL]


async def test_a_key_that_may_not_use_the_fallback_is_not_answered_by_it(
    gateway: RunningProxy, site: SimulatedSite, server: OpenAiPeer
) -> None:
    site.behaviour.ajax_status = 500
    async with gateway.http.post(f"{gateway.url}/admin/keys", json={"name": "few", "models": [MODEL]}) as created:
        key = (await created.json())["key"]
    body = {"model": MODEL, "messages": [{"role": "user", "content": "hi"}]}
    headers = {"Authorization": f"Bearer {key}"}
    async with gateway.http.post(f"{gateway.url}/v1/chat/completions", json=body, headers=headers) as answer:
        assert answer.status == 502
    assert not server.received


async def test_a_key_for_one_model_of_a_server_lists_and_uses_that_one_alone(
    gateway: RunningProxy, server: OpenAiPeer
) -> None:
    async with gateway.http.post(f"{gateway.url}/admin/keys", json={"name": "one", "models": ["mine/tiny"]}) as created:
        client = gateway.openai.with_options(api_key=(await created.json())["key"])
    listed = {model.id async for model in client.models.list()}
    for model in ("mine/llama3.2", MODEL):
        with pytest.raises(openai.NotFoundError):
            await client.chat.completions.create(model=model, messages=[{"role": "user", "content": "hi"}])
    answer = await client.chat.completions.create(model="mine/tiny", messages=[{"role": "user", "content": "hi"}])

    assert "mine/tiny" in listed
    assert listed <= {"mine/tiny", "tiny"}  # its other name
    assert answer.choices[0].message.content == "served"
    assert len(server.received) == 1


async def test_a_server_alone_serves_while_no_site_was_ever_reached(
    site: SimulatedSite, server: OpenAiPeer, tmp_path: Path
) -> None:
    async with running_proxy(
        site,
        tmp_path,
        captured=False,
        servers=f"mine={server.base_url}",
        server_keys=f"mine={KEY}",
        fallback_model="mine/tiny",
    ) as proxy:
        by_name = await proxy.chat("hi", model="mine/tiny")
        start = asyncio.get_running_loop().time()
        theirs = await proxy.chat("hi", model="gpt-4o-mini")
        seconds = asyncio.get_running_loop().time() - start
        async with proxy.http.get(f"{proxy.url}/readyz") as response:
            ready = await response.json()

    assert (by_name.text, theirs.text) == ("served", "served")
    assert seconds < 3  # nobody waited for the site's first visit
    assert (response.status, ready["status"]) == (200, "degraded")
    assert [(each["site"], each["kind"], each["ready"]) for each in ready["sites"]] == [
        (site.origin, None, False),
        ("mine", "openai_server", True),
    ]


async def test_the_site_answers_while_the_server_behind_it_was_never_reached(
    site: SimulatedSite, tmp_path: Path
) -> None:
    away = f"mine=http://127.0.0.1:{a_free_port()}"
    async with running_proxy(site, tmp_path, servers=away, fallback_model="mine/tiny") as proxy:
        assert (await proxy.chat("hi")).status == 200
        site.behaviour.ajax_status = 500
        assert (await proxy.chat("hi")).code == "upstream_error"


@pytest.mark.parametrize("model", ["mine/tiny", MODEL])
async def test_nothing_moves_on_once_text_was_sent(
    gateway: RunningProxy, site: SimulatedSite, server: OpenAiPeer, model: str
) -> None:
    site.behaviour.ajax_status = 500
    server.answers = [Answer(["begun"], error={"message": "overloaded", "code": 529})]

    events = await streamed(gateway, model)

    assert events[1]["choices"][0]["delta"]["content"] == "begun"
    assert events[-1]["error"]["code"] == "upstream_error"
    assert "overloaded" in events[-1]["error"]["message"]


async def test_metrics_and_the_status_name_the_kind(gateway: RunningProxy, server: OpenAiPeer) -> None:
    await gateway.chat("hi", model="mine/tiny")
    async with gateway.http.get(f"{gateway.url}/metrics") as response:
        metrics = await response.text()
    async with gateway.http.get(f"{gateway.url}/admin/status") as response:
        status = await response.json()
    async with gateway.http.post(f"{gateway.url}/admin/visits", json={"site": "mine"}) as response:
        assert response.status == 404

    assert 'freeaichat_site_info{kind="openai_server",site="mine"} 1.0' in metrics
    assert 'freeaichat_site_info{kind="aipkit",site="http://127.0.0.1:' in metrics
    assert 'freeaichat_failed_visits_in_a_row{site="mine"}' not in metrics
    assert 'outcome="ok",site="mine"' in metrics
    row = status["sites"][1]
    assert (row["site"], row["kind"], row["bots"], row["credentials"], row["visits"]) == (
        "mine",
        "openai_server",
        3,
        None,
        [],
    )
