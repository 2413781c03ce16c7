"""What a server's errors say of its model: what that cannot do is no reason to think that it is gone."""

import asyncio

import openai
import pytest

from proxy.api.app_keys import UPSTREAMS
from tests.openai_server import Answer, HttpError, OpenAiPeer
from tests.proxy.running import RunningProxy
from tests.proxy.upstreams.openai_server.api_clients import MODEL, OURS, messaged
from tests.proxy.upstreams.openai_server.test_message_fields import DOT, PICTURE, text, user


@pytest.mark.parametrize(
    ("status", "message", "told", "code"),
    [
        (404, "No endpoints found that support image input", 400, "not_supported"),  # OpenRouter
        (404, "No endpoints found that can handle the requested parameters.", 400, "upstream_refused"),
        (400, "some/model is not a multimodal model", 400, "not_supported"),  # vLLM
        (404, "No endpoints found for some/model.", 404, "model_not_found"),
    ],
)
async def test_a_model_rests_only_where_it_is_gone(
    gateway: RunningProxy, server: OpenAiPeer, *, status: int, message: str, told: int, code: str
) -> None:
    server.answers = [HttpError(status, {"error": {"message": message, "code": status}})]

    answer = await gateway.chat("hi", model="mine/tiny")

    assert (answer.status, answer.code) == (told, code)
    assert (gateway.app[UPSTREAMS][1].health().cooldown_until is None) == (told == 400)


async def test_an_error_that_never_ends_is_read_for_a_moment(
    gateway: RunningProxy, server: OpenAiPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.site_client.client.ERROR_SECONDS", 0.1)
    server.answers = [HttpError(503, {"error": {"message": "it is loading"}}, holds=True)]

    async with asyncio.timeout(5):
        answer = await gateway.chat("hi", model="mine/tiny")
        with pytest.raises(openai.InternalServerError) as exc_info:
            await gateway.openai.embeddings.create(model="mine/tiny", input="a text")

    assert (answer.status, answer.code, exc_info.value.code) == (503, "upstream_unavailable", "upstream_unavailable")
    assert "it is loading" in answer.body["error"]["message"]
    assert "it is loading" in exc_info.value.message


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (404, "No endpoints found that support image input"),
        (400, "some/model is not a multimodal model"),
        (
            500,
            "image input is not supported - hint: if this is unexpected, you may need to provide the mmproj",
        ),  # llama.cpp
        (400, "Failed to deserialize the JSON body into the target type: messages[0]: unknown variant `image_url`, "),
        (400, "Model does not support images. Please use a model that does."),  # LM Studio
    ],
)
async def test_pictures_of_earlier_turns_are_left_out_and_said_for_a_model_that_sees_none(
    gateway: RunningProxy, server: OpenAiPeer, status: int, message: str
) -> None:
    server.answers = [HttpError(status, {"error": {"message": message, "code": status}}), Answer()]
    history = (user(text("What is it?"), PICTURE), {"role": "assistant", "content": "A dot."}, user(text("And now?")))

    asked = [await gateway.chat(*history, model=MODEL) for _ in range(2)]

    assert [(answer.text, answer.headers["x-dropped-images"]) for answer in asked] == [("served", "1")] * 2
    assert ["image_url" in str(request.body) for request in server.received] == [True, False, False]
    assert server.received[1].texts == ["What is it?", "A dot.", "And now?"]


async def test_a_picture_that_is_asked_about_is_refused_by_a_model_that_sees_none(
    gateway: RunningProxy, server: OpenAiPeer
) -> None:
    server.answers = [HttpError(404, {"error": {"message": "No endpoints found that support image input"}})]

    answers = [await gateway.chat(user(text("What is it?"), PICTURE), model=MODEL) for _ in range(2)]

    assert [(answer.status, answer.code) for answer in answers] == [(400, "not_supported")] * 2
    assert "x-dropped-images" not in answers[1].headers


async def test_what_a_tool_shows_ends_no_turn_of_a_model_that_sees_none(
    gateway: RunningProxy, server: OpenAiPeer
) -> None:
    source = {"type": "base64", "media_type": "image/png", "data": DOT.partition(",")[2]}
    content = [text("a screen"), {"type": "image", "source": source}]
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": content}
    call = {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {}}
    server.answers = [HttpError(400, {"error": {"message": "tiny is not a multimodal model"}}), Answer()]

    answer = await messaged(
        gateway, user(text("Look.")), {"role": "assistant", "content": [call]}, user(result), tools=[OURS]
    )

    assert answer.headers["x-dropped-images"] == "1"
    assert server.received[1].texts == ["Look.", None, "a screen"]
