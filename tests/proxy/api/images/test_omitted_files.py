"""Files that a site cannot take, and unreadable pictures, are left out unless the question is about them:
agents and clients resend them in every turn."""

import json
from base64 import b64encode
from typing import Any

import pytest

from proxy.chat.ask import OMITTED_FILE
from tests.pictures import PNG
from tests.proxy.api.messages.messages_client import MODEL, TOOL, assistant, block, error, send, text, user
from tests.proxy.running import RunningProxy
from tests.proxy.wire import exchange
from tests.site import SimulatedSite

DATA = "JVBERi0="
PDF = block("document", source={"type": "base64", "media_type": "application/pdf", "data": DATA})
FILE = {"type": "file", "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{DATA}"}}
SOUND = {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}
SVG = block("image", source={"type": "base64", "media_type": "image/svg+xml", "data": "PHN2Zz4="})
GONE = block("image", source={"type": "url", "url": "https://127.0.0.1/gone.png"})
CALL = block("tool_use", id="one", name="get_weather", input={"city": "Paris"})


def result(*content: Any) -> Any:
    return block("tool_result", tool_use_id="one", content=list(content))


@pytest.mark.parametrize("content", [[result(text("Read."), PDF)], [result(text("Read.")), PDF]])
async def test_files_in_tool_results_become_text(content: list[Any], proxy: RunningProxy, site: SimulatedSite) -> None:
    answer = await send(proxy, "read it", assistant(CALL), user(*content), tools=[TOOL])

    assert (answer.status, answer.headers["x-ignored-params"]) == (200, "file")
    prompt = site.model_calls[-1].messages[-1]["content"]
    assert OMITTED_FILE in prompt.partition("Read.")[2]
    assert DATA not in prompt


async def test_pictures_beside_them_are_shown(proxy: RunningProxy, site: SimulatedSite) -> None:
    picture = block("image", source={"type": "base64", "media_type": "image/png", "data": b64encode(PNG).decode()})
    result_message = user(result(text("Read."), PDF, SVG, picture))
    answer = await send(proxy, "read it", assistant(CALL), result_message, tools=[TOOL], model="vision-bot-视觉")

    assert (answer.status, site.model_calls[-1].images) == (200, 1)


@pytest.mark.parametrize("picture", [SVG, GONE])
async def test_a_picture_of_a_tool_that_cannot_be_had_does_not_end_the_conversation(
    picture: Any, proxy: RunningProxy, site: SimulatedSite
) -> None:
    answer = await send(proxy, "look", assistant(CALL), user(result(text("Read."), picture)), tools=[TOOL])

    assert answer.status == 200
    assert (OMITTED_FILE in site.model_calls[-1].messages[-1]["content"]) is (picture is SVG)


async def test_a_picture_of_no_known_type_is_refused_only_where_it_is_asked_about(
    proxy: RunningProxy, site: SimulatedSite
) -> None:
    earlier = [user(text("look"), SVG), assistant("No.")]

    assert (await send(proxy, *earlier, "and now?")).status == 200
    assert f"look\n{OMITTED_FILE}\n\n" in site.model_calls[-1].messages[-1]["content"]
    answer = await send(proxy, *earlier, user(text("this?"), SVG))
    assert answer.status == 400
    assert "'messages.2.content.1.source' must be a PNG" in error(answer)["message"]


async def test_what_came_in_an_earlier_turn_is_sent_as_text(proxy: RunningProxy, site: SimulatedSite) -> None:
    earlier = {"role": "user", "content": [{"type": "text", "text": "hear"}, SOUND, FILE, SOUND]}
    messages = [earlier, {"role": "assistant", "content": "No."}, {"role": "user", "content": "and now?"}]
    answer = await exchange(proxy.url, "POST", "/v1/chat/completions", {"model": MODEL, "messages": messages})

    assert (answer.status, answer.headers["x-ignored-params"]) == (200, "input_audio, file")
    assert f"hear\n{OMITTED_FILE}\n\n" in site.model_calls[-1].messages[-1]["content"]


@pytest.mark.parametrize("kind", ["text/plain", "application/json", "application/octet-stream"])
async def test_a_file_with_nothing_but_text_is_told_as_it_is(
    kind: str, proxy: RunningProxy, site: SimulatedSite
) -> None:
    """Chat windows attach such files as any other, and send back those that a model wrote."""
    text_part = {"type": "text", "text": "What is this?"}
    file = {"filename": "a.txt", "file_data": f"data:{kind};base64,{b64encode('größer'.encode()).decode()}"}
    messages = [{"role": "user", "content": [text_part, {"type": "file", "file": file}]}]
    answer = await exchange(proxy.url, "POST", "/v1/chat/completions", {"model": MODEL, "messages": messages})

    assert (answer.status, "x-ignored-params" in answer.headers) == (200, False)
    assert site.model_calls[-1].messages[-1]["content"] == "What is this?\na.txt\ngrößer"


@pytest.mark.parametrize("data", ["data:text/plain,a", "data:;base64,YQBi", "data:;base64,/w==", "YQ==", None])
async def test_a_file_that_is_no_text_is_refused_where_it_is_asked_about(data: str | None, proxy: RunningProxy) -> None:
    messages = [{"role": "user", "content": [{"type": "file", "file": {"file_data": data}}]}]
    answer = await exchange(proxy.url, "POST", "/v1/chat/completions", {"model": MODEL, "messages": messages})

    assert (answer.status, json.loads(answer.body)["error"]["code"]) == (400, "unsupported_content_part")


async def test_a_file_in_the_question_is_refused_by_its_field(proxy: RunningProxy, site: SimulatedSite) -> None:
    messages = [
        {"role": "user", "content": [FILE]},
        {"role": "assistant", "content": "No."},
        {"role": "user", "content": [SOUND]},
    ]
    answer = await exchange(proxy.url, "POST", "/v1/chat/completions", {"model": MODEL, "messages": messages})

    assert answer.status == 400
    assert json.loads(answer.body)["error"]["param"] == "messages.2.content.0"
    assert site.model_calls == []


async def test_the_outputs_of_a_response_are_read_alike(proxy: RunningProxy, site: SimulatedSite) -> None:
    picture = {"type": "input_image", "image_url": "data:image/svg+xml;base64,PHN2Zz4="}
    items = [
        {"role": "user", "content": "look"},
        {"type": "function_call", "call_id": "one", "name": "get_weather", "arguments": "{}"},
        {
            "type": "function_call_output",
            "call_id": "one",
            "output": [{"type": "input_text", "text": "Read."}, picture],
        },
    ]
    answer = await exchange(proxy.url, "POST", "/v1/responses", {"model": MODEL, "input": items})

    assert answer.status == 200
    assert f"Read.\n{OMITTED_FILE}" in site.model_calls[-1].messages[-1]["content"]


async def test_a_response_continues_with_the_text_of_a_file(proxy: RunningProxy, site: SimulatedSite) -> None:
    data = b64encode(b"It is a poem.").decode()
    file: Any = {"type": "input_file", "filename": "a.txt", "file_data": f"data:text/plain;base64,{data}"}
    asks: Any = {"role": "user", "content": [{"type": "input_text", "text": "[[script:it]]"}, file]}
    site.behaviour.scripts = {"it": [{"text": "Read."}]}
    first = await proxy.openai.responses.create(model=MODEL, input=[asks])
    site.behaviour.scripts = {}
    await proxy.openai.responses.create(model=MODEL, input="What is it?", previous_response_id=first.id)

    assert "It is a poem." in str(site.model_calls[-1].messages)


async def test_an_address_that_is_none_is_refused_wherever_it_stands(proxy: RunningProxy) -> None:
    earlier = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "ftp://example.org/a.png"}}]}
    messages = [earlier, {"role": "assistant", "content": "No."}, {"role": "user", "content": "and now?"}]
    answer = await exchange(proxy.url, "POST", "/v1/chat/completions", {"model": MODEL, "messages": messages})

    assert (answer.status, json.loads(answer.body)["error"]["code"]) == (400, "invalid_image_url")
