"""A history that is too long: the oldest turns are dropped, and the client is informed."""

import json
import logging
from pathlib import Path

import pytest

from tests.proxy.running import RunningProxy, running_proxy
from tests.proxy.upstreams.list_upstream import assistant_message
from tests.site import SimulatedSite

MODEL = "gpt-4o-mini-helper"


def history(turns: int) -> list[dict[str, str]]:
    messages = [
        [{"role": "user", "content": f"question {n} {'x' * 100}"}, {"role": "assistant", "content": f"answer {n}"}]
        for n in range(turns)
    ]
    return [{"role": "system", "content": "be kind"}, *(message for turn in messages for message in turn)]


async def test_the_oldest_turns_go_whole_and_a_header_says_so(
    site: SimulatedSite, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running_proxy(site, tmp_path, max_transcript=1500) as proxy:
        with caplog.at_level(logging.WARNING):
            answer = await proxy.chat(*history(20), "[[say:ok]] last question")

    sent = site.requests[-2].fields["message"]
    dropped = int(answer.headers["x-dropped-messages"])
    assert 0 < dropped < 40
    assert len(sent) <= 1500
    assert "be kind" in sent
    assert "last question" in sent
    assert "question 0 " not in sent
    assert f"answer {dropped // 2 - 1}\n" not in sent
    assert f"question {dropped // 2} " in sent
    assert any(str(dropped) in record.getMessage() for record in caplog.records)


async def test_a_stream_says_so_too(site: SimulatedSite, tmp_path: Path) -> None:
    async with running_proxy(site, tmp_path, max_transcript=1500) as proxy:
        body = {"model": MODEL, "stream": True, "messages": [*history(20), {"role": "user", "content": "hi"}]}
        async with proxy.http.post(f"{proxy.url}/v1/chat/completions", json=body) as response:
            assert int(response.headers["x-dropped-messages"]) > 0
            assert (await response.text()).endswith("data: [DONE]\n\n")


async def test_a_history_that_fits_is_sent_whole(site: SimulatedSite, tmp_path: Path) -> None:
    async with running_proxy(site, tmp_path) as proxy:
        answer = await proxy.chat(*history(20), "hi")

    assert "x-dropped-messages" not in answer.headers
    assert "question 0 " in site.requests[-2].fields["message"]


async def test_a_copy_that_lacks_the_oldest_turns_is_not_continued(site: SimulatedSite, tmp_path: Path) -> None:
    async with running_proxy(site, tmp_path, max_transcript=1500) as proxy:
        first = await proxy.chat(*history(20), "one [[say:ok]]", model="gpt-5-nano")
        messages = [{"role": "user", "content": "one [[say:ok]]"}, {"role": "assistant", "content": first.text}]
        await proxy.chat(*history(20), *messages, "two", model="gpt-5-nano")

    one, two = site.model_calls
    assert two.conversation_uuid != one.conversation_uuid


async def test_a_last_turn_that_is_too_long_is_refused_and_a_long_history_is_not(
    proxy: RunningProxy, site: SimulatedSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proxy.chat.service.MAX_TURN_CHARS", 2000)
    function = {"name": "look", "arguments": json.dumps({"for": "x" * 1500})}
    called = {"role": "assistant", "tool_calls": [{"id": "call_1", "type": "function", "function": function}]}
    result = {"role": "tool", "tool_call_id": "call_1", "content": "y" * 600}

    too_long = [
        await proxy.chat("hi", assistant_message("hello"), "x" * 2001),
        await proxy.chat({"role": "system", "content": "x" * 2001}, "hi"),
        await proxy.chat("hi", called, result),  # results are nothing without their calls
    ]

    assert (await proxy.chat(*history(20), "[[say:ok]]")).text == "ok"
    assert (await proxy.chat("hi", called, {**result, "content": "found"}, "and?")).status == 200
    assert [(answer.status, answer.code) for answer in too_long] == [(400, "context_length_exceeded")] * 3
    assert {answer.body["error"]["param"] for answer in too_long} == {"messages"}
    assert len(site.model_calls) == 2
