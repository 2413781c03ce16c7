"""Several workers on one port, as real processes: how they share, what holds across them, and how they end."""

import asyncio
import os
import re
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from time import monotonic, time

import aiohttp
import psutil
import pytest

from proxy.server.listening import open_sockets
from shared.admin import key_admin
from shared.admin.keys import parse_new_key
from shared.processes import ports
from shared.settings import load
from shared.store import open_store
from tests.end_to_end.running_up import still_running
from tests.figures import figure
from tests.proxy.serving import ask, environment, log_of, serving, starts
from tests.site import SimulatedSite

TWO = {"FREEAICHAT_WORKERS": "2"}
CONNECTIONS = 600  # so many that chance alone keeps both between 40 and 60 % (by five standard deviations)
SUPERVISOR_BYTES = 15_000_000
WORKER_BYTES = 60_000_000
REVOKED_SECONDS = 1.0


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """Each request over a connection of its own, so that it may come to any worker."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, force_close=True)) as session:
        yield session


def workers(process: asyncio.subprocess.Process) -> list[psutil.Process]:
    return [each for each in psutil.Process(process.pid).children() if each.status() != psutil.STATUS_ZOMBIE]


def is_connected(worker: psutil.Process, port: int) -> bool:
    """Whether it has a client at *port*."""
    return any(
        each.laddr.port == port and each.status == psutil.CONN_ESTABLISHED for each in worker.net_connections("tcp")
    )


def by_worker(data_dir: Path, text: str) -> Counter[str]:
    """How many lines with *text* each worker has logged."""
    return Counter(re.findall(rf"(proxy \d+) .*{text}", log_of(data_dir).read_text()))


async def turn(http: aiohttp.ClientSession, url: str, conversation: str, text: str) -> str:
    messages = [{"role": "user", "content": text}]
    body = {"model": "gpt-4o-mini-helper", "conversation_id": conversation, "messages": messages}
    async with http.post(f"{url}/chat/completions", json=body) as response:
        answer = await response.json()
        assert response.status == 200, answer
        return str(answer["choices"][0]["message"]["content"])


async def exit_code(data_dir: Path, **settings: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "proxy"), env=environment(data_dir, **settings), stderr=asyncio.subprocess.PIPE
    )
    _, errors = await asyncio.wait_for(process.communicate(), 20)
    return process.returncode, errors.decode()


@pytest.mark.usefixtures("as_users_run_it")
async def test_two_workers_share_the_connections_evenly_and_one_supervisor_costs_little(
    site: SimulatedSite, tmp_path: Path, free_port: int, http: aiohttp.ClientSession
) -> None:
    async with serving(site, tmp_path, free_port, **TWO) as process:
        idle = [each.memory_full_info().pss for each in workers(process)]
        supervisor = psutil.Process(process.pid).memory_full_info().pss
        served: Counter[int] = Counter()
        connections = []
        for _ in range(CONNECTIONS):
            connections.append(await asyncio.open_connection("127.0.0.1", free_port))
        for _, writer in connections:
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        for reader, _ in connections:
            assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
        for each in workers(process):
            served[each.pid] = sum(kind.status == psutil.CONN_ESTABLISHED for kind in each.net_connections("tcp"))
        for _, writer in connections:
            writer.close()
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 10) == 0

    shares = [count / sum(served.values()) for count in served.values()]
    figure("connections to one of two workers", f"{shares[0]:.0%}")
    figure("memory of an idle worker (PSS)", f"{max(idle) / 1e6:.0f} MB, its supervisor {supervisor / 1e6:.0f} MB")
    assert len(shares) == 2
    assert all(0.4 <= share <= 0.6 for share in shares), shares
    assert max(idle) < WORKER_BYTES
    assert supervisor < SUPERVISOR_BYTES


@pytest.mark.usefixtures("measured")
async def test_conversations_and_the_limits_of_keys_hold_across_workers(
    site: SimulatedSite, tmp_path: Path, free_port: int, http: aiohttp.ClientSession
) -> None:
    url = f"http://127.0.0.1:{free_port}/v1"
    async with serving(site, tmp_path, free_port, **TWO, FREEAICHAT_API_KEY="sk-master"):
        async with open_store(f"sqlite:///{tmp_path / 'freeaichat.db'}") as store:
            app_key, key = await key_admin.create(store, parse_new_key("app", rpm=30), now=time())
        http.headers["Authorization"] = "Bearer sk-master"
        async with http.post(f"{url}/conversations") as response:
            conversation = (await response.json())["id"]
        recalled = [await turn(http, url, conversation, text) for text in ["my name is Ada", *["[[recall]]"] * 9]]

        http.headers["Authorization"] = f"Bearer {app_key}"
        async with asyncio.timeout(5):
            known = 0
            while known < 20:  # in a row, so that both workers know the key
                async with http.get(f"{url}/models") as response:
                    known = known + 1 if response.status == 200 else 0
        statuses = Counter([(await ask(http, free_port, "hi", stream=False))[0] for _ in range(40)])

        async with open_store(f"sqlite:///{tmp_path / 'freeaichat.db'}") as store:
            assert await store.revoke_key(key.id, at=time())
        revoked_at, refused = monotonic(), 0
        last = revoked_at
        while refused < 20:
            async with http.get(f"{url}/models") as response:
                refused = refused + 1 if response.status == 401 else 0
                last = last if refused else monotonic()

    assert all("my name is Ada" in each for each in recalled[1:])
    assert statuses == {200: 30, 429: 10}
    assert last - revoked_at < REVOKED_SECONDS
    assert set(by_worker(tmp_path, "listening on")) == {"proxy 1", "proxy 2"}


async def test_a_killed_worker_is_back_while_the_other_serves(
    site: SimulatedSite, tmp_path: Path, free_port: int, http: aiohttp.ClientSession
) -> None:
    async with serving(site, tmp_path, free_port, **TWO) as process:
        victim, other = workers(process)
        held = asyncio.create_task(ask(http, free_port, "[[tokens:40]] [[delay:0.05]]"))
        async with asyncio.timeout(20):
            while not site.open_streams:
                await asyncio.sleep(0.02)
        serving_it = next(each for each in (victim, other) if is_connected(each, free_port))
        idle = other if serving_it == victim else victim
        os.kill(idle.pid, signal.SIGKILL)
        async with asyncio.timeout(20):
            while starts(tmp_path) < 3:
                await asyncio.sleep(0.05)
        status, text = await held
        statuses = {(await ask(http, free_port, "hi", stream=False))[0] for _ in range(10)}
        process.send_signal(signal.SIGTERM)

        assert await asyncio.wait_for(process.wait(), 10) == 0
    assert (status, text.endswith("data: [DONE]\n\n")) == (200, True)
    assert statuses == {200}
    assert "starting it again" in log_of(tmp_path).read_text()
    assert "Traceback" not in log_of(tmp_path).read_text()


async def test_streams_of_all_workers_end_whole_after_sigterm(
    site: SimulatedSite, tmp_path: Path, free_port: int, http: aiohttp.ClientSession
) -> None:
    async with serving(site, tmp_path, free_port, **TWO, FREEAICHAT_MAX_UPSTREAM="12") as process:
        turns = [asyncio.create_task(ask(http, free_port, "[[tokens:30]] [[delay:0.05]]")) for _ in range(12)]
        async with asyncio.timeout(20):
            while site.open_streams < 12:
                await asyncio.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        answers = await asyncio.gather(*turns)
        assert await asyncio.wait_for(process.wait(), 10) == 0

    assert all(status == 200 and text.endswith("data: [DONE]\n\n") for status, text in answers)


@pytest.mark.usefixtures("measured")
async def test_a_port_that_is_taken_or_a_store_that_cannot_be_used_ends_them_all(
    site: SimulatedSite, tmp_path: Path, free_port: int
) -> None:
    listener = await asyncio.start_server(lambda *_: None, "127.0.0.1", free_port)
    async with listener:
        code, errors = await exit_code(tmp_path, **TWO, FREEAICHAT_PORT=str(free_port))
    assert code == 4, errors
    code, errors = await exit_code(tmp_path, **TWO, FREEAICHAT_STORE="mysql://x", FREEAICHAT_PORT=str(free_port))
    assert (code, "mysql://" in errors) == (2, True)
    code, errors = await exit_code(tmp_path, FREEAICHAT_WORKERS="0")
    assert (code, "FREEAICHAT_WORKERS" in errors) == (2, True)


async def test_a_proxy_whose_address_is_not_there_yet_may_be_started_again(tmp_path: Path, free_port: int) -> None:
    for host in ("192.0.2.1", "host.invalid"):
        code, errors = await exit_code(tmp_path, FREEAICHAT_HOST=host, FREEAICHAT_PORT=str(free_port))
        assert (code, f"cannot listen on {host} port {free_port}: " in errors) == (1, True), errors
    code, errors = await exit_code(tmp_path, **TWO, FREEAICHAT_HOST="host.invalid")
    assert (code, "cannot listen on host.invalid" in errors) == (1, True), errors


@pytest.mark.parametrize("second", ["1", "2"])
@pytest.mark.parametrize("first", ["1", "2"])
async def test_unrelated_proxies_share_no_port(
    site: SimulatedSite, tmp_path: Path, free_port: int, first: str, second: str
) -> None:
    settings = {"FREEAICHAT_PORT": str(free_port), "FREEAICHAT_WORKERS": second}
    async with serving(site, tmp_path, free_port, FREEAICHAT_WORKERS=first):
        for host in ("127.0.0.1", "0.0.0.0"):
            code, errors = await exit_code(tmp_path / "other", **settings, FREEAICHAT_HOST=host)
            assert code == 4, errors
            assert f"cannot listen on {host} port {free_port}: " in errors


async def test_a_port_is_held_for_workers_before_any_of_them_listens(tmp_path: Path, free_port: int) -> None:
    with ports.reserve(["127.0.0.1"], free_port):
        for workers in ("1", "2"):
            code, errors = await exit_code(tmp_path, FREEAICHAT_PORT=str(free_port), FREEAICHAT_WORKERS=workers)
            assert (code, "cannot listen" in errors) == (4, True), errors
        with closing(open_sockets(["127.0.0.1"], free_port, shares_port=True)[0]):
            pass


async def test_workers_on_any_free_port_agree_on_one(tmp_path: Path, site: SimulatedSite) -> None:
    async with serving(site, tmp_path, 0, **TWO):
        ports = set(re.findall(r"listening on http://127.0.0.1:(\d+)", log_of(tmp_path).read_text()))

    assert len(ports) == 1
    assert ports != {"0"}


async def test_one_worker_runs_in_the_started_process(site: SimulatedSite, tmp_path: Path, free_port: int) -> None:
    async with serving(site, tmp_path, free_port, FREEAICHAT_WORKERS="1") as process:
        assert psutil.Process(process.pid).children() == []
        assert by_worker(tmp_path, "listening") == Counter()


async def test_workers_end_when_their_supervisor_is_killed(site: SimulatedSite, tmp_path: Path, free_port: int) -> None:
    async with serving(site, tmp_path, free_port, **TWO) as process:
        both = workers(process)
        process.kill()
        assert await still_running(both, seconds=20) == []


def test_a_system_without_port_sharing_fails_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.settings.field_types.SHARES_PORTS", False)

    with pytest.raises(ValueError, match="shares no port") as exc_info:
        load(workers=2)
    assert "FREEAICHAT_WORKERS" in str(exc_info.value)
    assert load(workers=1).workers == 1
