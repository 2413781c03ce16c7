"""Keys, request ids and what tells a client whether to try again."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import openai
import pytest

import proxy.upstreams.site.credentials
from tests.proxy.running import RunningProxy, running_proxy
from tests.proxy.wire import WireResponse, exchange
from tests.site import SimulatedSite

CHAT = "/v1/chat/completions"
MODEL = "gpt-4o-mini-helper"
KEY = "my secret  key"  # the official clients' own tests use keys with blanks
SAID: dict[str, Any] = {"model": MODEL, "messages": [{"role": "user", "content": "hi"}]}
HI: Any = SAID["messages"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Bearer {KEY}"},
        {"authorization": f"bearer {KEY}"},
        {"AUTHORIZATION": f"BEARER   {KEY}  "},
        {"Authorization": KEY},
        {"x-api-key": KEY},
        {"X-Api-Key": KEY},
        {"api-key": KEY},
        {"Authorization": "Bearer sk-placeholder", "x-api-key": KEY},
    ],
)
async def test_a_key_is_taken_wherever_clients_put_it(
    site: SimulatedSite, tmp_path: Path, headers: dict[str, str]
) -> None:
    """Azure-style clients send `api-key`, those of other APIs `x-api-key`, some the bare key, and scripts any case."""
    async with running_proxy(site, tmp_path, key=KEY) as proxy:
        assert (await exchange(proxy.url, "GET", "/v1/models", headers=headers)).status == 200
        assert (await exchange(proxy.url, "POST", CHAT, SAID, headers)).status == 200


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Bearer"}, {"x-api-key": "my secret key"}]
)
@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/models"), ("POST", CHAT), ("GET", "/v1/nothing")])
async def test_a_missing_or_wrong_key_is_401(
    site: SimulatedSite, tmp_path: Path, headers: dict[str, str], method: str, path: str
) -> None:
    """On 403 clients say that the region is blocked, on 401 they ask for the key."""
    async with running_proxy(site, tmp_path, key=KEY) as proxy:
        answer = await exchange(proxy.url, method, path, headers=headers)

    error = json.loads(answer.body)["error"]
    assert answer.status == 401
    assert (error["type"], error["code"]) == ("invalid_request_error", "invalid_api_key")
    assert KEY not in answer.body.decode()


async def test_the_official_client_tells_a_wrong_key(site: SimulatedSite, tmp_path: Path) -> None:
    """It raises its own class for it, which applications catch to ask for another key."""
    async with running_proxy(site, tmp_path, key=KEY) as proxy:
        with pytest.raises(openai.AuthenticationError):
            await proxy.openai.models.list()
        assert (await proxy.openai.with_options(api_key=KEY).models.list()).data


@pytest.mark.parametrize("key", ["EMPTY", "sk-xxx", "none", "not needed", "sk-…"])
async def test_placeholder_keys_do_no_harm_where_none_is_needed(proxy: RunningProxy, key: str) -> None:
    """Client libraries insist on some key; every guide names another one."""
    headers = {"Authorization": f"Bearer {key}"}

    assert (await exchange(proxy.url, "GET", "/v1/models", headers=headers)).status == 200


async def requests_of_all_kinds(proxy: RunningProxy, headers: dict[str, str]) -> list[WireResponse]:
    keyed = {"x-api-key": KEY, **headers}
    return [
        await exchange(proxy.url, "GET", "/v1/models", headers=keyed),
        await exchange(proxy.url, "HEAD", "/v1/models", headers=keyed),
        await exchange(proxy.url, "POST", CHAT, SAID, keyed),
        await exchange(proxy.url, "POST", CHAT, {**SAID, "stream": True}, keyed),
        await exchange(proxy.url, "POST", "/v1/responses", {"model": MODEL, "input": "hi", "stream": True}, keyed),
        await exchange(proxy.url, "POST", CHAT, {**SAID, "model": "keyless-bot"}, keyed),
        await exchange(proxy.url, "POST", CHAT, b"{", keyed),
        await exchange(proxy.url, "POST", CHAT, b" " * 3000, keyed),
        await exchange(proxy.url, "GET", "/v1/models", headers=headers),
        await exchange(proxy.url, "GET", "/nothing", headers=keyed),
        await exchange(proxy.url, "PUT", "/v1/models", headers=keyed),
        await exchange(proxy.url, "OPTIONS", CHAT, headers=headers),
        await exchange(proxy.url, "GET", "/healthz", headers=headers),
        await exchange(proxy.url, "GET", "/", headers=headers),
    ]


async def test_every_answer_has_a_request_id(site: SimulatedSite, tmp_path: Path) -> None:
    """It is what people quote when something went wrong, and what leads to the line in the log."""
    async with running_proxy(site, tmp_path, key=KEY, max_body=2000) as proxy:
        generated = await requests_of_all_kinds(proxy, {})
        sent = await requests_of_all_kinds(proxy, {"x-request-id": "trace-1.a_B"})

    assert [answer.status for answer in generated] == [
        200,
        200,
        200,
        200,
        200,
        502,
        400,
        413,
        401,
        404,
        405,
        204,
        200,
        200,
    ]
    ids = [answer.headers["x-request-id"] for answer in generated]
    assert len(set(ids)) == len(ids)
    assert {answer.headers["x-request-id"] for answer in sent} == {"trace-1.a_B"}


@pytest.mark.parametrize("sent", ["a b", "x" * 129, "é", '"quoted"', "a;b"])
async def test_a_request_id_that_is_not_plain_is_replaced(proxy: RunningProxy, sent: str) -> None:
    """It goes into the log and back into a header; nothing must be smuggled in with it."""
    answer = await exchange(proxy.url, "GET", "/v1/models", headers={"x-request-id": sent})

    assert answer.headers["x-request-id"].startswith("req_")


async def test_the_official_client_shows_the_request_id(proxy: RunningProxy) -> None:
    answer = await proxy.openai.chat.completions.create(model=MODEL, messages=HI)
    raw = await proxy.openai.chat.completions.with_raw_response.create(model=MODEL, messages=HI, stream=True)
    with pytest.raises(openai.NotFoundError) as exc_info:
        await proxy.openai.models.retrieve("nobody")

    assert answer._request_id
    assert raw.headers["x-request-id"]
    assert exc_info.value.request_id


def turns(site: SimulatedSite) -> int:
    """How many messages the site was given."""
    return sum(request.action == "aipkit_cache_sse_message" for request in site.requests)


async def test_a_used_up_quota_costs_one_request_not_three(proxy: RunningProxy, site: SimulatedSite) -> None:
    """The official clients try every 429 again, twice, unless they are told that it is no use."""
    while (await proxy.chat("hi", model="quota-bot")).status == 200:
        pass
    before = turns(site)
    with pytest.raises(openai.RateLimitError) as exc_info:
        await proxy.openai.with_options(max_retries=2).chat.completions.create(model="quota-bot", messages=HI)

    assert exc_info.value.code == "insufficient_quota"
    assert exc_info.value.response.headers["x-should-retry"] == "false"
    assert turns(site) == before + 1


async def test_a_check_page_costs_one_request_not_three(
    proxy: RunningProxy, site: SimulatedSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only a person can pass it; asking again at once looks like an attack."""
    monkeypatch.setattr("proxy.upstreams.site.credentials.RENEWAL_SECONDS", 0.1)
    site.behaviour.challenge_ajax = True
    with pytest.raises(openai.InternalServerError) as exc_info:
        await proxy.openai.with_options(max_retries=2).chat.completions.create(model=MODEL, messages=HI)

    assert (exc_info.value.status_code, exc_info.value.code) == (503, "challenge")
    assert f"`freeaichat harvest --headed --site {site.origin}`" in exc_info.value.message
    assert turns(site) == 1


async def test_a_rate_limit_says_when_to_come_again(proxy: RunningProxy) -> None:
    """Both names are read, the milliseconds first; above 120 s openai-python does not try again at all."""
    answer = await exchange(
        proxy.url, "POST", CHAT, {**SAID, "messages": [{"role": "user", "content": "[[mode:err429]] hi"}]}
    )

    assert answer.status == 429
    assert 1 <= int(answer.headers["retry-after"]) <= 120
    assert int(answer.headers["retry-after-ms"]) == 1000 * int(answer.headers["retry-after"])
    assert "x-should-retry" not in answer.headers


async def test_what_may_pass_is_tried_again_by_the_official_client(proxy: RunningProxy, site: SimulatedSite) -> None:
    """A site that fails once must not fail the person's request."""
    site.behaviour.update({"ajax_status": 502, "ajax_status_action": "aipkit_cache_sse_message"})
    site.behaviour.ajax_status_times = 1

    answer = await proxy.openai.with_options(max_retries=2).chat.completions.create(model=MODEL, messages=HI)

    assert answer.choices[0].message.content
    assert turns(site) == 2


class Failure(NamedTuple):
    """A request, the site's behaviour, and the expected error."""

    body: Any
    behaviour: dict[str, Any]
    status: int
    type: str


FAILURES = {
    "no JSON": Failure(b"{", {}, 400, "invalid_request_error"),
    "an unknown model": Failure({**SAID, "model": "nobody"}, {}, 404, "invalid_request_error"),
    "a body too large": Failure({**SAID, "padding": "x" * 5000}, {}, 413, "invalid_request_error"),
    "a full site": Failure(SAID, {"ajax_status": 429}, 429, "rate_limit_error"),
    "a broken site": Failure(SAID, {"ajax_status": 500}, 502, "server_error"),
    "an empty answer": Failure(
        {**SAID, "messages": [{"role": "user", "content": "[[blank]]"}]}, {}, 502, "server_error"
    ),
    "a slow model": Failure(SAID, {"upstream_timeout": 0.2, "first_delta_delay": 5.0}, 504, "server_error"),
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("what", FAILURES)
async def test_every_error_has_its_status_and_all_four_keys(
    site: SimulatedSite, tmp_path: Path, what: str, stream: bool
) -> None:
    """Clients choose by status what to do and by `code` what to say; a missing key fails their models of an error."""
    body, behaviour, status, kind = FAILURES[what]
    site.behaviour.update(behaviour)
    async with running_proxy(site, tmp_path, max_body=4000) as proxy:
        params = {**body, "stream": stream} if isinstance(body, dict) else body
        answer = await exchange(proxy.url, "POST", CHAT, params)

    data = json.loads(answer.body)
    assert answer.status == status
    assert answer.headers["content-type"].startswith("application/json")
    assert set(data) == {"error"}
    assert set(data["error"]) == {"message", "type", "param", "code"}
    assert data["error"]["type"] == kind
    assert data["error"]["message"]


async def test_without_credentials_it_is_503_with_a_time(
    site: SimulatedSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that comes again when it is told to finds the visit done."""
    monkeypatch.setattr(proxy.upstreams.site.credentials, "FIRST_CAPTURE_SECONDS", 0.1)
    async with running_proxy(site, tmp_path, captured=False) as waiting:
        answer = await exchange(waiting.url, "POST", CHAT, {**SAID, "model": "gpt-4o-mini"})

    assert answer.status == 503
    assert 1 <= int(answer.headers["retry-after"]) <= 120
    assert json.loads(answer.body)["error"]["type"] == "server_error"
