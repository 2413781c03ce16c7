"""llama.cpp's server behind ours, by the official client: its answers and errors reach clients."""

import json
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from openai import BadRequestError
from openai.types.chat import ChatCompletionChunk

from proxy.api.app_keys import UPSTREAMS
from tests.clients.llama_server import MODEL, running_llama
from tests.clients.tiny_model import CONTEXT, THOUGHTS, WORDS
from tests.pictures import PNG
from tests.ports import a_free_port
from tests.proxy.api.messages.messages_client import message
from tests.proxy.running import RunningProxy, running_proxy
from tests.proxy.upstreams.openai_server.api_clients import THINKING, messaged
from tests.site import SimulatedSite

NAME = f"llama/{MODEL}"
TEXT, THOUGHT = "".join(WORDS), "".join(THOUGHTS)
SCHEMA = {
    "type": "object",
    "properties": {"city": {"enum": ["Bern", "東京"]}, "people": {"type": "integer", "minimum": 1, "maximum": 9}},
    "required": ["city", "people"],
    "additionalProperties": False,
}
FORM: Any = {"type": "json_schema", "json_schema": {"name": "place", "strict": True, "schema": SCHEMA}}
TOOL: Any = {
    "type": "function",
    "function": {
        "name": "look",
        "description": "Looks.",
        "parameters": {"type": "object", "properties": {"at": {"enum": ["sky", "sea"]}}, "required": ["at"]},
    },
}
CALLED: Any = {"tools": [TOOL], "tool_choice": "required", "parallel_tool_calls": False}
HI: Any = [{"role": "user", "content": "hi"}]


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Base URL of the server."""
    with running_llama(tmp_path_factory.mktemp("llama"), a_free_port()) as base_url:
        yield base_url


@pytest.fixture
async def front(site: SimulatedSite, llama: str, tmp_path: Path) -> AsyncIterator[RunningProxy]:
    """A proxy that has llama.cpp's server behind its site, and knows its model."""
    async with running_proxy(site, tmp_path, servers=f"llama={llama}", fallback_model=NAME) as proxy:
        await proxy.app[UPSTREAMS][1].discover()
        yield proxy


async def chunks_of(proxy: RunningProxy, model: str = NAME, **fields: Any) -> list[ChatCompletionChunk]:
    stream = await proxy.openai.chat.completions.create(
        model=model, messages=HI, stream=True, stream_options={"include_usage": True}, **fields
    )
    return [chunk async for chunk in stream]


def deltas_of(chunks: list[ChatCompletionChunk]) -> list[Any]:
    return [chunk.choices[0].delta for chunk in chunks if chunk.choices]


def text_of(chunks: list[ChatCompletionChunk]) -> str:
    return "".join(delta.content or "" for delta in deltas_of(chunks))


async def test_its_model_is_listed_with_what_it_can_take(front: RunningProxy) -> None:
    listed: Any = await front.openai.models.retrieve(NAME)

    assert {NAME, MODEL} <= {model.id async for model in front.openai.models.list()}
    assert (listed.owned_by, listed.context_length, listed.images) == ("llamacpp", CONTEXT, False)


async def test_thoughts_text_and_usage_come_whole_and_streamed(front: RunningProxy) -> None:
    whole: Any = await front.openai.chat.completions.create(model=NAME, messages=HI)
    chunks = await chunks_of(front)

    (choice,) = whole.choices
    assert (choice.message.content, choice.message.reasoning_content, choice.finish_reason) == (TEXT, THOUGHT, "stop")
    assert text_of(chunks) == TEXT
    assert "".join(getattr(delta, "reasoning_content", "") for delta in deltas_of(chunks)) == THOUGHT
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    tokens = len(WORDS) + len(THOUGHTS) + 3  # with the marks around thoughts, and the one at the end
    assert chunks[-1].usage is not None
    assert (whole.usage.completion_tokens, chunks[-1].usage.completion_tokens) == (tokens, tokens)
    assert chunks[-1].usage.prompt_tokens == whole.usage.prompt_tokens > 0


async def test_an_answer_ends_where_the_client_wants(front: RunningProxy) -> None:
    limit = len(THOUGHTS) + 2 + 2
    cut = await front.openai.chat.completions.create(model=NAME, messages=HI, max_tokens=limit)
    stopped = await front.openai.chat.completions.create(model=NAME, messages=HI, stop=[WORDS[3]])

    assert (cut.choices[0].message.content, cut.choices[0].finish_reason) == ("".join(WORDS[:2]), "length")
    assert (stopped.choices[0].message.content, stopped.choices[0].finish_reason) == ("".join(WORDS[:3]), "stop")


async def test_log_probabilities_are_those_of_the_text(front: RunningProxy) -> None:
    whole = await front.openai.chat.completions.create(model=NAME, messages=HI, logprobs=True, top_logprobs=2)
    chunks = await chunks_of(front, logprobs=True, top_logprobs=2)

    logprobs = whole.choices[0].logprobs
    assert logprobs is not None
    tokens = logprobs.content or []
    assert [token.token for token in tokens] == list(WORDS)
    assert all(token.logprob <= 0 and len(token.top_logprobs) == 2 for token in tokens)
    streamed = [token.token for chunk in chunks for choice in chunk.choices for token in _token_logprobs(choice)]
    assert streamed == list(WORDS)


def _token_logprobs(choice: Any) -> list[Any]:
    return (choice.logprobs.content or []) if choice.logprobs else []


async def test_an_answer_has_the_form_that_is_asked_for(front: RunningProxy) -> None:
    whole = await front.openai.chat.completions.create(model=NAME, messages=HI, response_format=FORM)
    chunks = await chunks_of(front, response_format=FORM)

    for text in (whole.choices[0].message.content or "", text_of(chunks)):
        arguments = json.loads(text)
        assert arguments.keys() == {"city", "people"}
        assert arguments["city"] in ("Bern", "東京")
        assert 1 <= arguments["people"] <= 9


async def test_what_only_this_server_knows_reaches_it(front: RunningProxy) -> None:
    answer = await front.openai.chat.completions.create(
        model=NAME, messages=HI, extra_body={"json_schema": {"enum": ["yes"]}}
    )

    assert answer.choices[0].message.content == '"yes"'


async def test_a_tool_is_called_and_its_result_sent(front: RunningProxy) -> None:
    whole: Any = await front.openai.chat.completions.create(model=NAME, messages=HI, temperature=0, **CALLED)
    deltas = deltas_of(await chunks_of(front, temperature=0, **CALLED))

    called = whole.choices[0].message
    (call,) = called.tool_calls
    assert (call.function.name, whole.choices[0].finish_reason) == ("look", "tool_calls")
    pieces = [piece.function for delta in deltas for piece in delta.tool_calls or ()]
    arguments = "".join(piece.arguments or "" for piece in pieces)
    assert [piece.name for piece in pieces if piece.name] == ["look"]
    for text in (call.function.arguments, arguments):
        assert json.loads(text)["at"] in ("sky", "sea")
    result = {"role": "tool", "tool_call_id": call.id, "content": "blue"}
    requests = []
    for left_out in (set(), {"reasoning_content"}):
        history: Any = [*HI, called.model_dump(exclude_none=True, exclude=left_out), result]
        after: Any = await front.openai.chat.completions.create(model=NAME, messages=history, tools=[TOOL])
        assert after.choices[0].message.content == TEXT
        requests.append(after.usage.prompt_tokens)
    assert requests[0] > requests[1] > whole.usage.prompt_tokens  # its thoughts went back with the call


@pytest.mark.parametrize("more", [1, 5, 15, 25])
async def test_a_call_that_the_limit_cuts_is_none(front: RunningProxy, more: int) -> None:
    limit = len(THOUGHTS) + 2 + len(WORDS) + 1 + more  # with the mark before the call
    answer = await front.openai.chat.completions.create(
        model=NAME, messages=HI, temperature=0, max_tokens=limit, **CALLED
    )

    (choice,) = answer.choices
    assert (choice.message.content, choice.message.tool_calls, choice.finish_reason) == (TEXT, None, "length")


@pytest.mark.parametrize("stream", [False, True])
async def test_a_history_that_is_too_long_is_refused_as_openai_refuses_it(front: RunningProxy, stream: bool) -> None:
    long: Any = [{"role": "user", "content": "x" * (CONTEXT + 1)}]
    with pytest.raises(BadRequestError) as exc_info:
        await front.openai.chat.completions.create(model=NAME, messages=long, stream=stream)

    assert (exc_info.value.code, exc_info.value.type) == ("context_length_exceeded", "invalid_request_error")
    assert f"({CONTEXT} tokens)" in exc_info.value.message


@pytest.mark.parametrize("kind", ["image", "audio"])
async def test_what_its_model_cannot_take_is_refused_and_nobody_else_suffers(front: RunningProxy, kind: str) -> None:
    part = {
        "image": {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{b64encode(PNG).decode()}"}},
        "audio": {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
    }[kind]
    refused = [await front.chat({"role": "user", "content": [part]}, model=NAME) for _ in range(6)]

    assert {(answer.status, answer.code) for answer in refused} == {(400, "not_supported")}
    assert f"{kind} input is not supported" in refused[0].body["error"]["message"]
    assert (await front.chat("hi", model=NAME)).text == TEXT
    health = front.app[UPSTREAMS][1].health()
    assert (health.breaker, health.cooldown_until) == ("closed", None)


async def test_embeddings_that_it_does_not_make_are_refused(front: RunningProxy) -> None:
    with pytest.raises(BadRequestError) as exc_info:
        await front.openai.embeddings.create(model=NAME, input="hi")

    assert exc_info.value.code == "not_supported"
    assert "--embeddings" in exc_info.value.message


async def test_llama_cpp_answers_where_the_site_does_not(front: RunningProxy, site: SimulatedSite) -> None:
    site.behaviour.ajax_status = 500
    whole = await front.chat("hi")
    chunks = await chunks_of(front, "gpt-4o-mini-helper")

    assert (whole.text, whole.headers["x-fallback-model"]) == (TEXT, NAME)
    assert text_of(chunks) == TEXT


async def test_llama_cpp_answers_in_the_other_apis(front: RunningProxy) -> None:
    bare = await front.openai.completions.create(model=NAME, prompt="hi", logprobs=2)
    reply = message(await messaged(front, model=NAME, **THINKING, stream=False))

    told_of = bare.choices[0].logprobs
    assert (bare.choices[0].text, told_of and told_of.tokens) == (TEXT, list(WORDS))
    assert told_of is not None
    assert told_of.text_offset == [TEXT.index(word) for word in WORDS]
    assert all(len(likeliest) == 2 for likeliest in told_of.top_logprobs or ())
    assert [block.get("thinking", block.get("text")) for block in reply["content"]] == [THOUGHT, TEXT]


@pytest.mark.parametrize("stream", [False, True])
async def test_its_thoughts_come_before_its_text_in_responses_with_log_probabilities(
    front: RunningProxy, stream: bool
) -> None:
    fields: Any = {"model": NAME, "input": "hi", "include": ["message.output_text.logprobs"], "stream": stream}
    response: Any = await front.openai.responses.create(**fields)
    if stream:
        response = [event async for event in response][-1].response

    thought, said = cast("list[Any]", response.output)
    assert (thought.content[0].text, said.content[0].text) == (THOUGHT, TEXT)
    tokens = [token.token for token in said.content[0].logprobs]
    assert tokens == list(WORDS)
