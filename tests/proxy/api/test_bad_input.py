"""Bad input never gives a 500: every answer is OpenAI's error object with a fitting status."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxy.api.app_keys import USAGE
from tests.proxy.running import RunningProxy, running_proxy
from tests.site import SimulatedSite

HI = [{"role": "user", "content": "hi"}]
CHAT = "/v1/chat/completions"


async def post(proxy: RunningProxy, path: str, body: bytes, **headers: str) -> tuple[int, Any]:
    async with proxy.http.post(proxy.url + path, data=body, headers=headers) as response:
        answer = await response.json(content_type=None)
        assert response.headers["x-request-id"]
    if response.status >= 400:
        assert set(answer["error"]) == {"message", "type", "param", "code"}
    return response.status, answer


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"not json", 400),
        (b"[]", 400),
        (b'{"model":', 400),
        (b"\xff\xfe\x00", 400),
        (b"[" * 50_000, 400),
        (json.dumps({"messages": HI}).encode(), 400),
        (json.dumps({"model": "gpt-4o-mini-helper"}).encode(), 400),
        (json.dumps({"model": "gpt-4o-mini-helper", "messages": {}}).encode(), 400),
        (json.dumps({"model": "gpt-4o-mini-helper", "messages": [{"role": "wizard", "content": "x"}]}).encode(), 400),
        (json.dumps({"model": "gpt-4o-mini-helper", "messages": [{"role": "user", "content": ""}]}).encode(), 400),
        (json.dumps({"model": "gpt-4o-mini-helper", "messages": [{"role": "user", "content": " \n"}]}).encode(), 400),
        (json.dumps({"model": "gpt-4o-mini-helper", "messages": HI, "stream": 1}).encode(), 400),
        (json.dumps({"model": "gpt-4o-mini-helper", "messages": HI, "max_tokens": -5}).encode(), 400),
        (json.dumps({"model": "nobody", "messages": HI}).encode(), 404),
        (json.dumps({"model": "x\r\nSet-Cookie: a=b", "messages": HI}).encode(), 404),
        (b'{"model":"\\ud800","messages":[{"role":"user","content":"hi"}]}', 404),
    ],
)
async def test_chat_requests_that_make_no_sense(proxy: RunningProxy, body: bytes, status: int) -> None:
    assert (await post(proxy, CHAT, body))[0] == status
    assert (await post(proxy, CHAT, body, **{"Content-Type": "application/json"}))[0] == status
    assert (await post(proxy, CHAT, body, **{"Content-Type": "text/plain"}))[0] == 400


@pytest.mark.parametrize("content", ["", " \n"])
async def test_an_empty_message_is_named(proxy: RunningProxy, content: str) -> None:
    answer = await proxy.chat(content)

    assert (answer.status, answer.code, answer.body["error"]["param"]) == (400, "empty_message", "messages")


async def test_a_body_over_the_limit_is_413_and_counted_as_refused(site: SimulatedSite, tmp_path: Path) -> None:
    async with running_proxy(site, tmp_path, max_body=1024) as proxy:
        status, answer = await post(proxy, CHAT, b" " * 2000)
        totals = list(proxy.app[USAGE].totals.values())

    assert (status, answer["error"]["code"]) == (413, "request_too_large")
    assert totals == [{"refused": 1}]


async def test_wrong_methods_and_paths(proxy: RunningProxy) -> None:
    for method, path, expected in (
        ("GET", CHAT, 405),
        ("PUT", "/v1/models", 405),
        ("DELETE", "/v1/chat/completions", 405),
        ("GET", "/v1/nothing", 404),
        ("POST", "/", 405),
        ("GET", "/v1/models/no-such-model", 404),
    ):
        async with proxy.http.request(method, proxy.url + path) as response:
            answer = await response.json()
        assert response.status == expected, path
        assert set(answer["error"]) == {"message", "type", "param", "code"}
        if expected == 405:
            assert response.headers["Allow"]


@pytest.mark.parametrize("body", [b"[]", b"{", b'{"metadata": []}', b'{"metadata": {"a": 1}}', b'{"items": 5}'])
async def test_conversations_that_make_no_sense(proxy: RunningProxy, body: bytes) -> None:
    assert (await post(proxy, "/v1/conversations", body))[0] == 400


async def test_every_spelling_of_a_path_is_served(proxy: RunningProxy) -> None:
    from yarl import URL

    for path in ("/v1/models", "/models", "/v1/models/", "//v1//models", "/v1/v1/models"):
        async with proxy.http.get(URL(proxy.url + path, encoded=True)) as response:
            assert response.status == 200, path


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
fields = st.sampled_from(
    ["messages", "stream", "stream_options", "conversation_id", "web_search", "max_tokens", "web_search_options"]
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.dictionaries(fields, json_values, min_size=1, max_size=3))
async def test_unexpected_values_in_any_field_never_give_a_500(proxy: RunningProxy, changes: dict[str, Any]) -> None:
    body = {"model": "gpt-4o-mini-helper", "messages": HI, **changes}

    async with proxy.http.post(proxy.url + CHAT, json=body) as response:
        await response.read()

    assert response.status in {200, 400, 404}


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        (CHAT, {"messages": [{"role": "user", "content": [{"type": {}, "text": "hi"}]}]}),
        (CHAT, {"messages": [{"role": "user", "content": [{"type": ["text"], "text": "hi"}]}]}),
        ("/v1/responses", {"input": [{"type": [], "role": "user", "content": "hi"}]}),
        ("/v1/conversations", {"items": [{"role": "user", "content": [{"type": {"a": 1}}]}]}),
    ],
)
async def test_a_type_that_is_no_text_is_400(proxy: RunningProxy, path: str, fields: dict[str, Any]) -> None:
    status, answer = await post(proxy, path, json.dumps({"model": "gpt-4o-mini-helper", **fields}).encode())

    assert status == 400
    assert answer["error"]["param"]


@pytest.mark.parametrize("items", [{}, "", 0, False])
async def test_items_that_are_no_list_are_not_taken_for_none(proxy: RunningProxy, items: Any) -> None:
    assert (await post(proxy, "/v1/conversations", json.dumps({"items": items}).encode()))[0] == 400


@pytest.mark.parametrize("fields", [{"echo": True}, {"best_of": True}, {"n": True}, {"best_of": 2}])
async def test_a_legacy_parameter_is_not_mistaken_for_a_harmless_one(
    proxy: RunningProxy, fields: dict[str, Any]
) -> None:
    body = {"model": "gpt-4o-mini-helper", "prompt": "hi", **fields}
    status, answer = await post(proxy, "/v1/completions", json.dumps(body).encode())

    assert (status, answer["error"]["code"]) == (400, "unsupported_parameter")


@pytest.mark.parametrize(
    ("path", "fields", "param"),
    [
        ("/v1/completions", {"prompt": " "}, "prompt"),
        ("/v1/completions", {"prompt": "hi", "conversation_id": "gone"}, "conversation_id"),
        ("/v1/responses", {"input": ""}, "input"),
        ("/v1/responses", {"input": "hi", "conversation": "gone"}, "conversation"),
    ],
)
async def test_an_error_names_the_field_as_the_client_calls_it(
    proxy: RunningProxy, path: str, fields: dict[str, Any], param: str
) -> None:
    status, answer = await post(proxy, path, json.dumps({"model": "gpt-4o-mini-helper", **fields}).encode())

    assert (status, answer["error"]["param"]) in {(400, param), (404, param)}


async def test_a_single_bound_is_stated_in_words(proxy: RunningProxy) -> None:
    body = {"model": "gpt-4o-mini-helper", "input": "hi", "max_tool_calls": 0}
    status, answer = await post(proxy, "/v1/responses", json.dumps(body).encode())

    assert (status, answer["error"]["message"]) == (400, "'max_tool_calls' must be at least 1.")


async def test_a_number_with_more_digits_than_any_is_too_large(proxy: RunningProxy) -> None:
    body = b'{"model":"gpt-4o-mini-helper","seed":%s,"messages":[{"role":"user","content":"hi"}]}' % (b"9" * 5000)
    status, answer = await post(proxy, CHAT, body)

    assert status == 400
    assert "number is infinity" in answer["error"]["message"]


async def test_a_legacy_count_may_be_written_in_any_way(proxy: RunningProxy) -> None:
    body = b'{"model":"gpt-4o-mini-helper","prompt":"hi","n":1.0,"best_of":1.0}'

    assert (await post(proxy, "/v1/completions", body))[0] == 200


@pytest.mark.parametrize(("limit", "reason"), [(b"4.0", "length"), (b"1e30", "stop"), (b"2" * 30, "stop")])
async def test_a_whole_number_may_be_written_in_any_way(proxy: RunningProxy, limit: bytes, reason: str) -> None:
    body = b'{"model":"gpt-4o-mini-helper","n":1.0,"messages":[{"role":"user","content":"hi"}],"max_tokens":%s}' % limit
    status, answer = await post(proxy, CHAT, body)

    assert status == 200, answer
    assert answer["choices"][0]["finish_reason"] == reason


@pytest.mark.parametrize("limit", [4.5, True, "4", -2.0])
async def test_any_other_number_of_tokens_is_400(proxy: RunningProxy, limit: Any) -> None:
    body = {"model": "gpt-4o-mini-helper", "messages": HI, "max_tokens": limit}

    assert (await post(proxy, CHAT, json.dumps(body).encode()))[0] == 400


@pytest.mark.parametrize("path", [CHAT, "/v1/responses", "/v1/completions"])
async def test_a_missing_model_is_400_even_where_a_default_is_set(
    site: SimulatedSite, tmp_path: Path, path: str
) -> None:
    async with running_proxy(site, tmp_path, default_model="gpt-4o-mini-helper") as proxy:
        status, answer = await post(proxy, path, json.dumps({"messages": HI, "input": "hi", "prompt": "hi"}).encode())

    assert (status, answer["error"]["param"]) == (400, "model")


async def test_a_default_model_that_does_not_exist_is_reported(site: SimulatedSite, tmp_path: Path) -> None:
    async with running_proxy(site, tmp_path, default_model="mistyped") as proxy:
        status, answer = await post(proxy, CHAT, json.dumps({"model": "unheard-of", "messages": HI}).encode())

    assert status == 404
    assert "FREEAICHAT_DEFAULT_MODEL names 'mistyped', which does not exist either." in answer["error"]["message"]


async def test_a_response_repeats_only_parameters_of_the_right_type(proxy: RunningProxy) -> None:
    body = {"model": "gpt-4o-mini-helper", "input": "hi", "truncation": 1, "top_p": 0.5, "user": 1}
    status, answer = await post(proxy, "/v1/responses", json.dumps(body).encode())

    assert status == 200
    assert (answer["truncation"], answer["top_p"], answer["user"]) == ("disabled", 0.5, None)


@pytest.mark.parametrize("choice", ["none", "auto"])
async def test_tools_of_a_response_are_a_list_whatever_is_chosen(proxy: RunningProxy, choice: str) -> None:
    body = {"model": "gpt-4o-mini-helper", "input": "hi", "tools": {}, "tool_choice": choice}

    assert (await post(proxy, "/v1/responses", json.dumps(body).encode()))[0] == 400
