"""The command line where OpenAI-compatible servers stand beside the sites, or alone."""

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from proxy.api.app_keys import UPSTREAMS
from shared.cli.doctor.check import Level
from shared.cli.doctor.network import Obstacle, what_to_do
from shared.cli.doctor.server import check_keys, check_server
from shared.parsing import Server
from shared.secrets import Secret
from shared.settings import Settings, load
from shared.site_client.client import SiteClient
from tests.cli.processes import clean_environment
from tests.cli.test_commands import CommandLine, site
from tests.end_to_end.running_up import running_up
from tests.openai_server import HttpError, OpenAiPeer
from tests.ports import a_free_port
from tests.proxy.running import running_proxy
from tests.site import SimulatedSite

__all__ = ["site"]  # a fixture
INSTALL_SECONDS = 60.0  # Playwright tries for a while
KEY = "sk-very-secret-0123456789"


@pytest.fixture
async def server() -> AsyncIterator[OpenAiPeer]:
    async with OpenAiPeer("tiny", "llama3.2:latest", key=KEY) as running:
        yield running


@pytest.mark.alone
async def test_with_one_setting_a_server_answers_where_no_site_and_no_browser_is(
    server: OpenAiPeer, tmp_path: Path
) -> None:
    closed_port = f"http://127.0.0.1:{a_free_port()}"
    no_browser = {
        "PLAYWRIGHT_BROWSERS_PATH": str(tmp_path),
        "PLAYWRIGHT_DOWNLOAD_HOST": closed_port,
        "PATH": str(tmp_path),
    }
    server.key = ""
    async with running_up(
        f"{closed_port}/", tmp_path, FREEAICHAT_SERVERS=f"mine={server.base_url}", **no_browser
    ) as up:
        async with asyncio.timeout(INSTALL_SECONDS):
            while not all(line in "".join(up.output) for line in ("\ncurl ", "the others answer meanwhile")):
                await asyncio.sleep(0.05)
        output = "".join(up.output)
        line = next(line for line in output.splitlines() if line.startswith("curl "))
        answer = (await asyncio.to_thread(subprocess.run, ["/bin/sh", "-c", line], capture_output=True)).stdout.decode()

    assert "no browser, so that no site is visited; the servers answer." in output
    assert '"mine/tiny"' in line
    assert "served" in answer
    assert "[DONE]" in answer


async def test_status_names_the_kinds_and_what_a_server_offers(
    site: SimulatedSite, server: OpenAiPeer, tmp_path: Path
) -> None:
    servers = f"mine={server.base_url}, gone=http://127.0.0.1:{a_free_port()}/v1"
    named = {"FREEAICHAT_SERVERS": servers, "FREEAICHAT_SERVER_KEYS": f"mine={KEY}"}
    async with running_proxy(site, tmp_path / "data", servers=servers, server_keys=f"mine={KEY}") as proxy:
        await proxy.app[UPSTREAMS][1].discover()
        port = urlsplit(proxy.url).port or 0
        command = CommandLine(clean_environment(tmp_path / "data", site.url, port) | named, tmp_path)
        shown, as_json = await command("status"), await command("status", "--json")
        models = await command("models")
        chatted = await command("chat", "hi", "-m", "mine/tiny")

    report = json.loads(as_json.output)
    assert (shown.code, as_json.code) == (0, 0), shown.errors
    assert report["sites"][0]["kind"] == "aipkit"
    assert report["servers"][0] == {
        "server": "mine",
        "kind": "openai_server",
        "base_url": server.base_url,
        "models": ["mine/tiny", "mine/llama3.2"],
    }
    assert f"{site.origin} (AIPKit)" in shown.output
    assert f"mine (OpenAI-compatible server at {server.base_url})" in shown.output
    assert "models (2): mine/tiny, mine/llama3.2" in shown.output
    assert "the server cannot be reached or lists no models: cannot connect" in shown.output
    assert "mine/llama3.2" in models.output
    assert chatted.output == "served\n"
    assert KEY not in shown.output + as_json.output + shown.errors


async def checked(server: OpenAiPeer, **settings: str) -> tuple[Level, str]:
    """The doctor's worst finding on *server*."""
    read = load(servers=f"mine={server.base_url}", **settings)
    async with SiteClient() as client:
        found = await check_server(client, read.servers[0], read)
    assert all(KEY not in check.what + check.advice for check in found)
    return found[-1].level, found[-1].what


async def test_the_doctor_tells_what_is_wrong_with_a_server(server: OpenAiPeer) -> None:
    keys = f"mine={KEY}"

    assert await checked(server) == (Level.FAIL, f"mine at {server.base_url} refuses its key (HTTP 401)")
    assert await checked(server, server_keys=keys, fallback_model="mine/Llama3.2") == (
        Level.OK,
        f"mine at {server.base_url} answers and lists 2 models",
    )
    level, message = await checked(server, server_keys=keys, fallback_model="mine/other")
    assert (level, "no model 'other'" in message) == (Level.WARN, True)
    server.listing = HttpError(200, [{"id": "tiny"}])  # as the proxy takes it
    assert (await checked(server, server_keys=keys))[0] is Level.OK
    server.listing = HttpError(200, {"object": "list", "data": None})  # Ollama's, before any was pulled
    assert (await checked(server, server_keys=keys))[1].endswith("lists 0 models")
    server.listing = HttpError(404, "<html>not here</html>")
    assert (await checked(server, server_keys=keys))[0] is Level.FAIL
    server.listing = HttpError(503, "busy")
    assert (await checked(server, server_keys=keys))[0] is Level.FAIL
    server.listing = HttpError(200, "<html>a page</html>")
    assert (await checked(server, server_keys=keys))[0] is Level.FAIL
    await server.stop()
    level, message = await checked(server, server_keys=keys)
    assert (level, "refused: cannot connect" in message) == (Level.FAIL, True)
    assert "FREEAICHAT_SERVERS" in what_to_do(Obstacle.REFUSED, "FREEAICHAT_SERVERS")


def test_the_doctor_finds_a_key_without_its_server() -> None:
    read = Settings(
        servers=(Server("mine", "http://127.0.0.1:1/v1"),), server_keys={"mine": Secret("a"), "yours": Secret(KEY)}
    )

    (found,) = check_keys(read)

    assert found.level is Level.WARN
    assert "'yours'" in found.what
    assert KEY not in found.what
