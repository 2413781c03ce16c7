"""Items of conversations with the official client: create, list page by page, retrieve, delete."""

import base64
from typing import Any

import openai
import pytest

from tests.pictures import PNG
from tests.proxy.running import RunningProxy
from tests.site import SimulatedSite


def texts(items: Any) -> list[str]:
    return [item.content[0].text for item in items]


async def conversation_with_items(proxy: RunningProxy, count: int) -> str:
    """A conversation with *count* items, named by their numbers."""
    items: Any = [{"type": "message", "role": "user", "content": str(number)} for number in range(count)]
    return (await proxy.openai.conversations.create(items=items)).id


async def test_items_are_listed_newest_first_in_openais_shape(proxy: RunningProxy) -> None:
    name = await conversation_with_items(proxy, 3)

    page = await proxy.openai.conversations.items.list(name)

    assert texts(page.data) == ["2", "1", "0"]
    assert (page.has_more, page.first_id, page.last_id) == (False, page.data[0].id, page.data[-1].id)  # type: ignore[attr-defined]
    first = page.data[0]
    assert first.type == "message"
    assert (first.role, first.status, first.id[:4]) == ("user", "completed", "msg_")


@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_the_client_walks_all_pages(proxy: RunningProxy, order: Any) -> None:
    name = await conversation_with_items(proxy, 25)

    found = [item async for item in proxy.openai.conversations.items.list(name, order=order, limit=10)]

    numbers = [str(number) for number in range(25)]
    assert texts(found) == (numbers if order == "asc" else numbers[::-1])


async def test_a_page_holds_twenty_unless_asked_otherwise(proxy: RunningProxy) -> None:
    name = await conversation_with_items(proxy, 40)
    page = await proxy.openai.conversations.items.list(name)
    last = await proxy.openai.conversations.items.list(name, after=page.data[-1].id or "")

    assert [(len(each.data), each.has_more) for each in (page, last)] == [(20, True), (20, False)]


TOOL_ITEMS: list[Any] = [
    {"type": "function_call", "call_id": "c", "name": "weather", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "c", "output": "22 C"},
    {"type": "custom_tool_call", "call_id": "d", "name": "patch", "input": "+new"},
    {"type": "custom_tool_call_output", "call_id": "d", "output": "done"},
]


async def test_ids_begin_as_openais_do_by_the_type_of_the_item(proxy: RunningProxy) -> None:
    """Its API refuses histories in which they begin otherwise, and clients send theirs to it as well."""
    name = (await proxy.openai.conversations.create(items=TOOL_ITEMS)).id
    listed = (await proxy.openai.conversations.items.list(name, order="asc")).data

    assert [item.type for item in listed] == [item["type"] for item in TOOL_ITEMS]
    assert [str(item.id).partition("_")[0] for item in listed] == ["fc", "fco", "ctc", "ctco"]
    for item in listed:
        assert await proxy.openai.conversations.items.retrieve(str(item.id), conversation_id=name) == item


async def test_ids_as_they_began_once_name_the_same_items(proxy: RunningProxy) -> None:
    name = (await proxy.openai.conversations.create(items=TOOL_ITEMS)).id
    items = proxy.openai.conversations.items
    listed = (await items.list(name, order="asc")).data

    for item, before in zip(listed, ("fc", "msg", "fc", "msg"), strict=True):
        old = f"{before}_{str(item.id).partition('_')[2]}"
        assert await items.retrieve(old, conversation_id=name) == item
        assert (await items.list(name, order="asc", after=old)).data == listed[listed.index(item) + 1 :]
    await items.delete(f"msg_{str(listed[3].id).partition('_')[2]}", conversation_id=name)
    await items.delete(str(listed[1].id), conversation_id=name)
    assert [item.type for item in (await items.list(name)).data] == ["custom_tool_call", "function_call"]


@pytest.mark.parametrize("item_id", ["fco_unknown", "ctc_unknown_0", "fc_", "rs_1", "_"])
async def test_an_id_of_any_kind_may_name_nothing(proxy: RunningProxy, item_id: str) -> None:
    name = (await proxy.openai.conversations.create(items=TOOL_ITEMS)).id

    with pytest.raises(openai.NotFoundError):
        await proxy.openai.conversations.items.retrieve(item_id, conversation_id=name)


async def test_what_an_agent_did_with_tools_is_kept(proxy: RunningProxy, site: SimulatedSite) -> None:
    items: Any = [
        {"type": "reasoning", "id": "rs_1", "summary": []},
        {"type": "function_call", "call_id": "c", "name": "weather", "arguments": '{"city":"Rome"}'},
        {"type": "function_call_output", "call_id": "c", "output": "22 C"},
    ]
    name = (await proxy.openai.conversations.create(items=items)).id
    added = await proxy.openai.conversations.items.create(name, items=items)

    assert [item.type for item in added.data] == ["function_call", "function_call_output"]
    assert [item.to_dict()["call_id"] for item in added.data] == ["c", "c"]
    again = await proxy.openai.conversations.items.retrieve(str(added.data[0].id), conversation_id=name)
    assert again == added.data[0]
    assert (await proxy.openai.conversations.items.create(name, items=items[:1])).data == []  # it tells nothing
    await proxy.chat("[[recall]]", conversation_id=name)
    expected = ['{"name":"weather","arguments":{"city":"Rome"}}', "[result of weather]\n22 C"]
    assert all(str(site.model_calls[-1].messages).count(repr(text)[1:-1]) == 2 for text in expected)


@pytest.mark.parametrize(
    "items", ["hi", [{"type": "item_reference", "id": "msg_1"}], [{"type": "mind_reading"}], [{}], []]
)
async def test_items_that_are_no_messages_are_refused(proxy: RunningProxy, items: Any) -> None:
    name = await conversation_with_items(proxy, 1)

    with pytest.raises(openai.BadRequestError):
        await proxy.openai.conversations.items.create(name, items=items)


async def test_added_items_are_known_to_the_next_turn(proxy: RunningProxy, site: SimulatedSite) -> None:
    name = await conversation_with_items(proxy, 1)
    await proxy.chat("first", conversation_id=name)
    added = await proxy.openai.conversations.items.create(
        name, items=[{"role": "user", "content": [{"type": "input_text", "text": "my name is Ada"}]}]
    )

    answer = await proxy.chat("[[recall]]", conversation_id=name)

    assert texts(added.data) == ["my name is Ada"]
    assert added.object == "list"
    assert "my name is Ada" in answer.text
    assert site.model_calls[-1].conversation_uuid != site.model_calls[0].conversation_uuid


async def test_an_answer_is_an_item_with_its_text(proxy: RunningProxy) -> None:
    name = await conversation_with_items(proxy, 0)
    answer = await proxy.chat("hi", conversation_id=name)

    newest = (await proxy.openai.conversations.items.list(name, limit=1)).data[0]
    again = await proxy.openai.conversations.items.retrieve(newest.id or "", conversation_id=name)

    assert again == newest
    assert again.type == "message"
    assert again.role == "assistant"
    assert again.content[0].type == "output_text"
    assert again.content[0].text == answer.text


async def test_a_deleted_item_is_forgotten(proxy: RunningProxy, site: SimulatedSite) -> None:
    name = await conversation_with_items(proxy, 2)
    await proxy.chat("first [[say:fine]]", conversation_id=name)
    listed = (await proxy.openai.conversations.items.list(name, order="asc")).data

    left = await proxy.openai.conversations.items.delete(listed[0].id or "", conversation_id=name)
    await proxy.chat("second", conversation_id=name)

    assert (left.id, left.object) == (name, "conversation")
    prompt = str(site.model_calls[-1].messages)
    assert "first" in prompt
    assert "----- user -----\\n0" not in prompt
    with pytest.raises(openai.NotFoundError):
        await proxy.openai.conversations.items.retrieve(listed[0].id or "", conversation_id=name)
    with pytest.raises(openai.NotFoundError) as exc_info:
        await proxy.openai.conversations.items.delete(listed[0].id or "", conversation_id=name)
    assert exc_info.value.code == "item_not_found"


async def test_items_of_an_unknown_conversation_are_404(proxy: RunningProxy) -> None:
    items = proxy.openai.conversations.items
    with pytest.raises(openai.NotFoundError):
        await items.list("conv_unknown")
    with pytest.raises(openai.NotFoundError):
        await items.create("conv_unknown", items=[{"role": "user", "content": "hi"}])
    with pytest.raises(openai.NotFoundError):
        await items.retrieve("msg_1", conversation_id="conv_unknown")
    with pytest.raises(openai.NotFoundError):
        await items.delete("msg_1", conversation_id="conv_unknown")


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("limit=0", 400),
        ("limit=101", 400),
        ("limit=x", 400),
        ("limit=²", 400),
        ("limit=" + "9" * 5000, 400),
        ("order=up", 400),
        ("after=msg_unknown", 404),
    ],
)
async def test_a_page_that_makes_no_sense_is_refused(proxy: RunningProxy, query: str, status: int) -> None:
    name = await conversation_with_items(proxy, 1)
    async with proxy.http.get(f"{proxy.url}/v1/conversations/{name}/items?{query}") as answer:
        assert answer.status == status
        assert (await answer.json())["error"]["param"]


async def test_an_empty_conversation_lists_nothing(proxy: RunningProxy) -> None:
    async with proxy.http.get(
        f"{proxy.url}/v1/conversations/{await conversation_with_items(proxy, 0)}/items"
    ) as answer:
        assert await answer.json() == {"object": "list", "data": [], "first_id": "", "last_id": "", "has_more": False}


async def test_a_picture_is_not_kept_but_its_place_is(proxy: RunningProxy) -> None:
    picture = {"type": "input_image", "image_url": f"data:image/png;base64,{base64.b64encode(PNG).decode()}"}
    items: Any = [
        {"role": "user", "content": [{"type": "input_text", "text": "Look."}, picture]},
        {"role": "user", "content": [picture]},
    ]
    created = await proxy.openai.conversations.create(items=items)
    listed = (await proxy.openai.conversations.items.list(created.id, order="asc")).data

    contents: Any = [item.to_dict()["content"] for item in listed]
    kinds = [[part["type"] for part in content] for content in contents]
    assert kinds == [["input_text", "input_image"], ["input_image"]]
    assert "base64" not in str(contents)


async def test_items_with_pictures_may_be_sent_back_as_they_were_listed(
    proxy: RunningProxy, site: SimulatedSite
) -> None:
    picture = {"type": "input_image", "image_url": f"data:image/png;base64,{base64.b64encode(PNG).decode()}"}
    sent: Any = [{"role": "user", "content": [{"type": "input_text", "text": "what is it?"}, picture]}]
    sent += [{"role": "user", "content": [picture]}, {"role": "assistant", "content": "a dot"}]
    name = (await proxy.openai.conversations.create(items=sent)).id

    listed = [item.to_dict() async for item in proxy.openai.conversations.items.list(name, order="asc")]
    history: Any = [*listed, {"role": "user", "content": "[[recall]]"}]
    answer = await proxy.openai.responses.create(model="gpt-4o-mini-helper", input=history)
    copied = (await proxy.openai.conversations.create(items=history)).id

    assert "what is it?" in answer.output_text
    assert site.model_calls[0].images == 0
    assert len((await proxy.openai.conversations.items.list(copied)).data) == 4
