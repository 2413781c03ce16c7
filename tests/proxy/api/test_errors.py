"""Every row of the site's failures becomes a fitting OpenAI error, streamed or not."""

import json
from typing import Any

import openai
import pytest
from pydantic import BaseModel

from tests.proxy.running import RunningProxy
from tests.site import SimulatedSite


class Weather(BaseModel):
    """What is asked for as JSON."""

    degrees: int


BEFORE = [
    ("members-only", 403, "guests_refused"),
    ("keyless-bot", 502, "upstream_error"),
    ("draft-bot", 404, "model_not_found"),
]
UPSTREAM = [
    ("err401", 502, "upstream_error"),
    ("err429", 429, "rate_limit_exceeded"),
    ("err500", 502, "upstream_error"),
    ("err503", 502, "upstream_error"),
    ("errhtml", 502, "upstream_error"),
    ("empty", 502, "upstream_error"),
    ("reset", 502, "upstream_error"),
    ("error_event", 502, "upstream_error"),
]
LATE = [("cut", 502), ("failed", 502), ("late_error", 502), ("cut_clean", 502)]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("model", "status", "code"), BEFORE)
async def test_refusals_before_the_model(proxy: RunningProxy, stream: bool, model: str, status: int, code: str) -> None:
    answer = await proxy.chat("hi", model=model, stream=stream)

    assert (answer.status, answer.code) == (status, code)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("mode", "status", "code"), UPSTREAM)
async def test_failures_before_the_first_text_have_a_real_status(
    proxy: RunningProxy, stream: bool, mode: str, status: int, code: str
) -> None:
    answer = await proxy.chat(f"[[mode:{mode}]] hi", stream=stream)

    assert (answer.status, answer.code) == (status, code)


@pytest.mark.parametrize(("mode", "status"), LATE)
async def test_failures_after_text_are_an_error_event_without_an_end_mark(
    proxy: RunningProxy, mode: str, status: int
) -> None:
    events = await streamed(proxy, f"[[mode:{mode}]] hi")

    assert any(event.get("choices") for event in events)
    assert set(events[-1]["error"]) == {"message", "type", "param", "code"}
    whole = await proxy.chat(f"[[mode:{mode}]] hi")
    assert whole.status == status


async def test_the_official_client_raises_what_broke_off(proxy: RunningProxy) -> None:
    stream = await proxy.openai.chat.completions.create(
        model="gpt-4o-mini-helper", messages=[{"role": "user", "content": "[[mode:late_error]] hi"}], stream=True
    )
    with pytest.raises(openai.APIError) as exc_info:
        async for _ in stream:
            pass

    assert exc_info.value.code == "upstream_error"


async def test_a_quota_is_429_and_not_to_be_retried(proxy: RunningProxy) -> None:
    answer = [await proxy.chat("hi", model="quota-bot") for _ in range(5)][-1]

    assert (answer.status, answer.code) == (429, "insufficient_quota")
    assert answer.body["error"]["type"] == "insufficient_quota"
    assert answer.headers["x-should-retry"] == "false"


async def test_banned_words_and_moderation_are_a_content_filter(proxy: RunningProxy, site: SimulatedSite) -> None:
    site.behaviour.banned_words = ["turnip"]
    site.behaviour.flagged_words = ["swede"]

    for text in ("a turnip", "a swede"):
        answer = await proxy.chat(text)
        assert (answer.status, answer.code) == (400, "content_filter")


async def test_a_blocked_address_is_403(proxy: RunningProxy, site: SimulatedSite) -> None:
    site.behaviour.banned_ips = ["127.0.0.1"]

    assert (await proxy.chat("hi")).code == "address_blocked"


async def test_words_nobody_knows_are_passed_on_and_not_retried(proxy: RunningProxy, site: SimulatedSite) -> None:
    site.behaviour.stream_error = "Heute geschlossen."

    answer = await proxy.chat("hi")

    assert (answer.status, answer.code) == (400, "upstream_refused")
    assert "Heute geschlossen." in answer.body["error"]["message"]
    assert sum(request.action == "aipkit_cache_sse_message" for request in site.requests) == 1


async def test_a_translated_quota_is_known_by_its_notice(proxy: RunningProxy, site: SimulatedSite) -> None:
    site.behaviour.quota_text = "Kontingent erschöpft."
    answer = [await proxy.chat("hi", model="quota-bot") for _ in range(5)][-1]

    assert (answer.status, answer.code) == (429, "insufficient_quota")


async def test_an_end_without_text_is_502(proxy: RunningProxy) -> None:
    for stream in (False, True):
        answer = await proxy.chat("[[blank]] hi", stream=stream)
        assert (answer.status, answer.code) == (502, "upstream_empty_response")


async def test_a_stream_without_its_end_mark_is_an_error(proxy: RunningProxy, site: SimulatedSite) -> None:
    site.behaviour.drop_done = True

    events = await streamed(proxy, "hi")

    assert events[-1]["error"]["code"] == "upstream_truncated"
    assert (await proxy.chat("hi")).code == "upstream_truncated"


async def test_a_connection_that_breaks_is_an_error(proxy: RunningProxy, site: SimulatedSite) -> None:
    site.behaviour.cut_connection_after = 3

    events = await streamed(proxy, "hi")

    assert events[-1]["error"]["code"] == "upstream_truncated"


async def test_warnings_become_finish_reasons(proxy: RunningProxy) -> None:
    incomplete = await proxy.chat("[[mode:incomplete]] please go on")
    refused = await proxy.chat("[[mode:refusal]] hi")

    assert incomplete.body["choices"][0]["finish_reason"] == "length"
    assert refused.body["choices"][0]["finish_reason"] == "content_filter"
    assert refused.body["choices"][0]["message"]["refusal"] == "I'm sorry, I cannot help with that."


async def test_a_refusal_is_a_part_of_its_own_of_a_response(proxy: RunningProxy) -> None:
    params: dict[str, Any] = {"model": "gpt-4o-mini-helper", "input": "[[mode:refusal]] hi"}
    whole: Any = (await proxy.openai.responses.create(**params)).output[0]
    events: list[Any] = [event async for event in await proxy.openai.responses.create(**params, stream=True)]

    refusal = "I'm sorry, I cannot help with that."
    assert [(part.type, getattr(part, "refusal", None)) for part in whole.content] == [
        ("output_text", None),
        ("refusal", refusal),
    ]
    (message,) = events[-1].response.output
    assert message.content == whole.content
    about = [event for event in events if getattr(event, "content_index", 0) == 1]
    assert [event.type for event in about] == [
        *("response.content_part.added", "response.refusal.delta"),
        *("response.refusal.done", "response.content_part.done"),
    ]
    assert [about[0].part.refusal, about[1].delta, about[2].refusal, about[3].part.refusal] == [
        "",
        refusal,
        refusal,
        refusal,
    ]


async def test_a_refusal_in_place_of_json_is_not_read_as_json(proxy: RunningProxy) -> None:
    params: dict[str, Any] = {"model": "gpt-4o-mini-helper", "input": "[[mode:refusal]] hi", "text_format": Weather}
    whole: Any = (await proxy.openai.responses.parse(**params)).output[0]
    async with proxy.openai.responses.stream(**params) as stream:
        events: list[Any] = [event async for event in stream]
    (streamed,) = events[-1].response.output

    assert [part.type for part in whole.content] == [part.type for part in streamed.content] == ["refusal"]
    assert [event.content_index for event in events if hasattr(event, "content_index")] == [0] * 4


async def test_a_swallowed_error_of_google_is_not_passed_off_as_whole(proxy: RunningProxy) -> None:
    answer = await proxy.chat("[[mode:late_error]] hi", model="gemini-flash")

    assert (answer.status, answer.code) == (502, "upstream_truncated")


async def streamed(proxy: RunningProxy, text: str) -> list[dict[str, Any]]:
    """The events of a stream that has no end mark."""
    body = {"model": "gpt-4o-mini-helper", "messages": [{"role": "user", "content": text}], "stream": True}
    async with proxy.http.post(f"{proxy.url}/v1/chat/completions", json=body) as response:
        raw = await response.text()
    assert response.status == 200
    assert "[DONE]" not in raw
    return [json.loads(event.removeprefix("data: ")) for event in raw.split("\n\n") if event.startswith("data: ")]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_model_that_stalls_is_504(proxy: RunningProxy, site: SimulatedSite, stream: bool) -> None:
    site.behaviour.upstream_timeout = 0.5
    if stream:
        events = await streamed(proxy, "[[mode:stall]] hi")
        assert events[-1]["error"]["code"] == "upstream_timeout"
    else:
        answer = await proxy.chat("[[mode:stall]] hi")
        assert (answer.status, answer.code) == (504, "upstream_timeout")
