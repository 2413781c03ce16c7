"""The log line of each request, as a real proxy process writes it, in both formats."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.proxy.serving import log_of, serving
from tests.site import SimulatedSite

KEY = "sk-the-master-key-of-this-test"
QUESTION = "a private question"


async def lines_of(site: SimulatedSite, directory: Path, port: int, style: str) -> Sequence[str]:
    """What is logged of an answer, a stream, an unknown model and a wrong key."""
    settings = {"FREEAICHAT_API_KEY": KEY, "FREEAICHAT_LOG_FORMAT": style}
    requests: list[tuple[dict[str, Any], str]] = [
        ({"model": "gpt-4o-mini-helper"}, KEY),
        ({"model": "gpt-4o-mini-helper", "stream": True}, KEY),
        ({"model": "made-up"}, KEY),
        ({"model": "gpt-4o-mini-helper"}, "sk-wrong"),
    ]
    async with serving(site, directory, port, **settings) as process, aiohttp.ClientSession() as http:
        for number, (fields, key) in enumerate(requests):
            body = {**fields, "messages": [{"role": "user", "content": QUESTION}]}
            headers = {"Authorization": f"Bearer {key}", "x-request-id": f"test-{number}"}
            url = f"http://127.0.0.1:{port}/v1/chat/completions"
            async with http.post(url, json=body, headers=headers) as response:
                await response.read()
        process.terminate()
        await process.wait()
    text = log_of(directory).read_text()
    for secret in (KEY, "sk-wrong", QUESTION, site.nonce):
        assert secret not in text
    return [line for line in text.splitlines() if "test-" in line]


async def test_json_lines_hold_everything_as_fields(site: SimulatedSite, tmp_path: Path, free_port: int) -> None:
    whole, streamed, unknown, refused = map(json.loads, await lines_of(site, tmp_path, free_port, "json"))

    for number, line in enumerate((whole, streamed)):
        assert line["request_id"] == f"test-{number}"
        assert (line["method"], line["path"], line["status"]) == ("POST", "/v1/chat/completions", 200)
        assert (line["key"], line["model"]) == ("master", "gpt-4o-mini-helper")
        assert line["site"] == site.origin.partition("://")[2]
        assert line["tokens_in"] > 0
        assert line["tokens_out"] > 0
        assert 0 <= line["ttft_ms"] <= line["ms"]
        assert "error" not in line
    assert (unknown["status"], unknown["error"], unknown["key"]) == (404, "model_not_found", "master")
    assert refused["status"] == 401
    assert "key" not in refused


async def test_console_lines_are_for_people(site: SimulatedSite, tmp_path: Path, free_port: int) -> None:
    lines = await lines_of(site, tmp_path, free_port, "console")

    assert re.fullmatch(
        r"\d\d:\d\d:\d\d INFO    proxy     POST /v1/chat/completions 200 \d+ ms key=master model=gpt-4o-mini-helper "
        r"site=\S+ tokens_in=\d+ tokens_out=\d+ ttft_ms=\d+ test-0",
        lines[0],
    )
    assert "404" in lines[2]
    assert "error=model_not_found" in lines[2]
    assert "401" in lines[3]


@pytest.mark.parametrize("style", ["json", "console"])
async def test_a_broken_answer_is_reported_with_its_kind(
    site: SimulatedSite, tmp_path: Path, free_port: int, style: str
) -> None:
    async with (
        serving(site, tmp_path, free_port, FREEAICHAT_LOG_FORMAT=style) as process,
        aiohttp.ClientSession() as http,
    ):
        body = {
            "model": "gpt-4o-mini-helper",
            "stream": True,
            "messages": [{"role": "user", "content": "[[mode:late_error]]"}],
        }
        async with http.post(
            f"http://127.0.0.1:{free_port}/v1/chat/completions", json=body, headers={"x-request-id": "test-broken"}
        ) as response:
            assert response.status == 200
            assert '"error"' in await response.text()
        process.terminate()
        await process.wait()
    line = next(line for line in log_of(tmp_path).read_text().splitlines() if "test-broken" in line)

    if style == "json":
        assert json.loads(line)["error"] == "upstream_error"
    else:
        assert "error=upstream_error" in line
