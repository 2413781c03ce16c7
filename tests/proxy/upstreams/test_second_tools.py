"""Output formats on an upstream of another kind: which answers are retried, and which copies continued."""

import asyncio
from typing import Any

import pytest

import proxy.chat.answer_writer
from proxy.chat.upstream import End, RefusalReason
from shared.conversations import Citation
from tests.proxy.api.openapi.test_described_calls import invalid_values
from tests.proxy.running import RunningProxy
from tests.proxy.upstreams.list_upstream import ListedAnswer, ListUpstream, assistant_message, refusal
from tests.proxy.wire import exchange
from tests.site import SimulatedSite

MODEL = "gpt-4o-mini-helper"
JSON = {"type": "json_object"}
LOOK = {"type": "function", "function": {"name": "look"}}


async def test_a_copy_is_not_continued_once_a_wrong_answer_stands_in_it(
    other_first: RunningProxy, site: SimulatedSite, other: ListUpstream
) -> None:
    other.answers = [
        ListedAnswer(['{"a":1}']),
        ListedAnswer(["no JSON"]),
        ListedAnswer([], refusal(RefusalReason.RATE)),
        ListedAnswer(['{"b":2}']),
    ]
    site.behaviour.ajax_status = 500
    await other_first.chat("one", response_format=JSON)

    assert (await other_first.chat("one", assistant_message('{"a":1}'), "two", response_format=JSON)).status == 502
    await other_first.chat("one", assistant_message('{"a":1}'), "two", response_format=JSON)

    assert [request.copied is None for request in other.received] == [True, False, False, True]


@pytest.mark.parametrize("limit", [{"MAX_ANSWER_CHARS": 1000}, {"MAX_ANSWER_CHUNKS": 10}])
@pytest.mark.parametrize("fields", [{}, {"response_format": JSON}])
async def test_an_answer_without_end_is_given_up_also_while_it_is_held_back(
    other_first: RunningProxy,
    other: ListUpstream,
    monkeypatch: pytest.MonkeyPatch,
    fields: dict[str, Any],
    limit: dict[str, int],
) -> None:
    for name, most in limit.items():
        monkeypatch.setattr(proxy.chat.answer_writer, name, most)
    other.answers = [ListedAnswer(["x" * 100] * 50)]

    assert (await other_first.chat("one", model="listed", **fields)).status == 502
    assert other.given < 50


async def test_an_endless_answer_does_not_fail_over(
    other_first: RunningProxy, site: SimulatedSite, other: ListUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proxy.chat.answer_writer, "MAX_ANSWER_CHARS", 1000)
    other.answers = [ListedAnswer(["x" * 100] * 50)]

    assert (await other_first.chat("one", response_format=JSON)).status == 502
    assert not site.model_calls


async def test_an_answer_that_breaks_off_after_its_first_call_does_not_fail_over(
    other_first: RunningProxy, site: SimulatedSite, other: ListUpstream
) -> None:
    pieces = ["```tool_calls\n", '{"name":"look","arguments":{}}\n', '{"name":"lo']
    other.answers = [ListedAnswer(pieces, refusal(RefusalReason.UPSTREAM, delivered=True))]

    assert (await other_first.chat("one", tools=[LOOK])).status == 502
    assert not site.model_calls


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("end", ["fails", "hangs"])
async def test_complete_calls_are_emitted_though_the_rest_fails(
    other_first: RunningProxy, other: ListUpstream, monkeypatch: pytest.MonkeyPatch, stream: bool, end: str
) -> None:
    monkeypatch.setattr(proxy.chat.answer_writer, "LINGER_SECONDS", 0.05)
    pieces = ["```tool_calls\n", '{"name":"look","arguments":{}}\n', "```\n"]
    failure = refusal(RefusalReason.UPSTREAM, delivered=True, has_begun=True)
    other.answers = [ListedAnswer(pieces, failure if end == "fails" else End(), hangs=end == "hangs")]

    body = {"model": MODEL, "messages": [{"role": "user", "content": "one"}], "tools": [LOOK], "stream": stream}
    async with asyncio.timeout(3), other_first.http.post(f"{other_first.url}/v1/chat/completions", json=body) as answer:
        text = await answer.text()

    assert answer.status == 200
    assert '"finish_reason":"tool_calls"' in text
    assert text.endswith("data: [DONE]\n\n") is stream


@pytest.mark.parametrize(
    "behind", ['<tool_call>{"name":"lo', '\n```json\n{"name":"look","arguments":{}}', "```tool_calls\n{"]
)
async def test_what_comes_with_a_stop_sequence_behind_it_is_neither_called_nor_asked_for_again(
    other_first: RunningProxy, other: ListUpstream, behind: str
) -> None:
    other.answers = [ListedAnswer([f"Look. STOP{behind}"])]

    answer = await other_first.chat("one", model="listed", tools=[LOOK], stop="STOP")

    choice = answer.body["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("Look. ", "stop")
    assert "tool_calls" not in choice["message"]
    assert len(other.received) == 1


async def test_rewritten_json_keeps_its_citations_without_positions(
    other_first: RunningProxy, other: ListUpstream
) -> None:
    other.answers = [
        ListedAnswer(['Here:\n```json\n{"a": 1}\n```'], End(sources=[Citation("https://x.example/", "X", 16, 24)]))
    ]

    answer = await other_first.chat("one", model="listed", response_format=JSON)

    (cited,) = answer.body["choices"][0]["message"]["annotations"]
    assert cited["url_citation"] == {"url": "https://x.example/", "title": "X", "start_index": 0, "end_index": 0}


async def test_pages_that_are_named_behind_a_call_are_told_of_the_text_before_it(
    other_first: RunningProxy, other: ListUpstream
) -> None:
    called = 'It rains.\n<tool_call>\n{"name": "look", "arguments": {}}\n</tool_call>'
    other.answers = [ListedAnswer([called], End(sources=[Citation("https://x.example/", "X", 0, 9)]))]
    body = {"model": "listed", "input": "hi", "tools": [{"type": "function", "name": "look"}], "stream": True}

    events = (await exchange(other_first.url, "POST", "/v1/responses", body)).data

    assert invalid_values("ResponseEvent", events) == []
    message, call = events[-1]["response"]["output"]
    assert (message["type"], call["type"]) == ("message", "function_call")
    (cited,) = [event for event in events if event["type"] == "response.output_text.annotation.added"]
    assert (cited["item_id"], cited["output_index"], cited["content_index"]) == (message["id"], 0, 0)
    assert [cited["annotation"]] == message["content"][0]["annotations"]
