"""Pictures named by address, from the official client through to what the site gets."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.pictures import GIF, JPEG, PNG, WEBP, PictureServer, picture_server, public_or_here
from tests.proxy.running import RunningProxy, running_proxy
from tests.site import SimulatedSite


@pytest.fixture
async def pictures() -> AsyncIterator[PictureServer]:
    """A server of pictures."""
    async with picture_server() as running:
        yield running


@pytest.fixture
async def local_proxy(site: SimulatedSite, tmp_path: Path) -> AsyncIterator[RunningProxy]:
    """A proxy that may fetch from 127.0.0.1 too."""
    async with running_proxy(site, tmp_path, is_fetchable=public_or_here) as running:
        yield running


def picture_message(*urls: str, text: str = "look") -> dict[str, Any]:
    images = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    return {"role": "user", "content": [{"type": "text", "text": text}, *images]}


def answer_message(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text}


def sent(site: SimulatedSite) -> list[tuple[str, bytes]]:
    """The pictures in the newest message to the site."""
    fields = [request.fields for request in site.requests if request.action == "aipkit_cache_sse_message"][-1]
    images = json.loads(fields.get("image_inputs", "[]"))
    return [(image["mime_type"], base64.b64decode(image["base64_data"])) for image in images]


def data_url(content: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"


async def test_the_official_client_sends_addresses_and_the_site_gets_pictures(
    local_proxy: RunningProxy, site: SimulatedSite, pictures: PictureServer
) -> None:
    paths = ("/one.png", "/two.jpg", "/odd/to?url=/three.webp")
    messages: list[Any] = [picture_message(*(pictures.url + path for path in paths))]

    answer = await local_proxy.openai.chat.completions.create(model="gpt-4o-mini-helper", messages=messages)

    assert "images=3" in (answer.choices[0].message.content or "")
    assert sent(site) == [("image/png", PNG), ("image/jpeg", JPEG), ("image/webp", WEBP)]


async def test_an_address_named_twice_is_fetched_once(
    local_proxy: RunningProxy, site: SimulatedSite, pictures: PictureServer
) -> None:
    url = f"{pictures.url}/one.png"

    assert (await local_proxy.chat(picture_message(url, url), picture_message(url))).status == 200

    assert pictures.hits["/one.png"] == 1
    assert sent(site) == [("image/png", PNG)] * 3


async def test_the_site_is_continued_whichever_way_the_picture_comes(
    local_proxy: RunningProxy, site: SimulatedSite, pictures: PictureServer
) -> None:
    url = f"{pictures.url}/one.png"
    first = await local_proxy.chat(picture_message(url), model="gpt-5-nano")
    second = await local_proxy.chat(picture_message(url), answer_message(first.text), "more", model="gpt-5-nano")
    history: list[Any] = [
        picture_message(data_url(PNG)),
        answer_message(first.text),
        "more",
        answer_message(second.text),
    ]

    assert (await local_proxy.chat(*history, "and more", model="gpt-5-nano")).status == 200

    assert pictures.hits["/one.png"] == 1  # resent, and not fetched again
    assert len({call.conversation_uuid for call in site.model_calls}) == 1
    assert [call.images for call in site.model_calls] == [1, 0, 0]


async def test_a_bot_that_keeps_no_state_is_shown_the_picture_in_each_turn(
    local_proxy: RunningProxy, site: SimulatedSite
) -> None:
    history: list[Any] = [picture_message(data_url(PNG))]
    for question in ("what colour is it?", "and how large?"):
        history += [answer_message((await local_proxy.chat(*history)).text), question]
    await local_proxy.chat(*history)

    assert [call.images for call in site.model_calls] == [1, 1, 1]


async def test_a_turn_sees_what_is_at_the_address_now(
    local_proxy: RunningProxy, site: SimulatedSite, pictures: PictureServer
) -> None:
    url = f"{pictures.url}/one.png"
    await local_proxy.chat(picture_message(url))
    pictures.bodies["/one.png"] = JPEG

    await local_proxy.chat(picture_message(url))

    assert sent(site) == [("image/jpeg", JPEG)]


async def test_an_old_conversation_outlives_its_pictures(
    local_proxy: RunningProxy, site: SimulatedSite, pictures: PictureServer
) -> None:
    """A picture nobody remembers and nobody serves any more is left out; one that came lately is still there."""
    seen, gone = f"{pictures.url}/one.png", f"{pictures.url}/gone.png"
    await local_proxy.chat(picture_message(seen))
    pictures.bodies.clear()

    history: list[Any] = [picture_message(seen, gone), answer_message("nice"), "another question"]

    assert "images=1" in (await local_proxy.chat(*history)).text
    assert sent(site) == [("image/png", PNG)]
    new = await local_proxy.chat(*history[:2], picture_message(gone))
    assert (new.status, new.code) == (400, "image_download_failed")


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/none.png", "image_download_failed"),
        ("/page", "invalid_image_format"),
        ("/odd/announced", "image_too_large"),
        ("/odd/endless", "image_too_large"),
        ("/odd/broken", "image_download_failed"),
        ("/odd/round", "image_download_failed"),
        ("/odd/to?url=http://127.0.0.2/", "image_download_failed"),
        ("/odd/to?url=file:///etc/passwd", "image_download_failed"),
    ],
)
async def test_a_picture_that_cannot_be_fetched_is_a_400_that_names_its_field(
    local_proxy: RunningProxy, site: SimulatedSite, pictures: PictureServer, path: str, code: str
) -> None:
    messages: list[Any] = [
        {"role": "user", "content": "hi"},
        picture_message(f"{pictures.url}/one.png", pictures.url + path),
    ]

    with pytest.raises(openai.BadRequestError) as exc_info:
        await local_proxy.openai.chat.completions.create(model="gpt-4o-mini-helper", messages=messages)

    assert (exc_info.value.code, exc_info.value.param) == (code, "messages.1.content.2")
    assert str(pictures.port) not in exc_info.value.message
    assert site.model_call_count == 0


async def test_a_site_that_takes_no_gif_says_so(proxy: RunningProxy, site: SimulatedSite) -> None:
    refused = await proxy.chat(picture_message(data_url(GIF)))

    assert (refused.status, refused.code) == (400, "invalid_image")
    assert (
        refused.body["error"]["message"] == "The site refused the image: Invalid image type. Allowed: JPG, PNG, WEBP."
    )
    assert site.model_call_count == 0


async def test_one_failure_ends_the_other_downloads(local_proxy: RunningProxy, pictures: PictureServer) -> None:
    message = picture_message(f"{pictures.url}/odd/slow", f"{pictures.url}/odd/none-beside-slow")
    answer = await asyncio.wait_for(local_proxy.chat(message), 5)

    assert answer.code == "image_download_failed"
    assert await asyncio.wait_for(pictures.endings.get(), 5) == "/odd/slow"


async def test_nothing_on_this_machine_is_fetched(
    proxy: RunningProxy, site: SimulatedSite, pictures: PictureServer, free_port: int
) -> None:
    """With the rule that holds outside of tests: not even the proxy's own port, and nothing tells what is there."""
    answers = [
        await proxy.chat(picture_message(f"http://{host}:{port}/one.png"))
        for host in ("127.0.0.1", "localhost", "[::1]", "2130706433")
        for port in (pictures.port, free_port, proxy.url.rpartition(":")[2])
    ]

    assert {(answer.status, answer.code) for answer in answers} == {(400, "image_download_failed")}
    assert len({answer.body["error"]["message"] for answer in answers}) == 1
    assert not pictures.hits
    assert site.model_call_count == 0


async def test_pictures_in_stored_conversations_are_known_by_their_content(
    local_proxy: RunningProxy, pictures: PictureServer
) -> None:
    async with local_proxy.http.post(
        f"{local_proxy.url}/v1/conversations", json={"items": [picture_message(f"{pictures.url}/one.png")]}
    ) as response:
        name = (await response.json())["id"]

    stored = await local_proxy.store.conversation(name)
    answer = await local_proxy.chat(picture_message(data_url(PNG)), "what was it?", conversation_id=name)

    assert stored is not None
    assert answer.status == 200
    kept = await local_proxy.store.conversation(name)
    assert kept is not None
    assert [len(message.images) for message in kept.messages] == [1, 0, 0]
    assert kept.messages[0].images == stored.messages[0].images


async def test_items_are_named_where_their_pictures_fail(local_proxy: RunningProxy, pictures: PictureServer) -> None:
    created = await local_proxy.openai.conversations.create()
    item: Any = {**picture_message(f"{pictures.url}/none.png"), "type": "message"}

    with pytest.raises(openai.BadRequestError) as exc_info:
        await local_proxy.openai.conversations.items.create(created.id, items=[item])

    assert (exc_info.value.code, exc_info.value.param) == ("image_download_failed", "items.0.content.1")


async def test_responses_take_addresses_too(
    local_proxy: RunningProxy, site: SimulatedSite, pictures: PictureServer
) -> None:
    def shows(path: str) -> Any:
        part = {"type": "input_image", "image_url": pictures.url + path, "detail": "auto"}
        return [{"role": "user", "content": [{"type": "input_text", "text": "look"}, part]}]

    first = await local_proxy.openai.responses.create(model="gpt-5-nano", input=shows("/one.png"))
    await local_proxy.openai.responses.create(model="gpt-5-nano", input="and?", previous_response_id=first.id)
    with pytest.raises(openai.BadRequestError) as exc_info:
        await local_proxy.openai.responses.create(model="gpt-5-nano", input=shows("/page"))

    assert [call.images for call in site.model_calls] == [1, 0]
    assert len({call.conversation_uuid for call in site.model_calls}) == 1
    assert (exc_info.value.code, exc_info.value.param) == ("invalid_image_format", "input.0.content.1")


async def test_several_answers_need_a_picture_once(
    local_proxy: RunningProxy, site: SimulatedSite, pictures: PictureServer
) -> None:
    assert (await local_proxy.chat(picture_message(f"{pictures.url}/one.png"), n=3)).status == 200

    assert pictures.hits["/one.png"] == 1
    assert [call.images for call in site.model_calls] == [1, 1, 1]


async def test_too_many_addresses_in_one_turn_are_refused(local_proxy: RunningProxy, pictures: PictureServer) -> None:
    pictures.bodies = {f"/{number}": PNG for number in range(20)}
    urls = [pictures.url + path for path in pictures.bodies]

    answer = await local_proxy.chat(*(picture_message(*urls[first : first + 4]) for first in range(0, 20, 4)))

    assert (answer.code, answer.body["error"]["param"]) == ("too_many_images", "messages.0.content.4")
    assert not pictures.hits


async def test_a_large_picture_arrives_unchanged(
    local_proxy: RunningProxy, site: SimulatedSite, pictures: PictureServer
) -> None:
    pictures.bodies["/large.png"] = large = PNG + bytes(range(256)) * 8192

    answer = await local_proxy.chat(picture_message(f"{pictures.url}/large.png", data_url(large)))

    assert "images=2" in answer.text


async def test_of_more_than_a_site_takes_those_left_out_are_told_whether_they_are_remembered_or_not(
    local_proxy: RunningProxy, site: SimulatedSite, pictures: PictureServer
) -> None:
    pictures.bodies = {f"/{number}": PNG + str(number).encode() for number in range(6)}
    history = [
        turn for path in pictures.bodies for turn in (picture_message(pictures.url + path), answer_message("ok"))
    ]

    answers = [await local_proxy.chat(*history, "and now?") for _ in range(2)]

    assert [answer.headers.get("x-dropped-images") for answer in answers] == ["2", "2"]
    assert [content for _, content in sent(site)] == list(pictures.bodies.values())[2:]
