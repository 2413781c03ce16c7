"""What a server refuses of a request though its model could answer: limits above its own, and hints."""

from typing import Any

import pytest

from tests.openai_server import Answer, HttpError, OpenAiPeer
from tests.proxy.running import RunningProxy
from tests.proxy.upstreams.openai_server.api_clients import messaged


@pytest.mark.parametrize(
    "complaint",
    [
        "max_tokens is too large: 32000. This model supports at most 8192 completion tokens, not 32000.",
        "Invalid max_tokens value, the valid range of max_tokens is [1, 8192]",
        "Range of max_tokens should be [1, 8192]",
        "`max_tokens` must be less than or equal to `8192`, the maximum value for it is less than the context",
        "`max_completion_tokens` is not valid: integer above maximum value, expected a value <= 8192, but got 32000",
        "max_tokens: 32000 > 8192, which is the maximum allowed number of output tokens for this model",
    ],
)
async def test_a_limit_above_what_a_model_ever_writes_becomes_that(
    gateway: RunningProxy, server: OpenAiPeer, complaint: str
) -> None:
    server.answers = [HttpError(400, {"error": {"message": complaint}}), Answer()]
    await messaged(gateway, max_tokens=32000)
    await messaged(gateway, max_tokens=32000)
    assert (await gateway.chat("hi", model="mine/tiny", max_tokens=9)).text == "served"

    assert [request.body.get("max_tokens") for request in server.received] == [32000, 8192, 8192, 9]
    assert not any("max_completion_tokens" in request.body for request in server.received)


@pytest.mark.parametrize(
    "complaint",
    [
        "'max_tokens' or 'max_completion_tokens' is too large: 32000. This model's maximum context length is 32768 "
        "tokens and your request has 17459 input tokens (32000 > 32768 - 17459).",  # vLLM's
        "Requested token count exceeds the model's maximum context length of 32768 tokens. You requested a total of "
        "49459 tokens: 17459 tokens from the input messages and 32000 tokens for the completion.",  # SGLang's
    ],
)
async def test_a_limit_that_does_not_fit_beside_the_prompt_is_left_to_the_server(
    gateway: RunningProxy, server: OpenAiPeer, complaint: str
) -> None:
    refusal = HttpError(400, {"error": {"message": complaint}})
    server.answers = [refusal, Answer(), Answer()]
    for _ in range(2):
        await messaged(gateway, max_tokens=32000)

    assert [request.body.get("max_tokens") for request in server.received] == [32000, None, 32000]  # others may fit


@pytest.mark.parametrize(
    "complaint",
    ["Unsupported parameter: 'stop' is not supported with this model.", "Argument not supported on this model: stop"],
)
async def test_stop_sequences_are_cut_here_where_a_model_takes_none(
    gateway: RunningProxy, server: OpenAiPeer, complaint: str
) -> None:
    server.answers = [HttpError(400, {"error": {"message": complaint}}), Answer(["one END two"])]
    for _ in range(2):
        assert (await gateway.chat("hi", model="mine/tiny", stop=["END"])).text == "one "

    assert [request.body.get("stop") for request in server.received] == [["END"], None, None]


@pytest.mark.parametrize(
    "complaint",
    [
        "Unsupported value: 'temperature' does not support 0.2 with this model. Only the default (1) is.",
        "invalid temperature: only 1 is allowed for this model",
        "`temperature` is deprecated for this model.",
    ],
)
async def test_a_temperature_that_a_model_does_not_take_is_named_as_ignored(
    gateway: RunningProxy, server: OpenAiPeer, complaint: str
) -> None:
    server.answers = [HttpError(400, {"error": {"message": complaint}}), Answer()]
    fields: dict[str, Any] = {"model": "mine/tiny", "temperature": 0.2, "web_search": True}
    asked = [await gateway.chat("hi", **fields) for _ in range(2)]
    streamed = await messaged(gateway, temperature=0.2)
    without = await gateway.chat("hi", model="mine/tiny", top_p=0.5)

    assert [answer.text for answer in asked] == ["served"] * 2
    assert [answer.headers["x-ignored-params"] for answer in asked] == ["web_search, temperature"] * 2
    assert streamed.headers["x-ignored-params"] == "temperature"
    assert "x-ignored-params" not in without.headers
    assert [request.body.get("temperature") for request in server.received] == [0.2, *[None] * 4]
    assert server.received[-1].body["top_p"] == 0.5


@pytest.mark.parametrize(
    ("complaint", "gone"),
    [
        ('Invalid JSON payload received. Unknown name "seed": Cannot find field.', ["seed"]),  # Google
        ("Unrecognized request argument supplied: top_k", ["top_k"]),  # OpenAI and Azure
        ("Unknown parameter: 'verbosity'.", ["verbosity"]),  # the same
        ("Extra inputs are not permitted, field: 'logit_bias'", ["logit_bias"]),  # Fireworks
        ("body -> seed\n  Extra inputs are not permitted (type=extra_forbidden)\nbody -> top_k\n", ["seed", "top_k"]),
        ("`top_logprobs` is not supported with this model", ["top_logprobs"]),  # Groq
        ("Unsupported parameter: 'parallel_tool_calls' is not supported with this model.", ["parallel_tool_calls"]),
        ("deepseek-reasoner does not support this tool_choice", ["tool_choice"]),
        ("Unsupported tool_choice: type='function'. Expected 'auto' or 'none'.", ["tool_choice"]),  # Cerebras
    ],
)
@pytest.mark.parametrize("status", [400, 422])
async def test_a_parameter_that_a_model_does_not_know_is_named_as_ignored(
    gateway: RunningProxy, server: OpenAiPeer, complaint: str, gone: list[str], status: int
) -> None:
    server.answers = [HttpError(status, {"error": {"message": complaint}}), Answer()]
    tool = {"type": "function", "function": {"name": "look"}}
    options: dict[str, Any] = {"seed": 7, "top_k": 9, "verbosity": "low", "logit_bias": {"7": 1}, "logprobs": True}
    options |= {"top_logprobs": 2, "tools": [tool], "tool_choice": "required", "parallel_tool_calls": False}

    asked = [await gateway.chat("hi", model="mine/tiny", **options) for _ in range(2)]

    assert [answer.status for answer in asked] == [200, 200]
    assert [answer.headers["x-ignored-params"].split(", ") for answer in asked] == [gone] * 2
    sent = [sorted(options.keys() & request.body.keys()) for request in server.received]
    kept = sorted(options.keys() - set(gone))
    assert sent == [sorted(options), kept, kept]


async def test_no_tool_is_told_where_none_may_be_called_and_the_choice_is_refused(
    gateway: RunningProxy, server: OpenAiPeer
) -> None:
    complaint = (
        "No endpoints found that support the provided 'tool_choice' value. To learn more about provider routing …"
    )
    server.answers = [HttpError(404, {"error": {"message": complaint, "code": 404}}), Answer()]
    tool = {"type": "function", "function": {"name": "look"}}

    answer = await gateway.chat("hi", model="mine/tiny", tools=[tool], tool_choice="none")

    assert answer.text == "served"
    assert [sorted(request.body.keys() & {"tools", "tool_choice"}) for request in server.received] == [
        ["tool_choice", "tools"],
        [],
    ]


@pytest.mark.parametrize(
    "complaint",
    [
        "reasoning_effort must be one of none or default",  # Groq
        "Model tiny does not support parameter reasoningEffort.",  # xAI
        "Unrecognized request argument supplied: reasoning_effort",  # OpenAI and Azure
        "Unsupported value: 'reasoning_effort' does not support 'medium' with this model.",
        '"tiny" does not support thinking',  # Ollama
    ],
)
async def test_an_effort_that_a_model_does_not_take_is_named_as_ignored(
    gateway: RunningProxy, server: OpenAiPeer, complaint: str
) -> None:
    server.answers = [HttpError(400, {"error": {"message": complaint}}), Answer()]
    asked = [await gateway.chat("hi", model="mine/tiny", reasoning_effort="medium") for _ in range(2)]
    other = await gateway.chat("hi", model="mine/tiny", reasoning_effort="low")
    response = await gateway.openai.responses.with_raw_response.create(
        model="mine/tiny", input="hi", reasoning={"effort": "medium"}
    )

    assert [answer.headers["x-ignored-params"] for answer in asked] == ["reasoning_effort"] * 2
    assert "x-ignored-params" not in other.headers
    assert response.headers["x-ignored-params"] == "reasoning"
    efforts = [request.body.get("reasoning_effort") for request in server.received]
    assert efforts == ["medium", None, None, "low", None]


@pytest.mark.parametrize(("effort", "nearest"), [("xhigh", "high"), ("minimal", "low"), ("none", "low")])
async def test_the_nearest_effort_is_asked_for_in_place_of_a_refused_one(
    gateway: RunningProxy, server: OpenAiPeer, effort: str, nearest: str
) -> None:
    complaint = f"Unsupported value: 'reasoning_effort' does not support '{effort}' with this model."
    server.answers = [HttpError(400, {"error": {"message": complaint}}), Answer()]

    answer = await gateway.chat("hi", model="mine/tiny", reasoning_effort=effort)

    assert answer.headers["x-ignored-params"] == "reasoning_effort"
    assert [request.body.get("reasoning_effort") for request in server.received] == [effort, nearest]


async def test_an_effort_is_kept_where_a_complaint_is_about_tools(gateway: RunningProxy, server: OpenAiPeer) -> None:
    complaint = "Function tools with reasoning_effort are not supported for tiny. Set reasoning_effort to 'none'."
    server.answers = [HttpError(400, {"error": {"message": complaint}})]

    answer = await gateway.chat("hi", model="mine/tiny", reasoning_effort="high")

    assert (answer.status, len(server.received)) == (400, 1)


async def test_a_temperature_out_of_range_is_refused(gateway: RunningProxy, server: OpenAiPeer) -> None:
    server.answers = [HttpError(400, {"error": {"message": "temperature must be at most 1"}})]

    assert (await gateway.chat("hi", model="mine/tiny", temperature=2)).code == "upstream_refused"
    assert len(server.received) == 1


async def test_a_prompt_that_does_not_fit_is_refused_without_a_limit_too(
    gateway: RunningProxy, server: OpenAiPeer
) -> None:
    server.answers = [HttpError(400, {"error": {"message": "This model's maximum context length is 8 tokens."}})]
    answer = await gateway.chat("hi", model="mine/tiny", max_tokens=9)

    assert (answer.status, answer.code, len(server.received)) == (400, "context_length_exceeded", 2)


async def test_a_session_of_the_messages_api_has_one_word_for_caches_that_names_nobody(
    gateway: RunningProxy, server: OpenAiPeer
) -> None:
    for name in ("user_ada_session_1", "user_ada_session_1", "user_ada_session_2", "", 7):
        await messaged(gateway, metadata={"user_id": name})

    first, again, other, *none = [str(request.body.get("prompt_cache_key")) for request in server.received]
    assert first == again != other
    assert (len(first), first.isalnum(), none) == (64, True, ["None", "None"])
    assert "ada" not in str(server.received[0].body)


@pytest.mark.parametrize(
    ("complaint", "gone"),
    [
        ("property 'prompt_cache_key' is unsupported", {"prompt_cache_key"}),  # Groq's
        (
            '[{"type":"extra_forbidden","loc":["body","service_tier"]},{"loc":["body","prompt_cache_key"]}]',
            {"prompt_cache_key", "service_tier"},
        ),
    ],
)
async def test_hints_reach_a_server_in_both_apis_unless_it_refuses_them(
    gateway: RunningProxy, server: OpenAiPeer, complaint: str, gone: set[str]
) -> None:
    hints: Any = {"prompt_cache_key": "k1", "prompt_cache_retention": "24h", "service_tier": "flex"}
    hints |= {"safety_identifier": "u1", "prompt_cache_options": {"mode": "implicit"}}
    server.answers = [Answer(), HttpError(400, {"error": {"message": complaint}}), Answer()]

    for _ in range(2):
        assert (await gateway.openai.responses.create(model="mine/tiny", input="hi", **hints)).output_text == "served"
    assert (await gateway.chat("hi", model="mine/tiny", **hints)).text == "served"

    sent = [{name: value for name, value in each.body.items() if name in hints} for each in server.received]
    kept = {name: value for name, value in hints.items() if name not in gone}
    assert sent == [hints, hints, kept, kept]
