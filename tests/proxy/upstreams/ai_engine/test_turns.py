"""Turns on the simulated AI Engine site: requests to the site, and answers to clients."""

import asyncio
import base64
from pathlib import Path
from typing import Any

import pytest

from tests.pictures import PNG
from tests.proxy.running import RunningProxy
from tests.proxy.upstreams.ai_engine.engine import (
    CC,
    RESP,
    VISION,
    capture_engine,
    chat,
    running_engine_proxy,
    streamed,
    text_of,
)
from tests.proxy.upstreams.list_upstream import assistant_message
from tests.site_ai_engine import EngineBot, SimulatedAiEngine
from tests.site_ai_engine.rest import RestCall

START, SUBMIT, UPLOAD = "start_session", "chats/submit", "files/upload"
LOOK = [
    {"type": "text", "text": "look"},
    {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{base64.b64encode(PNG).decode()}"}},
]
OWN_KEYS = {
    "botId",
    "customId",
    "session",
    "chatId",
    "contextId",
    "messages",
    "newMessage",
    "newFileId",
    "newFileIds",
    "stream",
}


@pytest.mark.parametrize("stream", [True, False])
async def test_a_turn_is_answered_as_the_model_wrote_it(
    engine_proxy: RunningProxy, engine: SimulatedAiEngine, stream: bool
) -> None:
    engine.behaviour.streams = stream
    expected = "Hello 世界 😀 <b>x</b>"
    events = await streamed(engine_proxy, expected)

    text = text_of(events)
    assert text.startswith(f"[gpt-4o-mini] You said: {expected}\n你好,世界! 😀👨‍👩‍👧 café")
    assert "  \n" not in text
    assert events[-1] == "data: [DONE]"
    assert (await chat(engine_proxy, expected)).text == text
    assert engine.overrides == []


async def test_the_pages_choice_to_stream_or_not_is_kept(engine: SimulatedAiEngine, tmp_path: Path) -> None:
    engine.behaviour.streams = False
    async with running_engine_proxy(engine, data_dir=tmp_path) as proxy:
        assert "You said: hi" in text_of(await streamed(proxy, "hi"))

    assert [seen.body["stream"] for seen in engine.requests_to(SUBMIT)] == [False]


async def test_nothing_that_a_client_names_overrides_what_the_operator_set(
    engine_proxy: RunningProxy, engine: SimulatedAiEngine
) -> None:
    parameters: dict[str, Any] = {
        "temperature": 0.1,
        "max_tokens": 500,
        "top_p": 0.5,
        "seed": 1,
        "instructions": "x",
        "tools": None,
    }
    await chat(engine_proxy, {"role": "system", "content": "be kind"}, "hi", **parameters)

    (seen,) = engine.requests_to(SUBMIT)
    assert set(seen.body) == OWN_KEYS
    assert engine.overrides == []
    assert engine.model_calls[0].body["instructions"] == "You are OPERATOR-INSTRUCTIONS.\nBe <b>brief</b>."
    assert [role for role, _ in engine.model_calls[0].messages] == ["user", "user"]


async def test_a_turn_is_part_of_the_captured_visit(engine_proxy: RunningProxy, engine: SimulatedAiEngine) -> None:
    await chat(engine_proxy, "hi")

    (seen,) = engine.requests_to(SUBMIT)
    assert seen.headers["User-Agent"] == "Visitor/1.0"
    assert f"mwai_session_id={seen.body['session']}" in seen.headers["Cookie"]
    assert seen.headers["X-WP-Nonce"] == engine.nonce
    assert (seen.body["contextId"], seen.body["botId"]) == (101, "chatbot-resp")


async def test_credentials_that_answered_are_remembered_as_good(
    engine_proxy: RunningProxy, engine: SimulatedAiEngine
) -> None:
    await chat(engine_proxy, "hi")

    async with asyncio.timeout(5):
        while not (state := await engine_proxy.store.site_state(engine.origin)) or state.last_good is None:
            await asyncio.sleep(0.01)
    assert state.last_good == state.current


async def test_memory_is_exact_and_nothing_is_left_on_the_site(
    engine_proxy: RunningProxy, engine: SimulatedAiEngine
) -> None:
    markup = "<b>if</b> a < b && c\n  &lt; {DATE_TIME} [gallery]"
    first = (await chat(engine_proxy, markup)).text
    await chat(engine_proxy, markup, assistant_message(first), "second")

    assert engine.model_calls[1].messages == [("user", markup), ("assistant", first), ("user", "second")]
    chats = [seen.body["chatId"] for seen in engine.requests_to(SUBMIT)]
    assert len(set(chats)) == 2
    assert all(9 <= len(chat) <= 11 for chat in chats)


async def test_a_stored_conversation_is_told_whole_in_each_turn(
    engine_proxy: RunningProxy, engine: SimulatedAiEngine
) -> None:
    stored = await engine_proxy.openai.conversations.create()
    for text in ("my name is Ada", "who am I?"):
        await engine_proxy.openai.responses.create(model=RESP, conversation=stored.id, input=text)

    assert [text for _, text in engine.model_calls[1].messages][::2] == ["my name is Ada", "who am I?"]


async def test_messages_outside_the_sites_window_are_reported(
    engine_proxy: RunningProxy, engine: SimulatedAiEngine
) -> None:
    history = [message for number in range(12) for message in (f"u{number}", assistant_message(f"a{number}"))]
    answer = await chat(engine_proxy, *history, "now")

    assert answer.headers["x-dropped-messages"] == "8"
    assert engine.model_calls[0].messages[0] == ("user", "u4")
    assert len(engine.model_calls[0].messages) == 17


async def test_usage_is_the_providers_where_it_is_known(engine_proxy: RunningProxy) -> None:
    known = (await chat(engine_proxy, "Hello")).body["usage"]
    guessed = (await chat(engine_proxy, "Hello", model=CC)).body["usage"]

    assert known["prompt_tokens"] == 11
    assert guessed["prompt_tokens"] != 11


async def test_a_picture_is_brought_once_though_its_turn_is_tried_again(
    engine_proxy: RunningProxy, engine: SimulatedAiEngine
) -> None:
    old, takes = engine.nonce, engine.nonces.accepts

    def accepts(nonce: str, token: str) -> bool:
        if engine.files and engine.nonce == old:
            engine.rotate_nonce()
        return takes(nonce, token)

    engine.nonces.accepts = accepts  # type: ignore[method-assign]

    assert "images=1" in (await chat(engine_proxy, {"role": "user", "content": LOOK}, model=VISION)).text
    assert (len(engine.requests_to("files/upload")), len(engine.requests_to(SUBMIT))) == (1, 2)


async def test_a_picture_goes_with_its_turn(engine_proxy: RunningProxy, engine: SimulatedAiEngine) -> None:
    answer = await chat(engine_proxy, {"role": "user", "content": LOOK}, model=VISION)
    refused = await chat(engine_proxy, {"role": "user", "content": LOOK})

    assert "images=1" in answer.text
    assert list(engine.files.values()) == [PNG]
    (name,) = engine.files
    assert engine.requests_to(SUBMIT)[0].body["newFileId"] == name
    assert (refused.status, refused.code) == (400, "images_not_supported")


async def test_a_picture_is_brought_to_no_page_that_takes_files_of_other_kinds_only(tmp_path: Path) -> None:
    bot = EngineBot("default", "Papers: ", uploads=True, allowed_types="application/pdf", max_length=100_000)
    async with SimulatedAiEngine([bot]) as engine, running_engine_proxy(engine, data_dir=tmp_path) as proxy:
        refused = await chat(proxy, {"role": "user", "content": LOOK}, model="papers")

    assert (refused.status, refused.code) == (400, "images_not_supported")
    assert not engine.requests_to(UPLOAD)


@pytest.mark.parametrize("streams", [True, False])
async def test_a_picture_that_the_model_draws_beside_its_text_is_given(
    engine: SimulatedAiEngine, tmp_path: Path, streams: bool
) -> None:
    engine.behaviour.streams = streams
    async with running_engine_proxy(engine, data_dir=tmp_path) as proxy:
        whole, events = await chat(proxy, "[[mode:draws]]"), await streamed(proxy, "[[mode:draws]]")

    for text in (whole.text, text_of(events)):
        assert text.startswith(f"A cat:\n\n![Generated Image]({engine.url}wp-content/uploads/2026/11/resp_")


async def test_a_picture_is_brought_once_though_its_turn_is_tried_again_after_a_pause(
    engine_proxy: RunningProxy, engine: SimulatedAiEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers, pauses = engine.routes[f"/mwai-ui/v1/{SUBMIT}"], []

    def pause(attempts: int) -> float:
        pauses.append(attempts)
        return 0.0

    async def breaks_off(call: RestCall) -> Any:
        if len(engine.requests_to(SUBMIT)) == 2:  # the first one is repeated at once, over a new connection
            engine.routes[call.route] = answers
        assert call.request.transport is not None
        call.request.transport.abort()
        return call.json({})

    monkeypatch.setattr("proxy.chat.upstream.restart_pause", pause)
    engine.routes[f"/mwai-ui/v1/{SUBMIT}"] = breaks_off
    answer = await chat(engine_proxy, {"role": "user", "content": LOOK}, model=VISION)

    assert "images=1" in answer.text
    assert [len(engine.requests_to(route)) for route in (UPLOAD, SUBMIT)] == [1, 3]
    assert pauses == [1]


async def test_plain_permalinks_are_asked_as_the_page_writes_them(tmp_path: Path) -> None:
    async with (
        SimulatedAiEngine(base_path="/blog", plain_permalinks=True) as engine,
        running_engine_proxy(engine, data_dir=tmp_path) as proxy,
    ):
        engine.rotate_nonce()
        answer = await chat(proxy, {"role": "user", "content": LOOK}, model=VISION)

    assert "images=1" in answer.text
    assert len(engine.files) == 1  # of two tries, the first with a dead nonce
    paths = {seen.path for seen in engine.requests}
    assert paths == {
        f"/blog/index.php?rest_route={route}"
        for route in ("/mwai/v1/start_session", "/mwai-ui/v1/files/upload", "/mwai-ui/v1/chats/submit")
    }


async def test_a_bot_that_the_page_shows_no_more_is_not_asked_for_since_another_would_answer(
    engine_proxy: RunningProxy, engine: SimulatedAiEngine
) -> None:
    aliased = f"{RESP}@{engine.origin.removeprefix('http://')}"
    state = await engine_proxy.store.site_state(engine.origin)
    assert state is not None
    del engine.bots["chatbot-resp"]
    assert "[gpt-5-mini]" in (await chat(engine_proxy, "hi", model=aliased)).text  # the site would not say

    engine.shown = [engine.bots["default"]]
    taken = await capture_engine(engine)
    await engine_proxy.takes(taken, base=state.current.generation)
    gone = await chat(engine_proxy, "hi", model=aliased)

    assert (gone.status, gone.code) == (404, "model_not_found")


async def test_a_shortcodes_own_settings_are_shown_again_before_the_site_forgets_them(tmp_path: Path) -> None:
    bots = [EngineBot("default"), EngineBot("default", "Over:", custom_id="my-bot", instructions="CUSTOM")]
    async with (
        SimulatedAiEngine(bots) as engine,
        running_engine_proxy(engine, data_dir=tmp_path, capture=await capture_engine(engine, "all/")) as proxy,
    ):
        old = await chat(proxy, "hi", model="over")
        ask = await proxy.store.pending_ask(engine.origin)

    assert (old.status, old.code) == (503, "upstream_unavailable")
    assert ask is not None
    assert not engine.model_calls


async def test_leaving_drops_the_connection(engine_proxy: RunningProxy, engine: SimulatedAiEngine) -> None:
    engine.behaviour.delta_delay = 0.05
    body = {"model": RESP, "messages": [{"role": "user", "content": "[[tokens:200]]"}], "stream": True}
    async with engine_proxy.http.post(f"{engine_proxy.url}/v1/chat/completions", json=body) as response:
        await response.content.readany()
        response.close()
    async with asyncio.timeout(5):
        while not engine.streams.aborted:
            await asyncio.sleep(0.01)

    assert len(engine.streams) == 0
