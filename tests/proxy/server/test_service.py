"""Keys, names, origins and health over HTTP, and the running service as a process."""

import asyncio
import os
import signal
import socket
import sys
from dataclasses import replace
from pathlib import Path
from time import time

import aiohttp
import pytest

import proxy.upstreams.site.credentials as proxy_credentials
from shared.conversations import Conversation
from shared.processes.services import EXIT_PORT_TAKEN
from tests.proxy.running import RunningProxy, capture, running_proxy
from tests.site import SimulatedSite

MODELS = "/v1/models"


async def get(proxy: RunningProxy, path: str, **headers: str) -> tuple[int, dict[str, object], dict[str, str]]:
    async with proxy.http.get(proxy.url + path, headers=headers) as response:
        return response.status, await response.json(), {name.lower(): value for name, value in response.headers.items()}


async def test_once_a_key_exists_it_is_required(site: SimulatedSite, tmp_path: Path) -> None:
    async with running_proxy(site, tmp_path, key="my secret key") as proxy:
        for headers, status in (
            ({}, 401),
            ({"Authorization": "Bearer wrong"}, 401),
            ({"Authorization": "bEaReR   my secret key"}, 200),
            ({"x-api-key": "my secret key"}, 200),
        ):
            assert (await get(proxy, MODELS, **headers))[0] == status
        for path in ("/", "/healthz", "/readyz"):
            status, body, _ = await get(proxy, path)
            assert status == 200
            assert "sites" not in body
        assert "sites" in (await get(proxy, "/readyz", **{"x-api-key": "my secret key"}))[1]


async def test_without_a_key_only_this_machines_names_and_pages_are_served(proxy: RunningProxy) -> None:
    assert (await get(proxy, MODELS, Host="localhost:1234"))[0] == 200
    assert (await get(proxy, MODELS, Host="evil.example"))[0] == 403
    assert (await get(proxy, MODELS, Origin="https://evil.example"))[0] == 403
    status, _, headers = await get(proxy, MODELS, Origin="http://localhost:3000")
    assert status == 200
    assert headers["access-control-allow-origin"] == "http://localhost:3000"
    assert "access-control-allow-credentials" not in headers


async def test_without_a_key_nothing_is_served_through_a_reverse_proxy(site: SimulatedSite, tmp_path: Path) -> None:
    for number, key in enumerate((None, "the key")):
        sent = {"x-api-key": key} if key else {}
        async with running_proxy(site, tmp_path / str(number), key=key) as proxy:
            for path in (MODELS, "/admin/status"):
                for name in ("X-Forwarded-For", "Forwarded", "x-real-ip"):
                    status, body, _ = await get(proxy, path, **sent, **{name: "for=192.0.2.1"})
                    assert status == (200 if key else 403), body
                assert (await get(proxy, path, **sent))[0] == 200
            assert await through_nginx(proxy, "/admin/status", sent) == (200 if key else 403)
            assert await through_nginx(proxy, MODELS, sent) == 200


async def through_nginx(proxy: RunningProxy, path: str, headers: dict[str, str]) -> int:
    """The status of a request as nginx sends it unless told otherwise."""
    host, port = proxy.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    lines = [f"GET {path} HTTP/1.0", f"Host: {host}:{port}", "Connection: close", *map(": ".join, headers.items())]
    writer.write("\r\n".join([*lines, "", ""]).encode())
    answer = await reader.read()
    writer.close()
    return int(answer.split()[1])


async def test_browsers_may_ask_first_on_every_route(proxy: RunningProxy) -> None:
    for path in (MODELS, "/v1/chat/completions", "/chat/completions/", "/nothing"):
        headers = {
            "Origin": "http://localhost:3000",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,x-stainless-lang",
        }
        async with proxy.http.options(proxy.url + path, headers=headers) as response:
            assert response.status == 204
            assert response.headers["Access-Control-Allow-Headers"] == "authorization,x-stainless-lang"
            assert response.headers["Access-Control-Allow-Origin"] == "http://localhost:3000"


async def test_a_clients_own_request_id_is_kept_and_a_strange_one_replaced(proxy: RunningProxy) -> None:
    assert (await get(proxy, MODELS, **{"x-request-id": "mine-1"}))[2]["x-request-id"] == "mine-1"
    assert (await get(proxy, MODELS, **{"x-request-id": "no good"}))[2]["x-request-id"].startswith("req_")


async def test_models_are_listed_without_touching_the_site(proxy: RunningProxy, site: SimulatedSite) -> None:
    before = len(site.requests)
    listed = await proxy.openai.models.list()
    one = await proxy.openai.models.retrieve("vision-bot-视觉")

    assert len(site.requests) == before
    assert {model.id for model in listed.data} >= {"gpt-4o-mini-helper", "claude-sonnet-b", "vision-bot-视觉"}
    assert (one.id, one.object, one.owned_by) == ("vision-bot-视觉", "model", "openai")
    assert isinstance(one.created, int)


async def test_refused_credentials_make_the_proxy_unready_until_new_ones_come(
    proxy: RunningProxy, site: SimulatedSite, monkeypatch: pytest.MonkeyPatch
) -> None:

    monkeypatch.setattr(proxy_credentials, "RENEWAL_SECONDS", 0.1)
    site.behaviour.nonce_action = False
    site.rotate_nonce()
    await proxy.chat("hi")
    status, body, _ = await get(proxy, "/readyz")
    await proxy.takes(await capture(site), base=1)

    assert status == 503
    assert ("refuses" in str(body["reason"]), "'code': 'credentials_refused'" in str(body["sites"])) == (True, True)
    assert (await get(proxy, "/readyz"))[0] == 200


async def test_strangers_learn_of_a_failure_that_there_is_one_and_nothing_of_the_sites(
    site: SimulatedSite, tmp_path: Path
) -> None:
    async with running_proxy(site, tmp_path, key="my secret key", captured=False) as proxy:
        status, body, _ = await get(proxy, "/readyz")
        detailed = (await get(proxy, "/readyz", **{"x-api-key": "my secret key"}))[1]

    assert (status, body) == (503, {"status": "unavailable", "reason": "no site can answer now"})
    assert detailed["reason"] != body["reason"]
    assert "sites" in detailed


async def test_the_default_model_answers_for_unknown_names(site: SimulatedSite, tmp_path: Path) -> None:
    async with running_proxy(site, tmp_path, default_model="gpt-4o-mini-helper") as proxy:
        answer = await proxy.chat("hi", model="gpt-99")
        assert "x-fallback-model" not in (await proxy.chat("hi", model="GPT-4o-mini-helper")).headers
    assert answer.text.startswith("[gpt-4o-mini]")
    assert answer.body["model"] == answer.headers["x-fallback-model"] == "gpt-4o-mini-helper"


async def test_a_bot_behind_a_consent_box_is_refused(site: SimulatedSite, tmp_path: Path) -> None:
    async with running_proxy(site, tmp_path) as proxy:
        state = await proxy.store.site_state(site.origin)
        assert state is not None
        taken = await capture(site)
        bots = tuple(replace(bot, consent_required=True) for bot in taken.bots)
        await proxy.takes(replace(taken, bots=bots), base=state.current.generation)
        answer = await proxy.chat("hi")

    assert (answer.status, answer.code) == (403, "consent_required")
    assert f"`freeaichat harvest --headed --site {site.origin}`" in answer.body["error"]["message"]
    assert not site.model_calls


async def started(data_dir: Path, **settings: str) -> asyncio.subprocess.Process:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("FREEAICHAT_")}
    environment = {**clean, "FREEAICHAT_DATA_DIR": str(data_dir), "FREEAICHAT_ENV_FILE": "/nowhere", **settings}
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "proxy"), env=environment, stderr=asyncio.subprocess.PIPE
    )


async def printed_url(process: asyncio.subprocess.Process) -> str:
    """The address that it prints; development mode may print warnings before."""
    return (await lines_until(process, "listening on "))[-1].rpartition("listening on ")[2].strip()


async def lines_until(process: asyncio.subprocess.Process, text: str) -> list[str]:
    """Log lines up to the first one with *text*."""
    assert process.stderr is not None
    lines = [""]
    while text not in lines[-1]:
        lines.append((await process.stderr.readline()).decode())
        assert lines[-1], f"it ended without a word of {text!r}: {lines}"
    return lines


@pytest.mark.usefixtures("measured")
@pytest.mark.parametrize("host", ["", "::1"])
async def test_the_service_starts_says_where_and_ends_on_sigterm(tmp_path: Path, host: str) -> None:
    process = await started(tmp_path, FREEAICHAT_PORT="0", FREEAICHAT_HOST=host)
    url = await printed_url(process)
    async with aiohttp.ClientSession() as http, http.get(f"{url}/healthz") as response:
        assert response.status == 200
    process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), 10) == 0


@pytest.mark.parametrize("port", ["0", "fixed"])
async def test_both_loopbacks_are_served_with_the_same_rules(tmp_path: Path, free_port: int, port: str) -> None:
    process = await started(tmp_path, FREEAICHAT_PORT="0" if port == "0" else str(free_port))
    number = (await printed_url(process)).rpartition(":")[2]
    try:
        async with aiohttp.ClientSession() as http:
            for host in ("127.0.0.1", "[::1]"):
                for headers, status in (
                    ({}, 200),
                    ({"Host": f"localhost:{number}"}, 200),
                    ({"Host": f"host.docker.internal:{number}"}, 200),
                    ({"Host": "evil.example"}, 403),
                    ({"Origin": "https://evil.example"}, 403),
                    ({"X-Forwarded-For": "::1"}, 403),
                ):
                    async with http.get(f"http://{host}:{number}/v1/models", headers=headers) as response:
                        assert response.status == status, (host, headers)
    finally:
        process.kill()
        await process.wait()


async def test_an_address_that_is_named_is_the_only_one(tmp_path: Path) -> None:
    process = await started(tmp_path, FREEAICHAT_PORT="0", FREEAICHAT_HOST="127.0.0.1")
    number = int((await printed_url(process)).rpartition(":")[2])
    try:
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("::1", number)
    finally:
        process.kill()
        await process.wait()


async def test_a_port_that_is_taken_on_one_loopback_is_taken(tmp_path: Path, free_port: int) -> None:
    """What asked for localhost would reach the other program."""
    with socket.create_server(("::1", free_port), family=socket.AF_INET6):
        process = await started(tmp_path, FREEAICHAT_PORT=str(free_port))
        assert await asyncio.wait_for(process.wait(), 20) == EXIT_PORT_TAKEN


async def test_an_open_bind_makes_a_key_and_keeps_it_out_of_the_log(tmp_path: Path) -> None:
    process = await started(tmp_path, FREEAICHAT_PORT="0", FREEAICHAT_HOST="0.0.0.0")
    lines = await lines_until(process, "listening on ")
    process.send_signal(signal.SIGTERM)
    await process.communicate()

    key = (tmp_path / "master.key").read_text().strip()
    assert (tmp_path / "master.key").stat().st_mode & 0o777 == 0o600
    assert len(key) > 30
    assert not any(key in line for line in lines)
    assert any(str(tmp_path) in line for line in lines)


@pytest.mark.parametrize(
    ("settings", "body"),
    [
        ({"FREEAICHAT_PORT": "banana"}, "FREEAICHAT_PORT"),
        ({"FREEAICHAT_SITES": "ftp://x"}, "FREEAICHAT_SITES"),
        ({"FREEAICHAT_STORE": "mysql://x"}, "FREEAICHAT_STORE"),
    ],
)
async def test_settings_that_make_no_sense_are_named(tmp_path: Path, settings: dict[str, str], body: str) -> None:
    process = await started(tmp_path, **settings)
    _, stderr = await asyncio.wait_for(process.communicate(), 20)

    assert process.returncode == 2
    assert body in stderr.decode()
    assert "Traceback" not in stderr.decode()


async def test_a_store_that_is_away_at_the_start_is_no_reason_to_give_up(tmp_path: Path) -> None:
    tmp_path.joinpath("freeaichat.db").mkdir()
    process = await started(tmp_path)
    _, stderr = await asyncio.wait_for(process.communicate(), 20)

    assert process.returncode == 1  # which a supervisor starts again
    assert "is not a regular file" in stderr.decode()


async def test_conversations_that_nobody_used_for_long_are_dropped(site: SimulatedSite, tmp_path: Path) -> None:
    now = time()
    async with running_proxy(site, tmp_path) as proxy:
        for name, used_at in (("conv_old", now - 40 * 86400), ("conv_new", now - 20 * 86400)):
            old = Conversation(id=name, created_at=used_at, updated_at=used_at)
            await proxy.store.create_conversation(old)
    async with running_proxy(site, tmp_path, retention=30 * 86400.0) as proxy:
        async with asyncio.timeout(5):
            while await proxy.store.conversation("conv_old") is not None:
                await asyncio.sleep(0.02)

        assert await proxy.store.conversation("conv_new") is not None
