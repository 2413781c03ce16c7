"""What a server's model cannot do is no reason to think that the model is gone."""

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
