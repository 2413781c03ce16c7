"""A site and an upstream of another kind: which one answers, and what is reported of both."""

import asyncio
import json
from typing import Any

import pytest

from proxy.chat.errors import ServiceError
from proxy.chat.tokens import Usage
from proxy.chat.upstream import End, Problem, RefusalReason
from shared.conversations import Citation
from tests.proxy.running import RunningProxy
from tests.proxy.upstreams.list_upstream import ListedAnswer, ListUpstream, assistant_message, refusal
from tests.proxy.wire import connected
from tests.site import SimulatedSite

MODEL = "gpt-4o-mini-helper"  # both have it
LISTED = "listed"  # the other one alone


async def streamed(proxy: RunningProxy, text: str, **fields: Any) -> list[Any]:
    """The events of a streamed answer."""
    body = {"model": MODEL, "messages": [{"role": "user", "content": text}], "stream": True, **fields}
    async with proxy.http.post(f"{proxy.url}/v1/chat/completions", json=body) as response:
        events = (await response.text()).removesuffix("\n\n").split("\n\n")
    return [event if "[DONE]" in event else json.loads(event.removeprefix("data: ")) for event in events]


async def test_the_first_one_answers_while_it_is_healthy(
    other_first: RunningProxy, site: SimulatedSite, other: ListUpstream
) -> None:
    assert (await other_first.chat("hi")).text == "listed"
    assert not site.model_calls
    assert other.received[0].bot.id == 1


async def test_the_other_takes_over_from_the_site_with_the_whole_text(
    site_first: RunningProxy, site: SimulatedSite, other: ListUpstream
) -> None:
    first = await site_first.chat("my name is Ada")
    site.behaviour.ajax_status = 500

    answer = await site_first.chat("my name is Ada", assistant_message(first.text), "who am I?")

    assert answer.text == "listed"
    assert other.received[-1].texts == ["my name is Ada", first.text, "who am I?"]
    assert other.received[0].copied is None


@pytest.mark.parametrize(
    "about", [each for each in RefusalReason if each not in (RefusalReason.MESSAGE, RefusalReason.COPY)]
)
async def test_the_site_takes_over_from_the_other_with_the_whole_text(
    other_first: RunningProxy, site: SimulatedSite, other: ListUpstream, about: RefusalReason
) -> None:
    other.answers = [ListedAnswer(["my name is noted"]), ListedAnswer([], refusal(about))]
    await other_first.chat("my name is Ada")

    answer = await other_first.chat("my name is Ada", assistant_message("my name is noted"), "[[recall]]")

    assert "my name is Ada" in answer.text
    assert len(site.model_calls) == 1


async def test_an_error_of_a_limit_of_its_own_moves_on_too(
    other_first: RunningProxy, site: SimulatedSite, other: ListUpstream
) -> None:
    busy = ServiceError(429, "Too many of ours.", type="rate_limit_error", code="rate_limit_exceeded")
    other.answers = [ListedAnswer([], busy)]

    assert (await other_first.chat("hi")).status == 200
    assert len(site.model_calls) == 1


async def test_a_refusal_of_the_message_does_not_move_on(
    other_first: RunningProxy, site: SimulatedSite, other: ListUpstream
) -> None:
    other.answers = [ListedAnswer([], refusal(RefusalReason.MESSAGE))]

    answer = await other_first.chat("hi")

    assert (answer.status, answer.code) == (502, "listed")
    assert not site.model_calls


@pytest.mark.parametrize("stream", [False, True])
async def test_there_is_no_failover_after_the_first_text(
    other_first: RunningProxy, site: SimulatedSite, other: ListUpstream, stream: bool
) -> None:
    other.answers = [ListedAnswer(["half an "], refusal(RefusalReason.ANSWER, delivered=True, has_begun=True))]

    if stream:
        *_, last = await streamed(other_first, "hi")
        assert last["error"]["code"] == "listed"
    else:
        assert (await other_first.chat("hi")).code == "listed"
    assert not site.model_calls


async def test_text_that_a_stop_sequence_holds_back_counts_as_started(
    other_first: RunningProxy, site: SimulatedSite, other: ListUpstream
) -> None:
    other.answers = [ListedAnswer(["EN"], refusal(RefusalReason.ANSWER, delivered=True))]

    assert (await other_first.chat("hi", stop="END")).code == "listed"
    assert not site.model_calls


@pytest.mark.parametrize("stream", [False, True])
async def test_text_that_a_stop_sequence_held_back_is_given_where_none_came(
    other_first: RunningProxy, other: ListUpstream, stream: bool
) -> None:
    other.answers = [ListedAnswer(["this is the E", "N"])]

    if stream:
        events = await streamed(other_first, "hi", stop="END")
        assert "".join(event["choices"][0]["delta"].get("content", "") for event in events[:-1]) == "this is the EN"
    else:
        assert (await other_first.chat("hi", stop="END")).text == "this is the EN"


async def test_an_unhealthy_upstream_is_tried_last(
    other_first: RunningProxy, site: SimulatedSite, other: ListUpstream
) -> None:
    other.problem = Problem("site_unavailable", "it rests")

    assert (await other_first.chat("hi")).status == 200
    assert (len(site.model_calls), other.received) == (1, [])
    site.behaviour.ajax_status = 500
    assert (await other_first.chat("hi")).text == "listed"


async def test_when_both_fail_the_last_one_says_why(
    site_first: RunningProxy, site: SimulatedSite, other: ListUpstream
) -> None:
    site.behaviour.ajax_status = 500
    other.answers = [ListedAnswer([], refusal(RefusalReason.UPSTREAM))]

    answer = await site_first.chat("hi")

    assert (answer.status, answer.code) == (502, "listed")


async def test_a_model_of_one_upstream_is_asked_there_alone(
    site_first: RunningProxy, site: SimulatedSite, other: ListUpstream
) -> None:
    other.answers = [ListedAnswer(), ListedAnswer([], refusal(RefusalReason.UPSTREAM))]

    assert (await site_first.chat("hi", model=LISTED)).text == "listed"
    assert (await site_first.chat("hi", model=f"{MODEL}@list.example")).code == "listed"
    assert [request.bot.id for request in other.received] == [2, 1]
    assert not site.model_calls


# What is told ---------------------------------------------------------------------------------------------------------

WHOLE = End("length", None, [Citation("https://a.example/", "A", 0, 3)], Usage(1234, 567))


async def test_usage_reason_and_sources_come_from_the_upstream(other_first: RunningProxy, other: ListUpstream) -> None:
    other.answers = [ListedAnswer(["li", "sted"], WHOLE, dropped_messages=2)]

    answer = await other_first.chat("hi")

    choice, usage = answer.body["choices"][0], answer.body["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]) == (1234, 567, 1801)
    assert choice["finish_reason"] == "length"
    assert choice["message"]["annotations"][0]["url_citation"] == {
        "url": "https://a.example/",
        "title": "A",
        "start_index": 0,
        "end_index": 3,
    }
    assert answer.headers["x-dropped-messages"] == "2"


async def test_the_same_is_reported_at_the_end_of_a_stream(other_first: RunningProxy, other: ListUpstream) -> None:
    other.answers = [ListedAnswer(["li", "sted"], WHOLE)]

    *chunks, usage, done = await streamed(other_first, "hi", stream_options={"include_usage": True})

    assert [chunk["choices"][0]["delta"].get("content") for chunk in chunks[:3]] == ["", "li", "sted"]
    assert chunks[-1]["choices"][0]["finish_reason"] == "length"
    assert usage["usage"]["total_tokens"] == 1801
    assert done == "data: [DONE]"
    assert other.waits


async def test_responses_tell_it_too(other_first: RunningProxy, other: ListUpstream) -> None:
    other.answers = [ListedAnswer(["listed"], End("content_filter", "I cannot", (), Usage(1234, 567)))]

    response = await other_first.openai.responses.create(model=MODEL, input="hi")

    assert response.status == "incomplete"
    assert response.usage is not None
    assert (response.usage.input_tokens, response.usage.output_tokens) == (1234, 567)
    assert "I cannot" in response.model_dump_json()


async def test_a_refusal_is_reported_while_a_response_streams_as_in_the_whole(
    other_first: RunningProxy, other: ListUpstream
) -> None:
    other.answers = [ListedAnswer(["No."], End("content_filter", "I cannot"))]

    stream = await other_first.openai.responses.create(model=MODEL, input="hi", stream=True)
    events = [event async for event in stream]

    deltas = [event.delta for event in events if event.type == "response.refusal.delta"]
    last = events[-1]
    assert deltas == ["I cannot"]
    assert last.type == "response.incomplete"
    assert last.response.output[0].to_dict()["content"][-1] == {"type": "refusal", "refusal": "I cannot"}  # type: ignore[index]


async def test_usage_is_estimated_if_the_upstream_reports_none(other_first: RunningProxy) -> None:
    usage = (await other_first.chat("hello there")).body["usage"]

    assert 0 < usage["prompt_tokens"] < 10
    assert 0 < usage["completion_tokens"] < 10


async def test_an_answer_is_cut_where_the_client_wants_and_the_upstream_is_let_go(
    other_first: RunningProxy, other: ListUpstream
) -> None:
    other.answers = [ListedAnswer(["one two ", "END three"], End(usage=Usage(1, 9)))]

    answer = await other_first.chat("hi", stop="END")

    assert answer.text == "one two "
    assert answer.body["choices"][0]["finish_reason"] == "stop"
    assert other.cut == 1


async def test_a_cut_answer_is_not_continued(other_first: RunningProxy, other: ListUpstream) -> None:
    """Its copy holds another answer."""
    other.answers = [ListedAnswer(["one END three"])]
    cut = await other_first.chat("hi", stop="END")

    await other_first.chat("hi", assistant_message(cut.text), "and?")

    assert other.received[1].copied is None


async def test_the_upstream_gets_the_clients_parameters(other_first: RunningProxy, other: ListUpstream) -> None:
    await other_first.chat("hi", temperature=0.5, seed=7, web_search=True, stop=["END"], max_tokens=100)

    ask = other.received[0].ask
    assert ask.parameters == {"temperature": 0.5, "seed": 7}
    assert (ask.web_search, ask.stops, ask.max_tokens) == (True, ("END",), 100)


async def test_a_client_that_reads_nothing_is_waited_for(other_first: RunningProxy, other: ListUpstream) -> None:
    pieces = ["\x01" * 64 * 1024] * 60  # six times as long in JSON: more than all sockets hold
    other.answers = [ListedAnswer(pieces)]
    body = {"model": MODEL, "messages": [{"role": "user", "content": "hi"}], "stream": True}
    async with connected(other_first.url, "POST", "/v1/chat/completions", body) as connection:
        transport: Any = connection.writer.transport  # of the loop's own kind
        transport.pause_reading()
        await stalled(other)
        assert 1 < other.given < len(pieces)

        transport.resume_reading()
        await connection.head()
        events = [chunk async for _, chunk in connection.chunks()]

    assert other.given == len(pieces)
    assert events[-1].endswith(b"data: [DONE]\n\n")


async def stalled(other: ListUpstream) -> None:
    """Wait until *other* waits and gives nothing for some time."""
    async with asyncio.timeout(10):
        looks, seen = 0, -1
        while looks < 20:
            looks = looks + 1 if other.is_waiting and other.given == seen else 0
            seen = other.given
            await asyncio.sleep(0.01)


async def test_both_are_listed_with_their_models_and_health(
    site_first: RunningProxy, site: SimulatedSite, other: ListUpstream
) -> None:
    other.problem = Problem("site_unavailable", "it rests")
    async with site_first.http.get(f"{site_first.url}/readyz") as response:
        ready = await response.json()
    async with site_first.http.get(f"{site_first.url}/v1/models") as response:
        models = {model["id"]: model for model in (await response.json())["data"]}

    assert (ready["status"], ready["reason"]) == ("degraded", "it rests")
    assert [(each["site"], each["ready"]) for each in ready["sites"]] == [(site.origin, True), (other.name, False)]
    assert ready["sites"][1]["credentials_age_seconds"] is None
    assert models[LISTED]["site"] == models[f"{MODEL}@list.example"]["site"] == "list.example"
    assert models[MODEL]["site"] == site.origin.removeprefix("http://")
