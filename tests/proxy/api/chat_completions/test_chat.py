"""chat/completions with the official client against the simulated site."""

import asyncio
import base64
import json
from dataclasses import replace
from typing import Any

import openai
import pytest

from proxy.chat.tokens import estimate_tokens
from tests.pictures import PNG
from tests.proxy.running import RunningProxy, capture
from tests.site import SimulatedSite

ECHO = '[gpt-4o-mini] You said: hi\n你好,世界! 😀👨‍👩‍👧 café "quoted" \\ back/slash\nprior=0 images=0 END'


async def test_a_streamed_answer_arrives_complete_with_the_official_client(proxy: RunningProxy) -> None:
    stream = await proxy.openai.chat.completions.create(
        model="gpt-4o-mini-helper", messages=[{"role": "user", "content": "hi"}], stream=True
    )

    chunks = [chunk async for chunk in stream]

    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == ECHO
    assert len({(chunk.id, chunk.created, chunk.model) for chunk in chunks}) == 1
    assert [chunk.choices[0].delta.role for chunk in chunks if chunk.choices[0].delta.role] == ["assistant"]
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices[0].finish_reason] == ["stop"]
    assert all(chunk.usage is None for chunk in chunks)


async def test_a_whole_answer_has_openais_shape(proxy: RunningProxy) -> None:
    answer = await proxy.openai.chat.completions.create(
        model="gpt-4o-mini-helper", messages=[{"role": "user", "content": "hi"}]
    )

    assert answer.choices[0].message.content == ECHO
    assert answer.choices[0].finish_reason == "stop"
    assert answer.model == "gpt-4o-mini-helper"
    assert answer.usage is not None
    assert 0 < answer.usage.prompt_tokens < answer.usage.completion_tokens
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert answer._request_id


async def test_usage_is_streamed_last_and_only_when_asked_for(proxy: RunningProxy) -> None:
    stream = await proxy.openai.chat.completions.create(
        model="gpt-4o-mini-helper",
        messages=[{"role": "user", "content": "hi"}],
        stream=True,
        stream_options={"include_usage": True},
    )

    chunks = [chunk async for chunk in stream]

    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens > 0
    assert all(chunk.usage is None for chunk in chunks[:-1])


async def test_the_stream_is_plain_data_lines_and_ends_with_the_end_mark(proxy: RunningProxy) -> None:
    body = {"model": "gpt-4o-mini-helper", "messages": [{"role": "user", "content": "hi"}], "stream": True}
    async with proxy.http.post(f"{proxy.url}/v1/chat/completions", json=body) as response:
        raw = await response.read()

    assert response.headers["Content-Type"].startswith("text/event-stream")
    assert response.headers["X-Accel-Buffering"] == "no"
    assert response.headers["x-request-id"]
    events = raw.decode().split("\n\n")
    assert events[-2:] == ["data: [DONE]", ""]
    for event in events[:-2]:
        assert "\n" not in event
        assert json.loads(event.removeprefix("data: "))["object"] == "chat.completion.chunk"


async def test_a_single_message_reaches_the_model_verbatim(proxy: RunningProxy, site: SimulatedSite) -> None:
    text = ' leading, <b>html</b> & "quotes" \\ 100% +plus \u2028 世界\n\nlast line '

    await proxy.chat(text)

    assert site.model_calls[-1].messages[-1]["content"].strip() == text.strip()


async def test_a_history_without_an_id_reaches_the_model_whole_and_in_order(
    proxy: RunningProxy, site: SimulatedSite
) -> None:
    texts = ["be <b>brief</b> & kind", "my name is 小明", 'hello\n\n"小明"', "what is my name?"]
    roles = ["system", "user", "assistant", "user"]

    await proxy.chat(*({"role": role, "content": text} for role, text in zip(roles, texts, strict=True)))

    sent = site.model_calls[-1].messages[-1]["content"]
    positions = [sent.index(text) for text in texts]
    assert positions == sorted(positions)
    assert all(sent.count(text) == 1 for text in texts)


async def test_without_an_id_turns_do_not_share_a_conversation(proxy: RunningProxy, site: SimulatedSite) -> None:
    await proxy.chat("one")
    await proxy.chat("two")

    first, second = site.model_calls
    assert first.conversation_uuid != second.conversation_uuid
    assert len([message for message in second.messages if message["role"] != "system"]) == 1


@pytest.mark.parametrize(
    ("model", "field"),
    [("web-search-bot", "frontend_web_search_active"), ("gemini-flash", "frontend_google_search_grounding_active")],
)
async def test_web_search_is_switched_on_in_the_providers_own_way(
    proxy: RunningProxy, site: SimulatedSite, model: str, field: str
) -> None:
    answer = await proxy.chat("search it", model=model, web_search=True)

    assert "websearch=1" in answer.text
    assert site.requests[-1].fields[field] == "true"
    plain = await proxy.chat("search it", model=model)
    assert "websearch" not in plain.text
    assert "x-ignored-params" not in answer.headers


@pytest.mark.parametrize("field", [{"web_search": True}, {"web_search_options": {}}])
async def test_a_search_that_the_bot_does_not_have_is_named_as_ignored(
    proxy: RunningProxy, field: dict[str, Any]
) -> None:
    answer = await proxy.chat("search it", **field)

    assert (answer.status, answer.headers["x-ignored-params"]) == (200, next(iter(field)))


async def test_citations_come_back_as_annotations(proxy: RunningProxy) -> None:
    answer = await proxy.openai.chat.completions.create(
        model="web-search-bot", messages=[{"role": "user", "content": "search it"}], web_search_options={}
    )

    annotations = answer.choices[0].message.annotations
    assert annotations is not None
    assert [item.url_citation.title for item in annotations] == ["Example A", "例子 B"]
    assert annotations[0].url_citation.url == "https://example.invalid/a?utm_source=openai"
    assert (annotations[0].url_citation.start_index, annotations[0].url_citation.end_index) == (0, 10)


async def test_citations_are_kept_in_a_conversation_which_continues(proxy: RunningProxy, site: SimulatedSite) -> None:
    name = (await proxy.openai.conversations.create()).id
    fields: dict[str, Any] = {"model": "web-search-bot", "web_search": True, "conversation_id": name}
    await proxy.chat("search it", **fields)
    message = (await proxy.chat("go on", **fields)).body["choices"][0]["message"]["annotations"]
    items: list[Any] = [item async for item in proxy.openai.conversations.items.list(name)]

    kept = [each.model_dump(exclude={"type"}) for each in items[0].content[0].annotations]
    assert kept == [each["url_citation"] for each in message] != []
    assert len({call.conversation_uuid for call in site.model_calls}) == 1


async def test_the_visits_cookie_and_user_agent_go_with_both_steps(proxy: RunningProxy, site: SimulatedSite) -> None:
    state = await proxy.store.site_state(site.origin)
    assert state is not None
    credentials = replace(state.current, cookie='a="b|c,d\\;$"; e=f')
    taken = replace(await capture(site), credentials=credentials)
    await proxy.takes(taken, base=state.current.generation)
    await proxy.chat("hi")

    turn = [request for request in site.requests if request.fields.get("action", "").startswith("aipkit_")][-2:]
    assert [request.headers.get("Cookie") for request in turn] == ['a="b|c,d\\;$"; e=f'] * 2
    assert [request.headers.get("User-Agent") for request in turn] == ["Visitor/1.0"] * 2
    assert all("Origin" not in request.headers for request in turn)


async def test_without_cookies_no_cookie_header_is_sent(proxy: RunningProxy, site: SimulatedSite) -> None:
    await proxy.chat("hi")

    assert all("Cookie" not in request.headers for request in site.requests[-2:])


async def test_an_unknown_model_is_404_and_names_where_to_look(proxy: RunningProxy) -> None:
    with pytest.raises(openai.NotFoundError) as exc_info:
        await proxy.openai.chat.completions.create(model="gpt-99", messages=[{"role": "user", "content": "hi"}])

    assert exc_info.value.code == "model_not_found"
    assert "/v1/models" in exc_info.value.message


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"stop": "世界"}, "[gpt-4o-mini] You said: hi\n你好,"),
        ({"stop": ["nowhere", "o-mini] Y"]}, "[gpt-4"),
        ({"max_tokens": 4}, "[gpt-4"),
    ],
)
async def test_an_answer_ends_where_the_client_wants_it_to(
    proxy: RunningProxy, site: SimulatedSite, stream: bool, fields: dict[str, Any], text: str
) -> None:
    site.behaviour.delta_delay = 0.05
    if stream:
        chunks = await proxy.openai.chat.completions.create(
            model="gpt-4o-mini-helper", messages=[{"role": "user", "content": "hi"}], stream=True, **fields
        )
        got = [chunk async for chunk in chunks]
        answer = "".join(chunk.choices[0].delta.content or "" for chunk in got)
        ended = got[-1].choices[0].finish_reason
    else:
        whole = await proxy.chat("hi", **fields)
        answer, ended = whole.text, whole.body["choices"][0]["finish_reason"]

    assert (answer, ended) == (text, "stop" if "stop" in fields else "length")
    for _ in range(100):
        if not site.open_streams:
            break
        await asyncio.sleep(0.01)
    assert site.open_streams == 0
    assert site.aborted_streams == 1


@pytest.mark.parametrize(("more", "ended"), [(0, "length"), (1, "stop")])
async def test_a_limit_that_is_met_at_the_very_end_is_reported(proxy: RunningProxy, more: int, ended: str) -> None:
    whole = await proxy.chat("hi")
    limit = estimate_tokens(whole.text) - 1 + more

    answer = await proxy.chat("hi", stop=" ENDLESS", max_tokens=limit)

    assert answer.body["choices"][0]["finish_reason"] == ended
    assert (answer.text == whole.text) == (ended == "stop")
    assert whole.text.startswith(answer.text)


PICTURE = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{base64.b64encode(PNG).decode()}"}}


@pytest.mark.parametrize(("content", "more"), [([PICTURE], {}), ("hi", {"stop": "["})])
async def test_no_usage_is_zero(proxy: RunningProxy, content: Any, more: dict[str, Any]) -> None:
    answer = await proxy.chat({"role": "user", "content": content}, **more)

    assert answer.body["usage"]["prompt_tokens"] > 0
    assert answer.body["usage"]["completion_tokens"] == (estimate_tokens(answer.text) or 1)


async def test_a_cut_answer_is_remembered_as_it_was_sent(proxy: RunningProxy, site: SimulatedSite) -> None:
    conversation = await proxy.openai.conversations.create()
    first = await proxy.chat("hi", conversation_id=conversation.id, stop="世界")

    answer = await proxy.chat("[[recall]]", conversation_id=conversation.id)

    assert first.text in answer.text
    assert "世界" not in answer.text


async def test_parameters_the_site_cannot_take_are_named_in_a_header(proxy: RunningProxy) -> None:
    answer = await proxy.chat("hi", temperature=0.1, seed=3)

    assert answer.status == 200
    assert answer.headers["x-ignored-params"] == "temperature, seed"


@pytest.mark.parametrize("content", ["", None, [], "\n"])
async def test_a_place_left_for_the_answer_is_no_beginning_of_one(
    proxy: RunningProxy, site: SimulatedSite, content: Any
) -> None:
    """Continue, Hermes and others send the message that they are going to fill along, and mean a plain question."""
    placeholder = {"role": "assistant", "content": content}
    await proxy.chat("hello there", placeholder, placeholder)

    assert site.model_calls[-1].messages[-1]["content"] == "hello there"
