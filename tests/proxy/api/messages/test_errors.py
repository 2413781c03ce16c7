"""Errors in Anthropic's shape, types and statuses, wherever they come from."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import proxy.upstreams.site.credentials
from proxy.api.app_keys import USAGE
from proxy.api.messages import handlers
from tests.proxy.access.test_keys import MASTER, create_key
from tests.proxy.api.messages.messages_client import MODEL, PATH, error, message, send, user
from tests.proxy.running import RunningProxy, running_proxy
from tests.proxy.wire import exchange
from tests.site import SimulatedSite

BODY = {"model": MODEL, "max_tokens": 100, "messages": [user("hi")]}
VERSION = {"anthropic-version": "2023-06-01"}


class Failure(NamedTuple):
    """A request, the site's behaviour, and the expected error."""

    body: Any
    behaviour: dict[str, Any]
    status: int
    type: str


FAILURES = {
    "no JSON": Failure(b"{", {}, 400, "invalid_request_error"),
    "an unknown model": Failure({**BODY, "model": "nobody"}, {}, 404, "not_found_error"),
    "a body too large": Failure({**BODY, "padding": "x" * 5000}, {}, 413, "request_too_large"),
    "a full site": Failure(BODY, {"ajax_status": 429}, 429, "rate_limit_error"),
    "a broken site": Failure(BODY, {"ajax_status": 500}, 500, "api_error"),
    "an empty answer": Failure({**BODY, "messages": [user("[[blank]]")]}, {}, 500, "api_error"),
    "a slow model": Failure(BODY, {"upstream_timeout": 0.2, "first_delta_delay": 5.0}, 500, "api_error"),
    "a busy model": Failure({**BODY, "messages": [user("[[mode:err429]]")]}, {}, 429, "rate_limit_error"),
    "members only": Failure({**BODY, "model": "members-only"}, {}, 403, "permission_error"),
}


async def test_messages_that_hold_nothing_are_told_as_that(proxy: RunningProxy) -> None:
    answer = await exchange(proxy.url, "POST", PATH, {**BODY, "messages": [{"role": "system", "content": []}]})

    assert (answer.status, error(answer)["details"]["error_code"]) == (400, "empty_message")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("what", FAILURES)
async def test_every_failure_has_anthropics_status_and_type(
    site: SimulatedSite, tmp_path: Path, what: str, stream: bool
) -> None:
    body, behaviour, status, kind = FAILURES[what]
    site.behaviour.update(behaviour)
    async with running_proxy(site, tmp_path, max_body=4000) as running:
        sent = {**body, "stream": stream} if isinstance(body, dict) else body
        answer = await exchange(running.url, "POST", PATH, sent)

    assert (answer.status, error(answer)["type"]) == (status, kind)
    assert answer.headers["content-type"] == "application/json"


async def test_without_credentials_it_is_overloaded_for_a_while(
    site: SimulatedSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proxy.upstreams.site.credentials, "FIRST_CAPTURE_SECONDS", 0.1)
    async with running_proxy(site, tmp_path, captured=False) as waiting:
        answer = await exchange(waiting.url, "POST", PATH, {**BODY, "model": "gpt-4o-mini"})

    assert (answer.status, error(answer)["type"]) == (529, "overloaded_error")
    assert 1 <= int(answer.headers["retry-after"]) <= 120


async def test_permanent_errors_are_not_overloaded_errors(
    site: SimulatedSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proxy.upstreams.site.credentials, "RENEWAL_SECONDS", 0.1)
    site.behaviour.challenge_ajax = True
    async with running_proxy(site, tmp_path) as running:
        answer = await exchange(running.url, "POST", PATH, BODY)

    assert (answer.status, error(answer)["type"]) == (500, "api_error")
    assert error(answer)["details"]["error_code"] == "challenge"
    assert answer.headers["x-should-retry"] == "false"


async def test_internal_errors_have_the_same_shape(running: RunningProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(handlers, "parse_messages", broken)
    answer = await send(running, "hi")

    assert (answer.status, error(answer)["type"]) == (500, "api_error")
    assert [counters["error:internal_error"] for counters in running.app[USAGE].totals.values()] == [1]


@pytest.fixture
async def running(proxy: RunningProxy) -> RunningProxy:
    """The fixture `proxy`, whose name is also that of a package here."""
    return proxy


@pytest.mark.parametrize("header", ["x-api-key", "Authorization"])
async def test_keys_are_asked_for_before_anything_else(site: SimulatedSite, tmp_path: Path, header: str) -> None:
    bearer = "Bearer " if header == "Authorization" else ""
    async with running_proxy(site, tmp_path, key=MASTER) as running:
        missing = await exchange(running.url, "POST", PATH, BODY)
        wrong = await exchange(running.url, "POST", PATH, BODY, {header: f"{bearer}sk-ant-wrong"})
        right = await exchange(running.url, "POST", PATH, BODY, {header: f"{bearer}{MASTER}"})

    for answer in (missing, wrong):
        assert (answer.status, error(answer)["type"]) == (401, "authentication_error")
    assert message(right)["type"] == "message"


async def test_a_rate_limit_error_has_retry_after(site: SimulatedSite, tmp_path: Path) -> None:
    async with running_proxy(site, tmp_path, key=MASTER) as running:
        headers = {"x-api-key": await create_key(running, rpm=1)}
        assert (await exchange(running.url, "POST", PATH, BODY, headers)).status == 200
        answer = await exchange(running.url, "POST", PATH, BODY, headers)

    assert (answer.status, error(answer)["type"]) == (429, "rate_limit_error")
    assert int(answer.headers["retry-after"]) > 0


BEFORE_HANDLERS = [
    ("GET", "/v1/messages", {}, 405, "invalid_request_error"),
    ("POST", "/v1/messages/batches", {}, 404, "not_found_error"),
    ("POST", "/v1/models", VERSION, 405, "invalid_request_error"),
    ("POST", PATH, {"Host": "elsewhere.example"}, 403, "permission_error"),
    ("POST", PATH, {"Expect": "a miracle"}, 417, "invalid_request_error"),
    ("POST", PATH, {"Content-Encoding": "odd"}, 415, "invalid_request_error"),
]


@pytest.mark.parametrize("failure", BEFORE_HANDLERS)
async def test_errors_before_any_handler_have_the_same_shape(
    failure: tuple[str, str, dict[str, str], int, str], running: RunningProxy
) -> None:
    method, path, headers, status, kind = failure
    answer = await exchange(running.url, method, path, BODY, headers)

    assert (answer.status, error(answer)["type"]) == (status, kind)


async def test_other_apis_keep_their_own_shape(running: RunningProxy) -> None:
    answer = await exchange(running.url, "POST", "/v1/chat/completions", {**BODY, "model": "nobody"}, VERSION)

    assert json.loads(answer.body)["error"]["code"] == "model_not_found"
    assert "request-id" not in answer.headers
