"""Paths and methods as clients, browsers and probes use them."""

import json
from pathlib import Path

import pytest

from proxy.api.openapi.document import document
from tests.proxy.running import RunningProxy, capture, running_proxy
from tests.proxy.wire import connected, exchange
from tests.site import SimulatedSite

MODEL = "gpt-4o-mini-helper"
SAID = {"model": MODEL, "messages": [{"role": "user", "content": "hi"}]}
PATHS = {  # with the methods of each
    path.replace("{id}", "x").replace("{item_id}", "y"): {method.upper() for method in methods}
    for path, methods in document("", needs_key=False)["paths"].items()
}
KEYS = {"message", "type", "param", "code"}
ANTHROPIC_KEYS = {"message", "type", "details"}
PAGE = "http://localhost:3000"
PATH = "/openapi.json"


@pytest.mark.parametrize("end", ["", "/", "//"])
@pytest.mark.parametrize("base", ["/v1", "", "/v1/v1", "//v1", "/v1/", "/v1//v1/", "//", "/openai/v1", "/v1/openai"])
async def test_a_base_url_may_be_typed_in_many_ways(proxy: RunningProxy, base: str, end: str) -> None:
    """Some clients append `/v1` or `/openai/v1` to what is typed, some do not; it ends with a slash or not."""
    chat = await exchange(proxy.url, "POST", f"{base}/chat/completions{end}", SAID)
    models = await exchange(proxy.url, "GET", f"{base}/models{end}")
    created = await exchange(proxy.url, "POST", f"{base}/conversations{end}")

    assert (chat.status, models.status, created.status) == (200, 200, 200)


@pytest.mark.parametrize(
    "path", ["/v1/nothing", "/v2/chat/completions", "/api/chat", "/v1/chat", "/x/v1/models", "/v1x"]
)
async def test_an_unknown_path_names_the_base_url(proxy: RunningProxy, path: str) -> None:
    """A client set up with a wrong base URL shows this message: it is where people learn the right one."""
    for method in ("GET", "POST"):
        answer = await exchange(proxy.url, method, path)
        error = json.loads(answer.body)["error"]

        assert (answer.status, error["code"], set(error)) == (404, "unknown_url", KEYS)
        assert f"{proxy.url}/v1" in error["message"]


async def test_probes_get_200_for_the_root_and_for_heads(proxy: RunningProxy) -> None:
    """Container checks, uptime monitors and some clients ask for these before anything else."""
    for path in (
        "/",
        "/v1",
        "/v1/",
        "//v1",
        "/health",
        "/healthz",
        "/readyz",
        "/v1/models",
        "/models/",
        f"/v1/models/{MODEL}",
        "/openapi.json",
    ):
        whole, head = await exchange(proxy.url, "GET", path), await exchange(proxy.url, "HEAD", path)

        assert (whole.status, head.status) == (200, 200), path
        assert head.body == b""
        assert head.headers["content-length"] == str(len(whole.body))
    for path in ("/v1/chat/completions", "/chat/completions/", "/v1/completions", "/v1/responses", "/v1/conversations"):
        assert (await exchange(proxy.url, "HEAD", path)).status == 200, path
    assert (await exchange(proxy.url, "HEAD", "/v1/models/nobody")).status == 404
    assert (await exchange(proxy.url, "HEAD", "/nothing")).status == 404


async def test_probes_see_who_lacks_a_key(site: SimulatedSite, tmp_path: Path) -> None:
    async with running_proxy(site, tmp_path, key="the key") as proxy:
        for path in ("/v1", "/v1/chat/completions"):
            assert (await exchange(proxy.url, "HEAD", path)).status == 401
            assert (await exchange(proxy.url, "HEAD", path, headers={"x-api-key": "the key"})).status == 200
        for path in ("/", "/health", "/healthz"):
            assert (await exchange(proxy.url, "HEAD", path)).status == 200


UPGRADE = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "eA=="}


@pytest.mark.parametrize("path", ["/v1/responses", "/responses/", "/v1/chat/completions"])
async def test_a_websocket_is_426_at_which_clients_continue_with_http(proxy: RunningProxy, path: str) -> None:
    """Codex tries five times at any other refusal, with growing pauses."""
    async with connected(proxy.url, "GET", path, headers=UPGRADE) as connection:
        status, headers = await connection.head()
        body = await connection.reader.read()  # to the end: nothing follows on this connection

    assert (status, dict(headers)["upgrade"]) == (426, "HTTP/1.1")
    assert set(dict(headers)["connection"].lower().split(", ")) == {"upgrade", "close"}
    assert "x-request-id" in dict(headers)
    assert json.loads(body)["error"]["code"] == "upgrade_not_supported"


async def test_what_serves_a_get_takes_no_notice_of_an_upgrade(proxy: RunningProxy) -> None:
    async with connected(proxy.url, "GET", "/v1/models", headers=UPGRADE) as connection:
        assert (await connection.head())[0] == 200
    assert (await exchange(proxy.url, "GET", "/v1/responses")).status == 405


async def test_an_offer_of_http_2_with_a_request_is_passed_over(proxy: RunningProxy) -> None:
    """Java's own client offers it with every first request, and so do LangChain4j and Spring; some servers lose the
    body over it."""
    offer = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAEAAEAAAAIAAAAB"}
    body = {"model": MODEL, "messages": [{"role": "user", "content": "[[say:Heard.]]"}]}

    answer = await exchange(proxy.url, "POST", "/v1/chat/completions", body, offer)

    assert json.loads(answer.body)["choices"][0]["message"]["content"] == "Heard."


async def test_models_are_listed_in_openais_shape(proxy: RunningProxy) -> None:
    """Model pickers read `data[].id`, and sort or group by the other keys."""
    listed = json.loads((await exchange(proxy.url, "GET", "/v1/models")).body)

    assert listed["object"] == "list"
    assert MODEL in {model["id"] for model in listed["data"]}
    for model in listed["data"]:
        assert model["object"] == "model"
        assert isinstance(model["created"], int)
        assert isinstance(model["owned_by"], str)
        assert model["owned_by"]


async def test_models_are_listed_while_the_site_is_down(site: SimulatedSite, tmp_path: Path) -> None:
    """Chat windows load the list at start, and every few seconds; an error there hides the whole connection."""
    async with running_proxy(site, tmp_path / "known") as known:
        site.behaviour.ajax_status = 502
        before = len(site.requests)
        assert (await exchange(known.url, "GET", "/v1/models")).status == 200
        assert len(site.requests) == before
    async with running_proxy(site, tmp_path / "new", captured=False) as new:
        listed = await exchange(new.url, "GET", "/v1/models")
        assert listed.status == 200
        assert json.loads(listed.body)["data"], "the names that are known anyway are missing"


@pytest.mark.parametrize(
    "path", ["/v1/models/org/family/model", "/v1/models/org%2Ffamily%2Fmodel", "/models/org/family/model/"]
)
async def test_a_model_name_may_hold_slashes(site: SimulatedSite, tmp_path: Path, path: str) -> None:
    """Names such as `openai/gpt-4o` are common; some clients encode the slash in the path, some do not."""
    bots = (await capture(site)).bots
    async with running_proxy(site, tmp_path, models={"org/family/model": bots[0].id}) as proxy:
        answer = await exchange(proxy.url, "GET", path)
        other = await exchange(proxy.url, "GET", path.replace("family", "nobody"))
        official = await proxy.openai.models.retrieve("org/family/model")

    assert (answer.status, json.loads(answer.body)["id"]) == (200, "org/family/model")
    assert official.id == "org/family/model"
    assert (other.status, json.loads(other.body)["error"]["code"]) == (404, "model_not_found")


@pytest.mark.parametrize("name", [MODEL.upper(), f"openai/{MODEL}", f"models/{MODEL}", f"{MODEL}:latest"])
async def test_a_model_is_found_as_other_servers_spell_it(proxy: RunningProxy, name: str) -> None:
    """LiteLLM and Gemini's clients put prefixes before names, Ollama's a tag behind them."""
    answer = await exchange(proxy.url, "POST", "/v1/chat/completions", {**SAID, "model": name})
    response = await exchange(proxy.url, "POST", "/v1/responses", {"model": name, "input": "hi"})
    model = await exchange(proxy.url, "GET", f"/v1/models/{name}")

    assert (answer.status, response.status, model.status) == (200, 200, 200)
    assert json.loads(answer.body)["model"] == json.loads(response.body)["model"] == MODEL
    assert json.loads(model.body)["id"] == MODEL


async def test_an_unknown_model_names_near_ones(proxy: RunningProxy) -> None:
    for method, path in (("POST", "/v1/chat/completions"), ("GET", "/v1/models/gpt-4o-mini")):
        answer = await exchange(proxy.url, method, path, {**SAID, "model": "gpt-4o-mini"})
        error = json.loads(answer.body)["error"]

        assert (answer.status, error["code"], error["param"]) == (404, "model_not_found", "model")
        assert f"Did you mean {MODEL}" in error["message"]
    endless = await exchange(proxy.url, "POST", "/v1/chat/completions", {**SAID, "model": "x" * 1_000_000})
    assert (endless.status, len(endless.body) < 1000) == (404, True)


async def test_a_model_tells_what_it_takes(site: SimulatedSite, tmp_path: Path) -> None:
    async with running_proxy(site, tmp_path, max_transcript=8000) as proxy:
        models = json.loads((await exchange(proxy.url, "GET", "/v1/models")).body)["data"]

    assert {model["context_length"] for model in models} == {2000}
    images = {model["id"] for model in models if "image" in model["architecture"]["input_modalities"]}
    assert images == {model["id"] for model in models if model["images"]} != set()


@pytest.mark.parametrize("path", [*PATHS, "/chat/completions", "/v1/chat/completions/", "/v1/v1/models", "/nothing"])
async def test_a_browser_may_ask_first_on_every_path_without_a_key(
    site: SimulatedSite, tmp_path: Path, path: str
) -> None:
    """Browsers send the preflight without the key, and stop unless every header that the client library adds is
    allowed in it."""
    header_names = "authorization,content-type,x-stainless-arch,x-stainless-lang,x-stainless-retry-count"
    headers = {"Origin": PAGE, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": header_names}
    async with running_proxy(site, tmp_path, key="secret") as proxy:
        answer = await exchange(proxy.url, "OPTIONS", path, headers=headers)

    assert answer.status in {200, 204}
    assert answer.headers["access-control-allow-origin"] in {PAGE, "*"}
    assert set(header_names.split(",")) <= set(answer.headers["access-control-allow-headers"].split(","))
    assert {"GET", "POST", "DELETE"} <= set(answer.headers["access-control-allow-methods"].split(", "))
    assert "access-control-allow-credentials" not in answer.headers


async def test_a_page_can_read_every_answer_and_the_headers_it_needs(site: SimulatedSite, tmp_path: Path) -> None:
    """Without these headers on errors too, a web client shows «network error» instead of what is wrong."""
    headers = {"Origin": PAGE, "Authorization": "Bearer secret"}
    async with running_proxy(site, tmp_path, key="secret", max_body=2000) as proxy:
        answers = [
            await exchange(proxy.url, "GET", "/v1/models", headers=headers),
            await exchange(proxy.url, "POST", "/v1/chat/completions", {**SAID, "stream": True}, headers),
            await exchange(proxy.url, "POST", "/v1/chat/completions", b"{", headers),
            await exchange(proxy.url, "GET", "/v1/models", headers={"Origin": PAGE}),
            await exchange(proxy.url, "POST", "/v1/chat/completions", {**SAID, "model": "members-only"}, headers),
            await exchange(proxy.url, "GET", "/nothing", headers=headers),
            await exchange(proxy.url, "PUT", "/v1/models", headers=headers),
            await exchange(proxy.url, "POST", "/v1/chat/completions", b" " * 3000, headers),
        ]

    assert [answer.status for answer in answers] == [200, 200, 400, 401, 403, 404, 405, 413]
    for answer in answers:
        assert answer.headers["access-control-allow-origin"] == PAGE, answer.status
        assert {"x-request-id", "retry-after"} <= set(answer.headers["access-control-expose-headers"].split(", "))
        assert "Origin" in answer.headers["vary"]
        assert "access-control-allow-credentials" not in answer.headers


async def test_a_page_of_another_origin_reads_nothing(proxy: RunningProxy) -> None:
    """Without a key, any web page could otherwise use the proxy of whoever visits it."""
    for method in ("GET", "OPTIONS"):
        answer = await exchange(proxy.url, method, "/v1/models", headers={"Origin": "https://evil.example"})

        assert answer.status == 403
        assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("path", PATHS)
async def test_a_wrong_method_is_405_and_names_the_right_ones(proxy: RunningProxy, path: str) -> None:
    """Clients parse the body of every error as JSON; a bare text ends in a stack trace."""
    answer = await exchange(proxy.url, "PUT", path)

    assert answer.status == 405
    assert set(json.loads(answer.body)["error"]) == (ANTHROPIC_KEYS if "/messages" in path else KEYS)
    assert set(answer.headers["allow"].split(",")) == PATHS[path]
    asked = await exchange(proxy.url, "OPTIONS", path)
    assert set(asked.headers["allow"].split(", ")) == {*PATHS[path], "OPTIONS"}
