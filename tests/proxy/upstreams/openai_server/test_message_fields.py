"""Fields and contents of clients' messages that a server can use and a site cannot."""

import json
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any

import openai
import pytest

from proxy.api.app_keys import UPSTREAMS
from tests.openai_server import Answer, OpenAiPeer
from tests.pictures import GIF, PNG, picture_server, public_or_here
from tests.proxy.api.openapi.test_described_calls import invalid_values
from tests.proxy.running import RunningProxy, running_proxy
from tests.proxy.upstreams.openai_server.api_clients import MODEL, SITES, messaged
from tests.proxy.wire import exchange
from tests.site import SimulatedSite

SOUND: Any = {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}
FILE: Any = {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}}
VIDEO: Any = {"type": "video_url", "video_url": {"url": "https://example.org/a.mp4"}}
FLAT: Any = {"type": "input_file", **FILE["file"]}
PDF: Any = {
    "type": "document",
    "title": "a.pdf",
    "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="},
}
DOT = "data:image/png;base64,iVBORw0KGgo="
GIF_URL = f"data:image/gif;base64,{b64encode(GIF).decode()}"
PICTURE: Any = {"type": "image_url", "image_url": {"url": DOT}}
GIF_PICTURE: Any = {"type": "image_url", "image_url": {"url": GIF_URL}}
DETAILS = [{"type": "reasoning.encrypted", "data": "abc", "format": "x", "index": 0}]


def text(words: str) -> Any:
    """A part that is text."""
    return {"type": "text", "text": words}


def user(*parts: Any) -> Any:
    """A message made of parts."""
    return {"role": "user", "content": list(parts)}


async def test_names_and_thoughts_of_a_history_are_forwarded(gateway: RunningProxy, server: OpenAiPeer) -> None:
    history: list[Any] = [
        {"role": "system", "content": "be brief", "name": "rules"},
        {"role": "user", "content": "hi", "name": "Ada"},
        {"role": "assistant", "content": "hello", "name": "Bob", "reasoning": "hm", "reasoning_details": DETAILS},
        {"role": "user", "content": "again"},
    ]

    await gateway.openai.chat.completions.create(model=MODEL, messages=history)

    assert server.received[0].body["messages"] == history
    assert invalid_values("ChatCompletionRequest", [{"model": MODEL, "messages": history}]) == []


async def test_invalid_names_and_thoughts_are_left_out(gateway: RunningProxy, server: OpenAiPeer) -> None:
    message = {"name": 7, "reasoning_content": ["x"], "reasoning": "", "reasoning_details": "abc"}
    empty = {"name": "", "reasoning_content": "", "reasoning_details": []}
    history: list[Any] = [
        {"role": "user", "content": "hi", **empty, "reasoning": "not the user's"},
        {"role": "assistant", "content": "hello", **message},
        {"role": "tool", "tool_call_id": "call_1", "name": "look", "content": "seen"},
        {"role": "user", "content": "again"},
    ]

    await gateway.chat(*history, model=MODEL)

    messages = server.received[0].body["messages"]
    assert messages[0] == {"role": "user", "content": "hi"}
    assert messages[1] == {"role": "assistant", "content": "hello"}
    assert "name" not in messages[2]


async def test_details_that_are_nested_too_deep_are_refused(gateway: RunningProxy, server: OpenAiPeer) -> None:
    deep: Any = []
    for _ in range(500):
        deep = [deep]

    answer = await gateway.chat("hi", {"role": "assistant", "reasoning_details": deep}, "again", model=MODEL)

    assert (answer.status, answer.body["error"]["param"]) == (400, "messages.1.reasoning_details")
    assert not server.received


async def test_names_reach_neither_a_site_nor_its_fallback_server(
    gateway: RunningProxy, site: SimulatedSite, server: OpenAiPeer
) -> None:
    message = {"role": "user", "content": "hi", "name": "Adalbert"}
    answer = await gateway.chat(message, model=SITES)
    site.behaviour.ajax_status = 500
    fallback = await gateway.chat(message, model=SITES)

    assert (answer.status, fallback.headers["x-fallback-model"]) == (200, MODEL)
    assert "Adalbert" not in json.dumps([call.messages for call in site.model_calls])
    assert "Adalbert" not in json.dumps(server.received[0].body)


async def test_sound_and_files_reach_a_server_as_they_are(gateway: RunningProxy, server: OpenAiPeer) -> None:
    parts = [text("listen"), SOUND, FILE, VIDEO, PICTURE]

    await gateway.openai.chat.completions.create(model=MODEL, messages=[user(*parts)])
    await gateway.chat(user(SOUND), model=MODEL)

    assert server.received[0].body["messages"] == [user(*parts)]
    assert server.received[1].body["messages"] == [user(SOUND)]
    assert invalid_values("ChatCompletionRequest", [{"model": MODEL, "messages": [user(*parts, FLAT)]}]) == []


async def test_a_conversation_continues_after_a_sound_that_is_told_again_or_not(
    gateway: RunningProxy, server: OpenAiPeer
) -> None:
    server.answers = [Answer(["heard"])]
    conversation = (await gateway.openai.conversations.create()).id
    reply: Any = {"role": "assistant", "content": "heard"}
    first, again, more = user(text("listen"), SOUND), user(text("again")), user(text("more"))
    for messages in ([first], [first, reply, again], [more]):
        assert (await gateway.chat(*messages, model=MODEL, conversation_id=conversation)).status == 200

    assert server.received[1].texts == [[text("listen"), SOUND], "heard", "again"]
    assert server.received[2].texts == ["listen", "heard", "again", "heard", "more"]


async def test_where_only_sites_answer_they_are_refused_by_name(site: SimulatedSite, tmp_path: Path) -> None:
    async with running_proxy(site, tmp_path) as proxy:
        for part in (SOUND, FILE, VIDEO):
            with pytest.raises(openai.BadRequestError) as exc_info:
                await proxy.openai.chat.completions.create(model=SITES, messages=[user(text("a"), part)])
            assert (exc_info.value.param, exc_info.value.code) == ("messages.0.content.1", "unsupported_content_part")
        response = await exchange(proxy.url, "POST", "/v1/responses", {"model": SITES, "input": [user(FLAT)]})
        answer = await messaged(proxy, user(text("a"), PDF), stream=False, model=SITES, status=400)

    assert response.status == 400
    assert json.loads(response.body)["error"]["param"] == "input.0.content.0"
    assert "messages.0.content.1.source" in json.loads(answer.body)["error"]["message"]
    assert not site.model_calls


async def test_the_server_that_stands_behind_a_sites_model_answers_what_the_site_cannot_take(
    gateway: RunningProxy, site: SimulatedSite, server: OpenAiPeer
) -> None:
    answer = await gateway.chat(user(text("listen"), SOUND), model=SITES)

    assert (answer.status, answer.headers["x-fallback-model"]) == (200, MODEL)
    assert server.received[0].body["messages"] == [user(text("listen"), SOUND)]
    assert not site.model_calls


async def test_a_file_of_text_is_told_to_the_site_though_a_server_stands_behind_it(
    gateway: RunningProxy, site: SimulatedSite, server: OpenAiPeer
) -> None:
    data = f"data:text/plain;base64,{b64encode(b'the words').decode()}"
    file: Any = {"type": "file", "file": {"filename": "a.txt", "file_data": data}}

    by_site = await gateway.chat(user(text("read"), file), model=SITES)
    site.behaviour.ajax_status = 500
    by_server = await gateway.chat(user(text("read"), file), model=SITES)

    assert "x-fallback-model" not in by_site.headers
    assert "the words" in json.dumps(site.model_calls[0].messages)
    assert by_server.headers["x-fallback-model"] == MODEL
    assert "the words" in json.dumps(server.received[0].body)


async def test_a_part_that_holds_nothing_and_one_that_nobody_knows_are_refused(gateway: RunningProxy) -> None:
    for part in ({"type": "input_audio"}, {"type": "file", "file": "a"}, {"type": "hologram", "hologram": {}}):
        answer = await gateway.chat(user(part), model=MODEL)
        assert (answer.status, answer.code) == (400, "unsupported_content_part")


async def test_files_of_the_other_apis_reach_a_server_too(gateway: RunningProxy, server: OpenAiPeer) -> None:
    messages: Any = [{"role": "user", "content": [{"type": "input_text", "text": "read"}, FLAT]}]
    await gateway.openai.responses.create(model=MODEL, input=messages)
    await messaged(gateway, user(text("read"), PDF), stream=False)

    assert server.received[0].texts == server.received[1].texts == [[text("read"), FILE]]


async def test_instructions_stand_before_all_that_was_said(gateway: RunningProxy, server: OpenAiPeer) -> None:
    first = await gateway.openai.responses.create(model=MODEL, input="one", instructions="Be kind.")
    second: Any = {"model": MODEL, "input": "two", "previous_response_id": first.id}
    await gateway.openai.responses.create(**second, instructions="Be brief.")

    assert server.received[1].texts == ["Be brief.", "one", "served", "two"]


async def test_a_conversation_takes_no_items_that_hold_files(gateway: RunningProxy) -> None:
    items: Any = [{"role": "user", "content": [FLAT]}]
    with pytest.raises(openai.BadRequestError) as exc_info:
        await gateway.openai.conversations.create(items=items)
    conversation = (await gateway.openai.conversations.create()).id
    with pytest.raises(openai.BadRequestError) as added:
        await gateway.openai.conversations.items.create(conversation, items=items)

    assert exc_info.value.param == added.value.param == "items.0.content.0"


async def test_names_thoughts_and_sounds_pass_two_proxies(site: SimulatedSite, tmp_path: Path) -> None:
    history: list[Any] = [
        {"role": "user", "content": [text("listen"), SOUND], "name": "Ada"},
        {"role": "assistant", "content": "heard", "reasoning_content": "hm"},
        {"role": "user", "content": "again"},
    ]
    async with (
        OpenAiPeer("tiny") as peer,
        running_proxy(site, tmp_path / "back", servers=f"mine={peer.base_url}") as back,
        running_proxy(site, tmp_path / "front", captured=False, servers=f"back={back.url}") as front,
    ):
        await back.app[UPSTREAMS][1].discover()
        await front.app[UPSTREAMS][1].discover()
        await front.openai.chat.completions.create(model="back/mine/tiny", messages=history)

    assert peer.received[0].body["messages"] == history


async def test_a_server_gets_all_pictures_that_were_fetched(site: SimulatedSite, tmp_path: Path) -> None:
    async with (
        OpenAiPeer("tiny") as peer,
        picture_server() as pictures,
        running_proxy(site, tmp_path, is_fetchable=public_or_here, servers=f"mine={peer.base_url}") as proxy,
    ):
        await proxy.app[UPSTREAMS][1].discover()
        pictures.bodies = {f"/{number}": PNG + str(number).encode() for number in range(5)} | {"/5": GIF}
        shown = [{"type": "image_url", "image_url": {"url": pictures.url + path}} for path in pictures.bodies]
        history = [user(*shown[:5]), {"role": "assistant", "content": "ok"}, user(shown[5])]
        assert (await proxy.chat(*history, model=MODEL)).status == 200

    sent = [part for each in peer.received[0].body["messages"] if each["role"] == "user" for part in each["content"]]
    assert [b64decode(part["image_url"]["url"][22:]) for part in sent] == list(pictures.bodies.values())


async def test_texts_and_pictures_keep_their_order(gateway: RunningProxy, server: OpenAiPeer) -> None:
    parts = [text("First:"), PICTURE, text("\nSecond,\n"), SOUND, text(" third:"), GIF_PICTURE, PICTURE, text("Which?")]
    pictures_first = [PICTURE, GIF_PICTURE, text("What\nis that?")]
    unreadable = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}

    first = user(PICTURE, text("a"), text("b"), unreadable, FILE, text("c"))
    assert (await gateway.chat(first, {"role": "assistant", "content": "ok"}, user(*parts), model=MODEL)).status == 200
    await gateway.openai.chat.completions.create(model=MODEL, messages=[user(*pictures_first)])

    omitted = text("c\n[a file that cannot be shown here]")
    assert server.received[0].texts == [[PICTURE, text("a\nb"), FILE, omitted], "ok", parts]
    assert server.received[1].texts == [pictures_first]


async def test_the_order_is_kept_in_the_other_apis(gateway: RunningProxy, server: OpenAiPeer) -> None:
    parts: Any = [text("First:"), GIF_PICTURE, text("Second:"), FILE, PICTURE, text("Which?")]
    source = {"type": "base64", "media_type": "image/png", "data": DOT.partition(",")[2]}
    gif = {"type": "base64", "media_type": "image/gif", "data": GIF_URL.partition(",")[2]}
    blocks = [parts[0], {"type": "image", "source": gif}, parts[2], PDF, {"type": "image", "source": source}, parts[5]]
    items = [
        {"type": "input_text", "text": part["text"]}
        if part["type"] == "text"
        else FLAT
        if part is FILE
        else {"type": "input_image", "image_url": part["image_url"]["url"]}
        for part in parts
    ]
    await messaged(gateway, user(*blocks), stream=False)
    await gateway.openai.responses.create(model=MODEL, input=[user(*items)])

    assert server.received[0].texts == server.received[1].texts == [parts]


async def test_a_server_is_told_how_closely_to_look_at_a_picture(site: SimulatedSite, tmp_path: Path) -> None:
    async with (
        OpenAiPeer("tiny") as peer,
        picture_server() as pictures,
        running_proxy(site, tmp_path, is_fetchable=public_or_here, servers=f"mine={peer.base_url}") as proxy,
    ):
        await proxy.app[UPSTREAMS][1].discover()
        pictures.bodies = {"/a": PNG}
        addresses = {"low": DOT, "high": f"{pictures.url}/a", "auto": GIF_URL, "very": f"{DOT[:-1]}A"}
        shown = [{"type": "image_url", "image_url": {"url": url, "detail": each}} for each, url in addresses.items()]
        assert (await proxy.chat(user(*shown), model=MODEL)).status == 200
        flat: Any = [{"type": "input_image", "image_url": url, "detail": each} for each, url in addresses.items()]
        await proxy.openai.responses.create(model=MODEL, input=[user(*flat)])

    sent = [[part["image_url"] for part in each.body["messages"][0]["content"]] for each in peer.received]
    assert [[image.get("detail") for image in images] for images in sent] == [["low", "high", None, None]] * 2


async def test_a_history_that_comes_again_into_a_stored_conversation_keeps_its_pictures_places_and_names(
    gateway: RunningProxy, server: OpenAiPeer
) -> None:
    stored = (await gateway.openai.conversations.create()).id
    first = {**user(text("First:"), PICTURE, text("Second:"), GIF_PICTURE, text("Which?")), "name": "Ada"}
    history = [first, {"role": "assistant", "content": "served", "reasoning_content": "hm"}, user(text("And now?"))]
    for messages in (history[:1], history):
        assert (await gateway.chat(*messages, model=MODEL, conversation_id=stored)).text == "served"

    expected = [first, history[1], {"role": "user", "content": "And now?"}]
    assert server.received[1].body["messages"] == expected
