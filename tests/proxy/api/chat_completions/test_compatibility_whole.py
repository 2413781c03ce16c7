"""What clients read out of a whole chat answer."""

import json
import re
from pathlib import Path

import openai
import pytest

from tests.proxy.running import RunningProxy, running_proxy
from tests.proxy.wire import exchange
from tests.site import SimulatedSite

CHAT = "/v1/chat/completions"
MODEL = "gpt-4o-mini-helper"
ASKED = {"model": MODEL, "messages": [{"role": "user", "content": "hi"}]}


async def test_every_key_that_strict_clients_validate_is_there(proxy: RunningProxy) -> None:
    """Clients with generated models (zod, strict pydantic) fail on a missing key, also where null is allowed."""
    answer = await proxy.chat("hi")

    assert {"id", "object", "created", "model", "choices", "usage"} <= set(answer.body)
    assert answer.body["object"] == "chat.completion"
    choice = answer.body["choices"][0]
    assert {"index", "message", "finish_reason", "logprobs"} <= set(choice)
    assert (choice["index"], choice["finish_reason"], choice["logprobs"]) == (0, "stop", None)
    message = choice["message"]
    assert {"role", "content", "refusal", "annotations"} <= set(message)
    assert (message["role"], message["refusal"], message["annotations"]) == ("assistant", None, [])


async def test_a_fingerprint_is_a_text_or_missing(proxy: RunningProxy) -> None:
    """Clients with strict models fail on null, and some on a whole answer without one."""
    whole = await proxy.chat("hi")
    stream = await exchange(proxy.url, "POST", CHAT, {**ASKED, "stream": True})

    assert re.fullmatch(r"fp_\w+", whole.body["system_fingerprint"])
    assert b"chat.completion.chunk" in stream.body
    assert b"system_fingerprint" not in stream.body


async def test_the_official_client_takes_the_answer_in_its_strict_mode(proxy: RunningProxy) -> None:
    """With `_strict_response_validation` openai-python raises on any value of another type."""
    strict = openai.AsyncOpenAI(base_url=f"{proxy.url}/v1", api_key="unused", _strict_response_validation=True)
    async with strict as client:
        answer = await client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "hi"}])
        models = await client.models.list()
        legacy = await client.completions.create(model=MODEL, prompt="hi")

    assert answer.choices[0].message.content
    assert models.data
    assert legacy.choices[0].text


async def test_times_are_whole_seconds(proxy: RunningProxy) -> None:
    """A float, or milliseconds, breaks clients that show or sort by date."""
    answer = await proxy.chat("hi")
    listed = await exchange(proxy.url, "GET", "/v1/models")

    created = [answer.body["created"], *(model["created"] for model in json.loads(listed.body)["data"])]
    assert all(type(value) is int and 1_600_000_000 < value < 4_000_000_000 for value in created)


async def test_usage_is_never_zero(proxy: RunningProxy) -> None:
    """Cost and context displays of coding agents divide by it, or show a full context for ever."""
    usage = (await proxy.chat("hi")).body["usage"]

    assert usage["prompt_tokens"] > 0
    assert usage["completion_tokens"] > 0
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


async def test_the_reported_model_can_be_requested(proxy: RunningProxy) -> None:
    """Clients store the answer's `model` and send it with the next turn."""
    model = (await proxy.chat("hi")).body["model"]

    assert model == MODEL
    assert (await proxy.chat("hi", model=model)).status == 200


@pytest.mark.parametrize("stream", [False, True])
async def test_an_unknown_model_is_404_or_answered_by_the_default_as_set(
    proxy: RunningProxy, site: SimulatedSite, tmp_path: Path, stream: bool
) -> None:
    """Model pickers want the error; tools with a fixed model name want the fallback, and to see who answered."""
    params = {**ASKED, "model": "gpt-99", "stream": stream}
    unknown = await exchange(proxy.url, "POST", CHAT, params)
    async with running_proxy(site, tmp_path / "other", default_model=MODEL) as lenient:
        fallback = await exchange(lenient.url, "POST", CHAT, params)

    assert unknown.status == 404
    assert b'"code":"model_not_found"' in unknown.body
    assert fallback.status == 200
    assert f'"model":"{MODEL}"'.encode() in fallback.body
    assert b"gpt-99" not in fallback.body
