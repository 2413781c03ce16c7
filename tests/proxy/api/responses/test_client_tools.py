"""Tools that OpenAI defines and the client runs: called and answered in items of their own types, as in its SDK."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openai
import pytest
from openai.types.responses import (
    Response,
    ResponseApplyPatchToolCall,
    ResponseFunctionShellToolCall,
    ResponseShellCallCommandDoneEvent,
)
from openai.types.responses.response_output_item import LocalShellCall
from pydantic import BaseModel

from proxy.api.app_keys import UPSTREAMS
from tests.openai_server import Answer, OpenAiPeer
from tests.proxy.api.openapi.test_described_calls import invalid_values
from tests.proxy.running import RunningProxy, running_proxy
from tests.proxy.wire import exchange
from tests.site import SimulatedSite

STATEFUL = "gpt-5-nano"  # its provider keeps the conversation
PROMPT = "x" * 5000
SHELL: Any = {"type": "shell", "environment": {"type": "local"}}
LOCAL: Any = {"type": "local_shell"}
PATCH: Any = {"type": "apply_patch"}
FUNCTION: Any = {"type": "function", "name": "look", "parameters": {"type": "object"}}
HOSTED: Any = {"type": "shell", "environment": {"type": "container_auto"}}
LISTED = {"commands": ["ls", "pwd"], "timeout_ms": 1000}
RUN = {"command": ["bash", "-lc", "ls"], "working_directory": "/src"}
CREATE = {"type": "create_file", "path": "a.txt", "diff": "+one\n+二\n"}
DELETE = {"type": "delete_file", "path": "a.txt"}
PRINTED = [
    {"stdout": "a.txt\n", "stderr": "", "outcome": {"type": "exit", "exit_code": 0}},
    {"stdout": "", "stderr": "", "outcome": {"type": "timeout"}},
]
ASKED: Any = {"role": "user", "content": "[[script:it]] Go."}


def given_in(item: Any) -> dict[str, Any]:
    """What an item's call is of, without what is not set."""
    fields = item.model_dump(exclude_none=True)
    given: dict[str, Any] = fields.get("action") or fields["operation"]
    if item.type == "local_shell_call":
        assert (given.pop("type"), given.pop("env")) == ("exec", {})
    return given


def result_of(item: Any, output: dict[str, Any]) -> Any:
    """The item of a result, as the SDK's types have it."""
    named = {"id": item.call_id} if item.type == "local_shell_call" else {"call_id": item.call_id}
    return {"type": f"{item.type}_output", **named, **output}


@dataclass(frozen=True)
class Case:
    """A call of a tool, the SDK's type for it, and fields of the item of its result."""

    tool: Any
    given: dict[str, Any]
    kind: type[BaseModel]
    output: dict[str, Any]


CASES = {
    "shell": Case(SHELL, LISTED, ResponseFunctionShellToolCall, {"output": PRINTED}),
    "shell without a place": Case(
        {"type": "shell"}, {"commands": ["ls"]}, ResponseFunctionShellToolCall, {"output": PRINTED[:1]}
    ),
    "local shell": Case(LOCAL, RUN, LocalShellCall, {"output": "a.txt"}),
    "patch": Case(PATCH, CREATE, ResponseApplyPatchToolCall, {"output": "Done.", "status": "completed"}),
    "patch that fails": Case(PATCH, DELETE, ResponseApplyPatchToolCall, {"output": "gone", "status": "failed"}),
}


@pytest.mark.parametrize("way", ["resent", "named", "previous"])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
async def test_a_tool_is_called_and_answered_however_the_client_goes_on(
    case: Case, way: str, proxy: RunningProxy, site: SimulatedSite
) -> None:
    name = case.tool["type"]
    site.behaviour.scripts = {"it": [{"text": "I run it.", "calls": [[name, case.given]]}]}
    params: Any = {"model": STATEFUL, "instructions": PROMPT, "tools": [case.tool]}
    first = await proxy.openai.responses.create(**params, input=[ASKED])
    call: Any = first.output[1]
    result = result_of(call, case.output)
    resent = [item.model_dump(exclude_none=True) for item in first.output]
    more: dict[str, Any] = {
        "resent": {"input": [ASKED, *resent, result]},
        "named": {"input": [ASKED, {"type": "item_reference", "id": call.id}, result]},
        "previous": {"input": [result], "previous_response_id": first.id},
    }[way]
    second = await proxy.openai.responses.create(**params, **more)
    stored = await exchange(proxy.url, "GET", f"/v1/responses/{first.id}")
    listed = await exchange(proxy.url, "GET", f"/v1/responses/{second.id}/input_items?order=asc")
    page = json.loads(listed.body)

    assert type(call).__name__ == case.kind.__name__
    case.kind.model_validate(call.model_dump())  # the SDK itself takes anything
    assert given_in(call) == case.given
    told = [seen.fields["message"] for seen in site.requests if seen.action == "aipkit_cache_sse_message"]
    output = case.output["output"]
    text = output if isinstance(output, str) else json.dumps(output, separators=(",", ":"))
    outcome = "error" if case.output.get("status") == "failed" else "result"
    assert told[1:] == [f"[{outcome} of {name}]\n{text}".strip()], "only the result is sent"
    assert second.output_text.startswith("So: ")
    assert [item["type"] for item in page["data"]] == ["message", "message", call.type, f"{call.type}_output"]
    assert page["data"][3] == {**page["data"][3], "call_id": call.call_id, **case.output}
    assert invalid_values("ItemList", [page]) == []
    assert invalid_values("Response", [json.loads(stored.body)]) == []


async def test_each_call_has_its_events(proxy: RunningProxy, site: SimulatedSite) -> None:
    calls = [["shell", LISTED], ["apply_patch", CREATE], ["local_shell", RUN], ["apply_patch", DELETE]]
    site.behaviour.scripts = {"it": [{"text": "I run it.", "calls": calls}]}
    body = {"model": STATEFUL, "input": [ASKED], "tools": [SHELL, LOCAL, PATCH], "stream": True}
    answer = await exchange(proxy.url, "POST", "/v1/responses", body)
    events = [event for event in answer.data if event.get("output_index", 0) > 0]

    command = [f"response.shell_call_command.{part}" for part in ("added", "delta", "done")]
    diff = [f"response.apply_patch_call_operation_diff.{part}" for part in ("delta", "done")]
    begins, ends = ["response.output_item.added"], ["response.output_item.done"]
    expected = [*begins, *command, *command, *ends, *begins, *diff, *ends, *begins, *ends, *begins, *ends]
    assert [event["type"] for event in events] == expected
    assert [event["item"]["id"].partition("_")[0] for event in events if event["type"] == ends[0]] == [
        *("sh", "apc", "lsh", "apc")
    ]
    assert events[0]["item"]["action"]["commands"] == []
    assert [event.get("delta") for event in events if event["type"].endswith(".delta")] == ["ls", "pwd", CREATE["diff"]]
    assert events[8]["item"]["operation"] == {**CREATE, "diff": ""}
    assert invalid_values("ResponseEvent", answer.data) == []


async def test_the_sdk_reads_the_stream(proxy: RunningProxy, site: SimulatedSite) -> None:
    site.behaviour.scripts = {"it": [{"calls": [["shell", LISTED]]}]}
    async with proxy.openai.responses.stream(model=STATEFUL, input=[ASKED], tools=[SHELL]) as stream:
        events = [event async for event in stream]
        final: Response = await stream.get_final_response()

    done = [event.command for event in events if isinstance(event, ResponseShellCallCommandDoneEvent)]
    assert done == LISTED["commands"]
    assert [given_in(item) for item in final.output] == [LISTED]


async def test_a_server_is_sent_functions_and_calls_of_them(site: SimulatedSite, tmp_path: Path) -> None:
    async with OpenAiPeer() as peer, running_proxy(site, tmp_path, servers=f"mine={peer.base_url}") as proxy:
        await proxy.app[UPSTREAMS][1].discover()
        odd = json.dumps({"commands": "ls", "timeout_ms": "soon"})
        peer.answers = [Answer((), calls=[("shell", json.dumps(LISTED)), ("shell", odd)]), Answer()]
        params: Any = {"model": "tiny", "tools": [SHELL, PATCH]}
        first = await proxy.openai.responses.create(**params, input="List the files.")
        results = [result_of(call, {"output": PRINTED}) for call in first.output]
        await proxy.openai.responses.create(**params, input=results, previous_response_id=first.id)
        tools, messages = peer.received[0].body["tools"], peer.received[1].body["messages"]

    assert [given_in(call) for call in first.output] == [LISTED, {"commands": ["ls"]}]
    assert [(tool["type"], tool["function"]["name"]) for tool in tools] == [
        ("function", "shell"),
        ("function", "apply_patch"),
    ]
    assert tools[0]["function"]["parameters"]["required"] == ["commands"]
    assert [call["function"] for call in messages[1]["tool_calls"]] == [
        {"name": "shell", "arguments": json.dumps(LISTED)},
        {"name": "shell", "arguments": odd},
    ]
    assert [json.loads(message["content"]) for message in messages[2:]] == [PRINTED, PRINTED]


@pytest.mark.parametrize(
    "choice", [{"type": "apply_patch"}, {"type": "allowed_tools", "mode": "required", "tools": [PATCH]}]
)
async def test_it_may_be_chosen(choice: Any, proxy: RunningProxy, site: SimulatedSite) -> None:
    site.behaviour.scripts = {"it": [{"calls": [["apply_patch", CREATE]], "forced": True}]}
    answer = await proxy.openai.responses.create(
        model=STATEFUL, input=[ASKED], tools=[SHELL, PATCH, FUNCTION], tool_choice=choice
    )

    assert [item.type for item in answer.output] == ["apply_patch_call"]


@pytest.mark.parametrize("kind", ["apply_patch", "tool_search"])
async def test_one_that_is_not_offered_is_named_where_it_is_chosen(kind: str, proxy: RunningProxy) -> None:
    choice: Any = {"type": kind, "tools": [{"type": []}]}
    with pytest.raises(openai.BadRequestError) as failure:
        await proxy.openai.responses.create(model=STATEFUL, input=[ASKED], tools=[SHELL], tool_choice=choice)

    assert failure.value.code == "unknown_tool"
    assert kind in failure.value.message


async def test_where_it_has_to_be_called_its_arguments_alone_are_a_call(
    proxy: RunningProxy, site: SimulatedSite
) -> None:
    site.behaviour.scripts = {"it": [{"text": json.dumps({"commands": ["ls"]})}]}
    answer = await proxy.openai.responses.create(
        model=STATEFUL, input=[ASKED], tools=[SHELL], tool_choice={"type": "shell"}
    )

    assert [item.type for item in answer.output] == ["shell_call"]


async def test_a_local_shells_skills_are_told(proxy: RunningProxy, site: SimulatedSite) -> None:
    skill = {"name": "pdf", "path": "/skills/pdf", "description": "Read and write PDF files."}
    shell: Any = {"type": "shell", "environment": {"type": "local", "skills": [skill]}}
    await proxy.openai.responses.create(model=STATEFUL, input="Go.", tools=[shell])

    assert "Skill pdf, in /skills/pdf: Read and write PDF files." in str(site.model_calls[-1].context)


async def test_a_shell_in_a_container_is_no_clients(proxy: RunningProxy, site: SimulatedSite) -> None:
    site.behaviour.scripts = {"it": [{"text": "No."}]}
    beside = await proxy.openai.responses.with_raw_response.create(
        model=STATEFUL, input=[ASKED], tools=[HOSTED, FUNCTION]
    )
    with pytest.raises(openai.BadRequestError) as alone:
        await proxy.openai.responses.create(model=STATEFUL, input=[ASKED], tools=[HOSTED])

    assert beside.headers["x-ignored-params"] == "tools.shell"
    assert alone.value.code == "unsupported_parameter"


async def test_what_a_shell_printed_is_kept_with_a_conversation_however_it_came(proxy: RunningProxy) -> None:
    call = {"type": "shell_call", "call_id": "c", "action": {"commands": ["ls"]}}
    nested = "[" * 900 + "]" * 900
    results = [{"type": "shell_call_output", "call_id": "c", "output": text} for text in ("a.txt", "[1]", nested)]
    made = await exchange(proxy.url, "POST", "/v1/conversations", {"items": [call, *results]})
    items = f"/v1/conversations/{json.loads(made.body)['id']}/items"
    page = json.loads((await exchange(proxy.url, "GET", items)).body)
    single = [json.loads((await exchange(proxy.url, "GET", f"{items}/{item['id']}")).body) for item in page["data"]]

    assert single == page["data"]
    assert [item["output"][0]["stdout"] for item in page["data"][:3]] == [nested, "[1]", "a.txt"]
    assert page["data"][3]["action"]["commands"] == ["ls"]
    assert invalid_values("ItemList", [page]) == []
