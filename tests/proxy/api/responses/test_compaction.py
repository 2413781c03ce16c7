"""Compaction: long conversations are summarized and continue from the summary, as OpenAI's clients and Codex do."""

import json
from base64 import b64encode
from typing import Any

import openai
import pytest

from proxy.api.responses.compaction import CompactedReply, CompactionReply, parse_compaction
from proxy.chat.errors import ServiceError
from proxy.chat.extras import Extras
from proxy.chat.tokens import Usage
from proxy.chat.upstream import End
from shared.conversations import Message
from tests.proxy.api.openapi.test_described_calls import invalid_values
from tests.proxy.api.responses.test_responses import MODEL
from tests.proxy.running import RunningProxy
from tests.proxy.usage.test_usage import flushed_counters
from tests.proxy.wire import exchange
from tests.site import SimulatedSite

TOLD = "Done: parser.py. Open: the tests."
HISTORY: list[Any] = [
    {"role": "developer", "content": "Be brief."},
    {"role": "user", "content": "[[script:it]] Mend parser.py"},
    {"type": "function_call", "call_id": "a", "name": "shell", "arguments": '{"cmd":"ls"}'},
    {"type": "function_call_output", "call_id": "a", "output": "parser.py"},
    {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "I mended it."}]},
    {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Thanks"}], "id": "msg_1"},
]
TRIGGER: Any = {"type": "compaction_trigger"}
FLAT = {"type": "function", "name": "shell", "parameters": {"type": "object"}}


@pytest.fixture(autouse=True)
def summary(site: SimulatedSite) -> None:
    """The model's first answer."""
    site.behaviour.scripts = {"it": [{"text": TOLD}] * 3}


async def prompt_after(proxy: RunningProxy, site: SimulatedSite, *items: Any) -> str:
    """Continue from *items*; return what the model gets."""
    await proxy.openai.responses.create(model=MODEL, input=[*items, {"role": "user", "content": "And?"}])
    return str(site.model_calls[-1].messages)


async def test_the_official_client_compacts_and_continues(proxy: RunningProxy, site: SimulatedSite) -> None:
    compacted = await proxy.openai.responses.compact(model=MODEL, input=HISTORY, instructions="You are Codex.")
    prompt = str(site.model_calls[-1].messages)
    first, second, item = (each.model_dump(warnings=False) for each in compacted.output)
    after = await prompt_after(proxy, site, first, second, item)

    assert compacted.object == "response.compaction"
    assert compacted.usage.output_tokens > 0
    assert all(text in prompt for text in ("You are Codex.", "I mended it.", "[result of shell]", "Sum up the"))
    assert [each["content"][0]["text"] for each in (first, second)] == ["[[script:it]] Mend parser.py", "Thanks"]
    assert second["id"] == "msg_1"
    assert (item["type"], item["id"][:4]) == ("compaction", "cmp_")
    assert TOLD not in item["encrypted_content"]
    assert f"Summary of the conversation so far:\\n\\n{TOLD}" in after
    assert "I mended it." not in after
    with pytest.raises(openai.NotFoundError):
        await proxy.openai.responses.retrieve(compacted.id)
    assert (await flushed_counters(proxy))["open", MODEL, site.origin]["requests"] == 2


async def test_a_stored_conversation_is_summarized(proxy: RunningProxy, site: SimulatedSite) -> None:
    first = await proxy.openai.responses.create(model=MODEL, input="[[script:it]] My name is Ada")
    body = {"model": MODEL, "previous_response_id": first.id}
    whole = json.loads((await exchange(proxy.url, "POST", "/v1/responses/compact", body)).body)
    again = await proxy.openai.responses.create(model=MODEL, input=whole["output"])
    more = json.loads(
        (await exchange(proxy.url, "POST", "/v1/responses/compact", {**body, "previous_response_id": again.id})).body
    )

    assert invalid_values("CompactedResponse", [whole, more]) == []
    assert [item["content"][0]["text"] for item in whole["output"][:-1]] == ["[[script:it]] My name is Ada"]
    assert [item["type"] for item in more["output"]] == ["message", "compaction"]  # no summary beside the new one


@pytest.mark.parametrize("stream", [False, True])
async def test_codex_asks_within_a_response(stream: bool, proxy: RunningProxy, site: SimulatedSite) -> None:
    body = {"model": MODEL, "input": [*HISTORY, TRIGGER], "stream": stream, "store": False, "tools": [FLAT]}
    answer = await exchange(proxy.url, "POST", "/v1/responses", body)
    done = answer.data[-1]["response"] if stream else json.loads(answer.body)
    (item,) = done["output"]

    assert (done["status"], done["store"], done["error"]) == ("completed", False, None)
    assert done["usage"]["output_tokens"] > 0
    assert invalid_values("Response", [done]) == []
    assert f"far:\\n\\n{TOLD}" in await prompt_after(proxy, site, HISTORY[1], item)
    if stream:
        kinds = [event["type"].removeprefix("response.") for event in answer.data]
        assert kinds[:3] == ["created", "in_progress", "output_item.added"]
        assert set(kinds[3:-2]) == {"compaction.compacting"}
        assert kinds[-2:] == ["output_item.done", "completed"]
        assert answer.data[-2]["item"] == item
        assert invalid_values("ResponseEvent", answer.data) == []


async def test_the_helper_of_the_client_accumulates_the_summary(proxy: RunningProxy) -> None:
    async with proxy.openai.responses.stream(model=MODEL, input=[*HISTORY, TRIGGER]) as stream:
        response = await stream.get_final_response()

    assert [item.type for item in response.output] == ["compaction"]


@pytest.mark.parametrize("kind", ["compaction", "compaction_summary", "context_compaction"])
async def test_a_summary_of_others_is_passed_over(kind: str, proxy: RunningProxy, site: SimulatedSite) -> None:
    others = ("gAAAAAB", b64encode(b'{"summary": "SECRET"}').decode(), b64encode(b"3").decode(), 3, None)
    prompt = await prompt_after(proxy, site, *({"type": kind, "encrypted_content": content} for content in others))

    assert "Summary" not in prompt
    assert "SECRET" not in prompt


@pytest.mark.parametrize("path", ["/v1/responses", "/v1/responses/compact"])
@pytest.mark.parametrize("stream", [False, True])
async def test_a_site_that_says_nothing_is_an_error(
    path: str, stream: bool, proxy: RunningProxy, site: SimulatedSite
) -> None:
    site.behaviour.scripts = {"it": [{"text": " "}] * 3}
    answer = await exchange(proxy.url, "POST", path, {"model": MODEL, "input": [*HISTORY, TRIGGER], "stream": stream})

    assert b"encrypted_content" not in answer.body.replace(b'"encrypted_content":""', b"")
    assert b"upstream_error" in answer.body
    assert answer.status == 502 or answer.data[-1]["type"] == "response.failed"
    counters = (await flushed_counters(proxy))["open", MODEL, site.origin]
    assert (counters["requests"], counters["error:upstream_error"]) == (1, 1)


@pytest.mark.parametrize("end", [End("content_filter"), End(refusal="No."), None])
@pytest.mark.parametrize("replies", [CompactionReply, CompactedReply])
def test_an_invalid_summary_is_an_error(end: End | None, replies: type[CompactionReply]) -> None:
    request = parse_compaction({"model": MODEL, "input": "hi"}, "emulate")
    reply = replies(request, id="resp_1", message_id="msg_1", created=1, model=MODEL)
    text = "Half of" if end else ""
    reply.text_of(0)(text)
    reply.text_with_extras(0, Extras("", {"reasoning": "A thought"}))

    for render in (
        lambda: reply.closing([end or End()], Usage(1, 1)),
        lambda: reply.whole([Message(role="assistant", text=text)], [end or End()], Usage(1, 1)),
    ):
        with pytest.raises(ServiceError) as exc_info:
            render()
        assert exc_info.value.status == 502


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({}, "input"),
        ({"input": []}, "input"),
        ({"input": [TRIGGER]}, "input"),
        ({"input": 3}, "input"),
        ({"input": [TRIGGER, *HISTORY]}, "input.0"),
        ({"input": "hi", "conversation": "conv_1"}, "conversation"),
        ({"input": "hi", "model": None}, "model"),
    ],
)
async def test_an_invalid_compaction_request_is_a_400(
    fields: Any, param: str, proxy: RunningProxy, site: SimulatedSite
) -> None:
    answer = await exchange(proxy.url, "POST", "/responses/compact/", {"model": MODEL, **fields})

    assert (answer.status, json.loads(answer.body)["error"]["param"]) == (400, param)
    assert site.model_calls == []


def test_a_message_without_content_is_not_among_what_the_user_said() -> None:
    items = [{"role": "user", "content": "hi"}, {"role": "user", "content": None}]
    request = parse_compaction({"model": MODEL, "input": items}, "emulate")

    assert [item["content"][0]["text"] for item in request.user_items or ()] == ["hi"]


def test_the_model_knows_the_tools_of_the_calls_it_sums_up_and_calls_none() -> None:
    request = parse_compaction({"model": MODEL, "input": HISTORY, "tools": [FLAT]}, "native")

    assert request.ask.tool_config is not None
    assert [tool.name for tool in request.ask.tool_config.tools] == ["shell"]
    assert request.ask.tool_config.choice.mode == "none"
