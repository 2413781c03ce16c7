"""Messages in an order that a model's template refuses, as agents send them: it is asked again in another one."""

from typing import Any

import pytest

from proxy.upstreams.openai_server.message_order import in_order
from tests.openai_server import Answer, HttpError, OpenAiPeer
from tests.proxy.running import RunningProxy
from tests.proxy.upstreams.openai_server.api_clients import MODEL, OURS, messaged
from tests.proxy.upstreams.openai_server.test_message_fields import PICTURE, text, user

SYSTEM_FIRST = [
    HttpError(400, {"object": "error", "message": "System message must be at the beginning.", "code": 400}),  # vLLM
    HttpError(500, {"error": {"code": 500, "message": "Jinja Exception: System message must be at the beginning."}}),
    HttpError(500, {"error": {"message": "system message must be at the beginning", "type": "api_error"}}),  # Ollama
]
ALTERNATING: list[HttpError | bytes] = [
    HttpError(400, {"object": "error", "message": "Unexpected role 'user' after role 'tool'", "code": "3230"}),
    HttpError(500, {"error": {"message": "After the optional system message, conversation roles must alternate"}}),
    b'event: error\ndata: {"error":{"message":"Error rendering prompt: Conversation roles must alternate"}}\n\n',
    HttpError(400, {"error": {"message": "it does not support successive user or assistant messages"}}),
]
CALLS = [{"type": "tool_use", "id": f"toolu_{name}", "name": "look", "input": {}} for name in "ab"]
RESULTS: list[Any] = [{"type": "tool_result", "tool_use_id": f"toolu_{name}", "content": "seen"} for name in "ab"]
AGENT: Any = (  # as Claude Code writes it
    user(text("Look.")),
    {"role": "system", "content": "Of agents."},
    {"role": "assistant", "content": CALLS},
    user(*RESULTS, text("Mind the rules.")),
    {"role": "assistant", "content": CALLS[:1]},
    user(RESULTS[0]),
)


def told(request: Any) -> list[tuple[str, Any]]:
    """Role and content of each message."""
    return [(each["role"], each["content"]) for each in request.body["messages"]]


@pytest.mark.parametrize("complaint", SYSTEM_FIRST)
async def test_later_system_messages_are_told_by_the_user_where_they_stand(
    gateway: RunningProxy, server: OpenAiPeer, complaint: HttpError
) -> None:
    server.answers = [complaint, Answer()]
    for _ in range(2):
        await messaged(gateway, *AGENT, system="Be kind.", tools=[OURS])

    before = [("system", "Be kind."), ("user", "Look."), ("system", "Of agents."), ("assistant", None)]
    rest = [*[("tool", "seen")] * 2, ("user", "Mind the rules."), ("assistant", None), ("tool", "seen")]
    after = [*before[:2], ("user", "Of agents."), before[3]]
    assert [told(each) for each in server.received] == [[*before, *rest], *[[*after, *rest]] * 2]


async def test_system_messages_at_the_beginning_become_one(gateway: RunningProxy, server: OpenAiPeer) -> None:
    server.answers = [SYSTEM_FIRST[0], Answer()]
    said: Any = [{"role": "developer", "content": "Sandboxed."}, user({"type": "input_text", "text": "hi"})]
    await gateway.openai.responses.create(model=MODEL, instructions="Be kind.", input=said)

    assert told(server.received[0]) == [("system", "Be kind."), ("system", "Sandboxed."), ("user", "hi")]
    assert told(server.received[1]) == [("system", "Be kind.\n\nSandboxed."), ("user", "hi")]


@pytest.mark.parametrize("complaint", ALTERNATING)
async def test_user_and_assistant_take_turns(
    gateway: RunningProxy, server: OpenAiPeer, complaint: HttpError | bytes
) -> None:
    server.answers = [complaint, Answer()]
    for _ in range(2):
        await messaged(gateway, *AGENT, tools=[OURS])

    after = [("user", "Look.\n\nOf agents."), ("assistant", None), *[("tool", "seen")] * 2, ("assistant", "OK")]
    rest = [("user", "Mind the rules."), ("assistant", None), ("tool", "seen")]
    assert [told(each) for each in server.received[1:]] == [[*after, *rest]] * 2


@pytest.mark.parametrize(
    "complaint",
    [
        HttpError(400, {"object": "error", "message": "System role not supported", "code": 400}),  # Gemma's, by vLLM
        HttpError(400, [{"error": {"message": "Developer instruction is not enabled for models/gemma-3-27b-it"}}]),
        HttpError(500, {"error": {"message": "Only user and assistant roles are supported!"}}),  # Mistral's
        HttpError(
            400,
            {"error": {"message": "Unsupported value: 'messages[0].role' does not support 'system' with this model."}},
        ),
    ],
)
async def test_the_user_tells_what_the_system_says_where_a_model_has_no_role_for_it(
    gateway: RunningProxy, server: OpenAiPeer, complaint: HttpError
) -> None:
    server.answers = [ALTERNATING[1], complaint, Answer()]
    for _ in range(2):
        await messaged(gateway, *AGENT[:3], *AGENT[4:5], system="Be kind.", tools=[OURS])

    asked = ("user", "Be kind.\n\nLook.\n\nOf agents.")
    assert [told(each)[0] for each in server.received] == [("system", "Be kind.")] * 2 + [asked] * 2


async def test_pictures_stay_where_they_were_said(gateway: RunningProxy, server: OpenAiPeer) -> None:
    server.answers = [SYSTEM_FIRST[0], ALTERNATING[1], Answer()]
    system = {"role": "system", "content": [text("Compare with"), PICTURE]}
    said = (system, system, user(text("a"), PICTURE), user(text("b")), {"role": "assistant", "content": "c"})

    assert (await gateway.chat(*said, model=MODEL)).text == "served"

    first = [text("Compare with"), PICTURE]
    both = [text("a"), PICTURE, text("b")]
    assert told(server.received[1]) == [("system", first * 2), ("user", both[:2]), ("user", "b"), ("assistant", "c")]
    assert told(server.received[2]) == [("system", first * 2), ("user", both), ("assistant", "c")]


async def test_all_that_a_server_wants_otherwise_is_learned_in_one_turn(
    gateway: RunningProxy, server: OpenAiPeer
) -> None:
    order = {"object": "error", "message": "Unexpected role 'system' after role 'assistant'", "code": "3230"}
    ids = {"message": "Tool call id was call_a but must be a-z, A-Z, 0-9, with a length of 9."}
    limit = {"error": {"message": "max_tokens is too large: This model's maximum context length is 32768 tokens"}}
    server.answers = [*(HttpError(400, each) for each in (order, ids, limit)), Answer()]

    await messaged(gateway, *AGENT, tools=[OURS], max_tokens=32000)

    assert [request.body.get("max_tokens") for request in server.received] == [32000, 32000, 32000, None]
    assert ("assistant", "OK") in told(server.received[3])


async def test_an_order_that_nothing_mends_is_the_requests_fault(gateway: RunningProxy, server: OpenAiPeer) -> None:
    server.answers = [ALTERNATING[1]]
    answer = await gateway.chat("hi", model=MODEL)

    assert (answer.status, answer.code, len(server.received)) == (400, "upstream_refused", 2)


@pytest.mark.parametrize(
    ("contents", "joined"),
    [
        (("a", "b", "c"), "a\n\nb\n\nc"),
        (("a", [PICTURE]), [text("a"), PICTURE]),
        (([PICTURE], "b"), [PICTURE, text("b")]),
        (([PICTURE], [text("b")], "c"), [PICTURE, text("b"), text("c")]),
    ],
)
def test_messages_are_joined_whatever_they_hold(contents: tuple[Any, ...], joined: Any) -> None:
    said = [{"role": "user", "content": content, "name": "Ann"} for content in contents]

    assert in_order(said, "alternating") == [{"role": "user", "content": joined, "name": "Ann"}]
    assert in_order(said, "system_first") == in_order(said, "any") == said
    assert in_order([], "alternating") == []


async def test_results_come_right_behind_their_calls(gateway: RunningProxy, server: OpenAiPeer) -> None:
    """As Semantic Kernel repeats the question and all results, and as models may speak between two calls. OpenAI takes
    that in its Responses API alone."""
    calls = [{"type": "function_call", "call_id": f"call_{name}", "name": "look", "arguments": "{}"} for name in "ab"]
    results = [{"type": "function_call_output", "call_id": f"call_{name}", "output": name} for name in "ab"]
    said = {"role": "assistant", "content": "Now the other."}
    asked = user({"type": "input_text", "text": "Look."})
    items: Any = [asked, calls[0], asked, said, calls[1], *results, results[0]]
    await gateway.openai.responses.create(model=MODEL, input=items)

    first, second = [("assistant", None), ("tool", "a")], [("assistant", "Now the other."), ("tool", "b")]
    assert told(server.received[0]) == [("user", "Look."), ("user", "Look."), *first, *second]
