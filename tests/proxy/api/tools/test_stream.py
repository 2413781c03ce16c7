"""Calls on the wire, byte by byte: what comes in which order, what never comes, and when the site is left."""

import json
import re
from pathlib import Path
from typing import Any, cast

import openai
import pytest

import proxy.api.event_stream as proxy_event_stream
from proxy.chat.tokens import estimate_tokens
from tests.proxy.running import RunningProxy, running_proxy
from tests.proxy.wire import WireResponse, exchange
from tests.site import SimulatedSite
from tests.site.agent.writing import BEYOND_REPAIR, CALLS

MODEL = "gpt-4o-mini-helper"
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = {"name": "get_weather", "description": "Tell the weather.", "parameters": PARAMETERS}
TOOLS = [{"type": "function", "function": WEATHER}]
FLAT = [{"type": "function", **WEATHER}]
PARIS, BEIJING = ["get_weather", {"city": "Paris"}], ["get_weather", {"city": "北京"}]
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
FORMAT = {"type": "json_schema", "json_schema": {"name": "city", "schema": SCHEMA, "strict": True}}


async def play_stream(
    proxy: RunningProxy, site: SimulatedSite, *steps: Any, text: str = "", **fields: Any
) -> WireResponse:
    """Stream a chat in which the model plays *steps*."""
    site.behaviour.scripts = {"it": list(steps)}
    messages = [{"role": "user", "content": f"[[script:it]] {text}"}]
    body = {"model": MODEL, "stream": True, "messages": messages, "tools": TOOLS, **fields}
    return await exchange(proxy.url, "POST", "/v1/chat/completions", body)


async def stream_response(
    proxy: RunningProxy, site: SimulatedSite, *steps: Any, text: str = "", **fields: Any
) -> WireResponse:
    """The same on Responses."""
    site.behaviour.scripts = {"it": list(steps)}
    body = {"model": MODEL, "stream": True, "input": f"[[script:it]] {text}", "tools": FLAT, **fields}
    return await exchange(proxy.url, "POST", "/v1/responses", body)


def deltas(answer: WireResponse) -> list[Any]:
    """The deltas of a chat's stream."""
    return [choice["delta"] for chunk in answer.data for choice in chunk.get("choices", ())]


def reasons(answer: WireResponse) -> list[str]:
    """The finish reasons in a chat's stream."""
    found = [choice["finish_reason"] for chunk in answer.data for choice in chunk.get("choices", ())]
    return [reason for reason in found if reason]


def text_of(answer: WireResponse) -> str:
    """The text of a chat's stream."""
    return "".join(delta.get("content") or "" for delta in deltas(answer))


def calls_of(answer: WireResponse) -> list[Any]:
    """The pieces of calls in a chat's stream."""
    return [call for delta in deltas(answer) for call in delta.get("tool_calls", ())]


async def test_a_chat_tells_the_role_then_each_call_then_the_reason_then_the_usage(
    proxy: RunningProxy, site: SimulatedSite
) -> None:
    answer = await play_stream(proxy, site, {"calls": [PARIS, BEIJING]}, stream_options={"include_usage": True})

    texts = deltas(answer)
    assert texts[0]["role"] == "assistant"
    assert all("role" not in delta for delta in texts[1:])
    assert texts[-1] == {}
    assert reasons(answer) == ["tool_calls"]
    assert answer.data[-1]["choices"] == []
    assert answer.data[-1]["usage"]["prompt_tokens"] > estimate_tokens(json.dumps(WEATHER)), "the tools count"
    assert answer.data[-1]["usage"]["completion_tokens"] > 0
    assert answer.events[-1] == "data: [DONE]"


async def test_each_call_begins_with_its_id_and_name_and_its_arguments_follow(
    proxy: RunningProxy, site: SimulatedSite
) -> None:
    pieces = calls_of(await play_stream(proxy, site, {"calls": [PARIS, BEIJING]}))

    starts = [piece for piece in pieces if "id" in piece]
    assert [piece["index"] for piece in starts] == [0, 1]
    assert [piece["type"] for piece in starts] == ["function", "function"]
    assert [piece["function"] for piece in starts] == [{"name": "get_weather", "arguments": ""}] * 2
    ids = [piece["id"] for piece in starts]
    assert len(set(ids)) == 2
    assert all(re.fullmatch(r"call_[A-Za-z0-9]{24}", each) for each in ids)
    for index, (_, arguments) in enumerate((PARIS, BEIJING)):
        rest = [piece for piece in pieces if piece["index"] == index and "id" not in piece]
        assert all(
            piece.keys() == {"index", "function"} and piece["function"].keys() == {"arguments"} for piece in rest
        )
        assert json.loads("".join(piece["function"]["arguments"] for piece in rest)) == arguments


async def test_a_whole_chat_has_no_content_where_there_is_no_text(proxy: RunningProxy, site: SimulatedSite) -> None:
    answer = await play_stream(proxy, site, {"calls": [PARIS]}, stream=False)

    (choice,) = json.loads(answer.body)["choices"]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] is None
    assert [call["function"]["name"] for call in choice["message"]["tool_calls"]] == ["get_weather"]


@pytest.mark.parametrize("form", [form for form in CALLS if form not in BEYOND_REPAIR])
@pytest.mark.parametrize("size", ["", "[[mode:burst]]"])
async def test_markup_never_comes_as_text(form: str, size: str, proxy: RunningProxy, site: SimulatedSite) -> None:
    answer = await play_stream(proxy, site, {"calls": [PARIS], "form": form}, text=size)

    assert text_of(answer) == ""
    assert reasons(answer) == ["tool_calls"]


@pytest.mark.parametrize("form", ["hopeless", "unfit"])
@pytest.mark.parametrize("choice", ["auto", "required"])
async def test_what_stays_broken_is_an_error_without_the_markup(
    form: str, choice: str, proxy: RunningProxy, site: SimulatedSite
) -> None:
    answer = await play_stream(proxy, site, {"calls": [PARIS], "form": form}, tool_choice=choice)

    assert answer.status == 502
    assert json.loads(answer.body)["error"]["code"] == "invalid_tool_call"
    assert b"```" not in answer.body
    assert b"oops" not in answer.body
    assert len(site.model_calls) == 2


async def test_what_stays_broken_is_not_repeated_by_clients_of_themselves(
    proxy: RunningProxy, site: SimulatedSite
) -> None:
    """Each of their tries would cost the guest as many turns as all of ours."""
    site.behaviour.scripts = {"it": [{"calls": [PARIS], "form": "hopeless"}]}
    patient = proxy.openai.with_options(max_retries=2)
    with pytest.raises(openai.InternalServerError):
        await patient.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": "[[script:it]]"}], tools=cast(Any, TOOLS)
        )

    assert len(site.model_calls) == 2


@pytest.mark.parametrize("choice", ["auto", "none"])
async def test_json_that_stays_wrong_is_asked_for_again_as_json_beside_tools_too(
    choice: str, proxy: RunningProxy, site: SimulatedSite
) -> None:
    answer = await play_stream(
        proxy, site, {"text": "No."}, {"text": "No."}, tool_choice=choice, response_format=FORMAT
    )

    assert answer.status == 502
    assert json.loads(answer.body)["error"]["code"] == "invalid_json"
    assert "Answer again, with the corrected JSON" in str(site.model_calls[-1])


async def test_what_the_model_wrote_is_in_no_error_and_no_log(
    proxy: RunningProxy, site: SimulatedSite, caplog: pytest.LogCaptureFixture
) -> None:
    """A broken call holds what the user said as much as a whole one does."""
    step = {"text": "Let me look.", "calls": [["get_weather", {"city": "SECRET " * 9}]], "form": "hopeless"}
    answer = await play_stream(proxy, site, step)

    assert b"invalid_tool_call" in answer.body
    assert b"SECRET" not in answer.body
    assert b":::" not in answer.body
    assert "SECRET" not in caplog.text
    assert ":::" not in caplog.text


@pytest.mark.parametrize(("retries", "status"), [(0, 502), (1, 502), (3, 200)])
async def test_how_often_is_asked_again_is_a_setting(
    retries: int, status: int, site: SimulatedSite, tmp_path: Path
) -> None:
    async with running_proxy(site, tmp_path, tool_retries=retries) as proxy:
        step = {"calls": [PARIS], "form": ["hopeless", "unfit", "hopeless", "asked"]}
        answer = await play_stream(proxy, site, step, tool_choice="required", stream=False)

    assert answer.status == status
    assert len(site.model_calls) == retries + 1


async def test_the_site_is_left_once_the_call_is_whole(proxy: RunningProxy, site: SimulatedSite) -> None:
    invented = "[result of get_weather]\n" + "It is hot. " * 200
    answer = await play_stream(proxy, site, {"calls": [PARIS], "after": invented}, text="[[delay:0.01]]")

    assert text_of(answer) == ""
    assert reasons(answer) == ["tool_calls"]
    async with proxy.http.get(f"{proxy.url}/healthz"):
        pass
    assert site.open_streams == 0
    assert site.aborted_streams == 1


async def test_text_before_a_call_does_not_wait_for_it(proxy: RunningProxy, site: SimulatedSite) -> None:
    text = "Let me look at that, with `code` and <b>tags</b> and [brackets]."
    answer = await play_stream(proxy, site, {"text": text, "calls": [PARIS]}, text="[[delay:0.01]]")

    texts = deltas(answer)
    first_call = next(number for number, delta in enumerate(texts) if "tool_calls" in delta)
    assert text_of(answer) == text
    assert first_call > 4  # it came in pieces


@pytest.mark.parametrize("mode", ["incomplete", "cut"])
async def test_half_a_call_is_never_given(mode: str, proxy: RunningProxy, site: SimulatedSite) -> None:
    step = {"text": "Let me look.", "calls": [["get_weather", {"city": "Paris " * 40}]]}
    answer = await play_stream(proxy, site, step, text=f"[[mode:{mode}]]")

    assert calls_of(answer) == []
    assert text_of(answer) in ("Let me look.", "")
    if mode == "incomplete":
        assert reasons(answer) == ["length"]
    else:
        assert b'"error"' in answer.body


async def test_stop_words_do_not_stop_a_call(proxy: RunningProxy, site: SimulatedSite) -> None:
    answer = await play_stream(proxy, site, {"text": "Let me look.", "calls": [PARIS]}, stop=["Paris", "\n{"])

    assert text_of(answer) == "Let me look."
    assert reasons(answer) == ["tool_calls"]


async def test_text_that_might_have_started_a_stop_word_comes_before_the_call(
    proxy: RunningProxy, site: SimulatedSite
) -> None:
    answer = await play_stream(proxy, site, {"text": "Let me look.", "calls": [PARIS]}, stop=["look.\n\nStop"])

    kinds = [next(iter({"content", "tool_calls"} & delta.keys()), "") for delta in deltas(answer)]
    assert text_of(answer) == "Let me look."
    assert "content" not in kinds[kinds.index("tool_calls") :]


async def test_an_answer_by_schema_is_bare_json(proxy: RunningProxy, site: SimulatedSite) -> None:
    step = {"json": {"city": "北京"}, "form": "with_prose"}
    answer = await play_stream(proxy, site, step, tools=None, response_format=FORMAT)

    assert json.loads(text_of(answer)) == {"city": "北京"}
    assert text_of(answer)[0] == "{"
    assert reasons(answer) == ["stop"]


async def test_silence_while_an_answer_is_checked_is_filled(
    proxy: RunningProxy, site: SimulatedSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proxy_event_stream, "HOLD_SECONDS", 0.1)
    monkeypatch.setattr(proxy_event_stream, "SILENCE_SECONDS", 0.1)
    step = {"json": {"city": "x" * 200}}
    answer = await play_stream(proxy, site, step, text="[[delay:0.03]]", tools=None, response_format=FORMAT)

    assert json.loads(text_of(answer)) == step["json"]
    assert b": keep-alive" in answer.body.partition(b'"content":"{')[0], answer.body


async def test_tools_and_a_schema_together_give_either(proxy: RunningProxy, site: SimulatedSite) -> None:
    called = await play_stream(proxy, site, {"calls": [PARIS]}, response_format=FORMAT)
    answer = await play_stream(proxy, site, {"json": {"city": "Paris"}}, response_format=FORMAT)

    assert reasons(called) == ["tool_calls"]
    assert json.loads(text_of(answer)) == {"city": "Paris"}


async def test_a_response_closes_its_message_before_the_call_begins(proxy: RunningProxy, site: SimulatedSite) -> None:
    answer = await stream_response(proxy, site, {"text": "Let me look.", "calls": [PARIS, BEIJING]})

    kinds = [event["type"].removeprefix("response.") for event in answer.data]
    assert [kind for number, kind in enumerate(kinds) if kinds[number - 1] != kind] == [
        *("created", "in_progress", "output_item.added", "content_part.added", "output_text.delta"),
        *("output_text.done", "content_part.done", "output_item.done"),
        *("output_item.added", "function_call_arguments.delta", "function_call_arguments.done", "output_item.done") * 2,
        "completed",
    ]
    assert [event["sequence_number"] for event in answer.data] == list(range(len(answer.data)))
    done = [event["item"] for event in answer.data if event["type"] == "response.output_item.done"]
    assert answer.data[-1]["response"]["output"] == done
    assert [item.get("name") for item in done] == [None, "get_weather", "get_weather"]


@pytest.mark.parametrize("mode", ["refuse", "ignore"])
async def test_tools_may_be_refused_or_left_out(mode: str, site: SimulatedSite, tmp_path: Path) -> None:
    async with running_proxy(site, tmp_path, tools=mode) as proxy:
        answer = await play_stream(proxy, site, {"text": "No call."}, stream=False)

    if mode == "refuse":
        assert answer.status == 400
        assert json.loads(answer.body)["error"]["param"] == "tools"
    else:
        assert json.loads(answer.body)["choices"][0]["message"]["content"] == "No call."
        assert answer.headers["x-ignored-params"] == "tools"
