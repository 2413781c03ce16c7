"""What a server's errors say of its model: what that cannot do is no reason to think that it is gone."""

import asyncio

import openai
import pytest

from proxy.api.app_keys import UPSTREAMS
from tests.openai_server import HttpError, OpenAiPeer
from tests.proxy.running import RunningProxy


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
