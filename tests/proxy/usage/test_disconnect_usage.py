"""Delivered text is counted however an answer ends, and a disconnected client's request has its log line."""

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest

from proxy.chat.tokens import estimate_tokens
from proxy.server.middleware import CLIENT_CLOSED_REQUEST
from shared.admin.usage import Counters
from tests.openai_server import Answer, OpenAiPeer
from tests.proxy.running import RunningProxy, running_proxy
from tests.proxy.usage.test_usage import MODEL, stored_counters
from tests.proxy.wire import connected
from tests.site import SimulatedSite

LINES = "proxy.server.request_log"


def words(count: int) -> str:
    """The first *count* words of what the model says to `[[tokens:N]]`."""
    return "".join(f"word{number} " for number in range(1, count + 1))


async def counters(proxy: RunningProxy, site: SimulatedSite) -> Counters:
    """Counters of the model, once a request is counted."""
    async with asyncio.timeout(5):
        while not (found := await stored_counters(proxy.settings.store_url)).get(("open", MODEL, site.origin)):
            await asyncio.sleep(0.05)
    return found["open", MODEL, site.origin]


def chat(text: str, *, stream: bool) -> dict[str, Any]:
    return {"model": MODEL, "stream": stream, "messages": [{"role": "user", "content": text}]}


async def disconnect_line(caplog: pytest.LogCaptureFixture) -> dict[str, Any]:
    """The fields of the line of the request whose client left."""
    async with asyncio.timeout(5):
        while not (found := [record for record in caplog.records if record.name == LINES]):
            await asyncio.sleep(0.01)
    fields: dict[str, Any] = found[-1].fields  # type: ignore[attr-defined]
    return fields


async def test_a_client_that_leaves_is_counted_with_all_that_it_got(
    proxy: RunningProxy, site: SimulatedSite, caplog: pytest.LogCaptureFixture
) -> None:
    """Else a key with a daily limit would read almost all of each answer, and leave before its end, for nothing."""
    caplog.set_level(logging.INFO)
    body = chat("[[tokens:5000]] [[delay:0.005]]", stream=True)
    async with connected(proxy.url, "POST", "/v1/chat/completions", body) as connection:
        await connection.reader.readuntil(b"word100 ")

    assert (await counters(proxy, site))["tokens_out"] >= estimate_tokens(words(100))
    fields = await disconnect_line(caplog)
    assert (fields["status"], fields["client"], fields["model"]) == (CLIENT_CLOSED_REQUEST, "left", MODEL)
    assert fields["tokens_out"] >= estimate_tokens(words(100))


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(("fault", "count"), [({"cut_connection_after": 100}, 500), ({"drop_done": True}, 100)])
async def test_an_answer_that_the_site_breaks_off_is_counted_with_all_that_came(
    proxy: RunningProxy, site: SimulatedSite, fault: dict[str, Any], count: int, stream: bool
) -> None:
    site.behaviour.update(fault)
    body = chat(f"[[tokens:{count}]] [[delay:0.002]]", stream=stream)
    async with proxy.http.post(f"{proxy.url}/v1/chat/completions", json=body) as response:
        text = await response.text()

    assert "error" in text
    assert (await counters(proxy, site))["tokens_out"] == estimate_tokens(words(100))


async def test_reasoning_that_a_client_got_is_counted_where_it_leaves_before_the_text(
    site: SimulatedSite, tmp_path: Path
) -> None:
    """Some models write thousands of tokens of it."""
    async with (
        OpenAiPeer("deep") as server,
        running_proxy(site, tmp_path, servers=f"mine={server.base_url}") as proxy,
    ):
        server.answers = [Answer(pieces=(), thoughts=words(100), holds=True)]
        body = chat("hi", stream=True) | {"model": "mine/deep"}
        async with connected(proxy.url, "POST", "/v1/chat/completions", body) as connection:
            await connection.reader.readuntil(b"word100 ")

        async with asyncio.timeout(5):
            while not (found := (await stored_counters(proxy.settings.store_url)).get(("open", "mine/deep", "mine"))):
                await asyncio.sleep(0.05)
        assert found["tokens_out"] == estimate_tokens(words(100))


async def test_a_client_that_leaves_before_the_first_text_has_a_log_line_and_is_no_error(
    proxy: RunningProxy, site: SimulatedSite, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    site.behaviour.first_delta_delay = 30.0
    async with connected(proxy.url, "POST", "/v1/chat/completions", chat("hi", stream=False)):
        while not site.open_streams:
            await asyncio.sleep(0.01)

    fields = await disconnect_line(caplog)
    assert (fields["status"], fields["client"], fields["path"]) == (
        CLIENT_CLOSED_REQUEST,
        "left",
        "/v1/chat/completions",
    )
    assert not [name for name in await counters(proxy, site) if name.startswith("error")]


async def test_a_client_that_leaves_while_it_sends_has_a_log_line(
    proxy: RunningProxy, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever it asked for."""
    caplog.set_level(logging.INFO)
    path = "/v1/conversations"
    headers = {"Content-Length": "100", "Expect": "100-continue"}
    async with connected(proxy.url, "POST", path, b"", headers=headers) as connection:
        await connection.reader.readuntil(b"\r\n\r\n")  # it is being read

    fields = await disconnect_line(caplog)
    assert (fields["status"], fields["client"], fields["path"]) == (CLIENT_CLOSED_REQUEST, "left", path)
