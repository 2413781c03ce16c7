"""No key, cookie, nonce or session id is shown: not in logs, answers or process titles, nor to other users here."""

import asyncio
import json
import os
import stat
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

import aiohttp
import psutil
import pytest

from shared.store import open_store
from tests.cli import forked
from tests.figures import figure
from tests.proxy.serving import environment
from tests.security.hostile_site import EVENTS_HEAD, OPENING, STEP_1, STEP_2, hostile_site, json_answer, sends
from tests.security.watched import watched_proxy
from tests.site.process import RunningSite, running_site

KEY, WRONG_KEY = "the-key-of-this-house-4711", "a-key-that-somebody-guessed-0815"
COOKIES = ("kXcookiezEins=Q2hhbmdlIG1lIQ|1,2$3%20; Path=/", "kXcookiezZwei=geheimnis=77==; Path=/; HttpOnly")
VALUES = ("Q2hhbmdlIG1lIQ|1,2$3%20", "geheimnis=77==")
READY_SECONDS = 40.0
MODEL = "gpt-4o-mini-helper"


@dataclass
class Observed:
    """Everything that could be seen from outside."""

    texts: dict[str, str] = field(default_factory=dict)
    titles: set[str] = field(default_factory=set)

    def add(self, where: str, text: str) -> None:
        """Keep what was shown there."""
        self.texts[where] = self.texts.get(where, "") + text

    def places_with(self, secrets: Sequence[str]) -> list[str]:
        """Where any of *secrets* was shown."""
        assert all(len(secret) > 8 for secret in secrets)
        found = [f"{secret} in {where}" for where, text in self.texts.items() for secret in secrets if secret in text]
        return found + [f"{secret} in {title}" for title in self.titles for secret in secrets if secret in title]


@asynccontextmanager
async def titles_watched(seen: Observed, pids: Sequence[int]) -> AsyncIterator[None]:
    """Note the command lines and names of all processes below *pids*, again and again."""

    async def watch() -> None:
        while True:
            for pid in pids:
                with suppress(psutil.Error):
                    parent = psutil.Process(pid)
                    for process in (parent, *parent.children(recursive=True)):
                        with suppress(psutil.Error):
                            seen.titles.add(" ".join([process.name(), *process.cmdline()]))
            await asyncio.sleep(0.02)

    task = asyncio.create_task(watch())
    try:
        yield
    finally:
        task.cancel()


@dataclass
class Product:
    """Both services, and what their clients were answered."""

    url: str
    environment: dict[str, str]
    seen: Observed
    http: aiohttp.ClientSession

    async def ask(self, path: str, *, body: Any = None, **headers: str) -> int:
        """One request; returns the status."""
        method = "GET" if body is None else "POST"
        async with self.http.request(method, self.url + path, json=body, headers=headers) as response:
            answer = await response.text()
            self.seen.add(f"answer of {path}", f"{response.headers} {answer}")
            return response.status

    async def chat(self, text: str, **fields: Any) -> int:
        """One turn; returns the status."""
        body = {"model": MODEL, "messages": [{"role": "user", "content": text}], **fields}
        return await self.ask("/v1/chat/completions", body=body, Authorization=f"Bearer {KEY}")

    async def command(self, *arguments: str) -> None:
        """Run `freeaichat` and keep what it printed."""
        ended = await asyncio.to_thread(forked.run, *arguments, environment=self.environment)
        assert ended.stdout or ended.stderr, arguments
        self.seen.add(f"freeaichat {' '.join(arguments)}", ended.stdout + ended.stderr)


@asynccontextmanager
async def product(
    site: RunningSite, tmp_path: Path, port: int, seen: Observed, **settings: str
) -> AsyncIterator[Product]:
    """`python -m harvester` and `python -m proxy` with everything in *tmp_path*; what they print is kept."""
    (tmp_path / "temporary").mkdir()
    variables = environment(
        tmp_path / "data",
        FREEAICHAT_SITES=site.url,
        FREEAICHAT_PORT=str(port),
        FREEAICHAT_API_KEY=KEY,
        FREEAICHAT_LOG_LEVEL="debug",
        TMPDIR=str(tmp_path / "temporary"),
        **settings,
    )
    logs = {name: tmp_path / f"{name}.log" for name in ("harvester", "proxy")}
    processes = []
    try:
        for name, log in logs.items():
            with log.open("wb") as output:
                processes.append(
                    await asyncio.create_subprocess_exec(
                        *(sys.executable, "-m", name), env=variables, stdout=output, stderr=output
                    )
                )
        pids = [process.pid for process in processes]
        async with titles_watched(seen, pids), aiohttp.ClientSession() as http:
            yield Product(f"http://127.0.0.1:{port}", variables, seen, http)
    finally:
        for process in processes:
            process.terminate()
        await asyncio.gather(*(asyncio.wait_for(process.wait(), 30) for process in processes))
        for name, log in logs.items():
            seen.add(f"log of the {name}", log.read_text())


async def ready(running: Product) -> None:
    """Wait until turns can be answered."""
    deadline = monotonic() + READY_SECONDS
    while monotonic() < deadline:
        with suppress(aiohttp.ClientError):
            if await running.ask("/readyz", Authorization=f"Bearer {KEY}") == 200:
                return
        await asyncio.sleep(0.1)
    raise AssertionError("not ready in time")


async def exercise(running: Product, site: RunningSite, commands: Sequence[Sequence[str]]) -> None:
    """Make good turns, refused nonces, failures of every kind and requests with wrong keys, and run *commands*."""
    assert await running.chat("hi") == 200
    assert await running.chat("hi", stream=True) == 200
    await site.control(rotate_nonce=True)
    assert await running.chat("a refused nonce") == 200
    for mode in ("err500", "reset", "cut", "late_error", "error_event"):
        await running.chat(f"[[mode:{mode}]]")
        await running.chat(f"[[mode:{mode}]]", stream=True)
    for status in (500, 429):
        await site.control(ajax_status=status, ajax_status_times=2)
        await running.chat("an outage")
    await site.control(ajax_status=0)
    for path in ("/v1/models", "/v1/chat/completions", "/readyz", "/metrics", "/", "/v1/nothing", "/openapi.json"):
        await running.ask(path)
        await running.ask(path, Authorization=f"Bearer {WRONG_KEY}")
        await running.ask(path, **{"x-api-key": WRONG_KEY})
        await running.ask(f"{path}?api_key={WRONG_KEY}")
        await running.ask(path, Authorization=f"Bearer {KEY}")
    assert await running.ask("/v1/models", Authorization=f"Bearer {WRONG_KEY}") in {401, 429}  # after so many of them
    for command in commands:
        await running.command(*command)


COMMANDS = {  # what they print is the same in each form of the log
    "console": [["status"], ["doctor"], ["models"]],
    "json": [["status", "--json"], ["doctor", "--json"], ["harvest", "--json"]],
}


@pytest.mark.parametrize("log_format", COMMANDS)
async def test_no_secret_is_shown_anywhere(tmp_path: Path, free_port: int, log_format: str) -> None:
    seen = Observed()
    async with running_site() as site:
        await site.control(page_cookies=list(COOKIES), cookie_bound_nonce=False)
        nonces = {str((await site.state())["nonce"])}
        async with product(site, tmp_path, free_port, seen, FREEAICHAT_LOG_FORMAT=log_format) as running:
            await ready(running)
            await exercise(running, site, COMMANDS[log_format])
            others_see = exposed(tmp_path / "data")
            nonces.add(str((await site.state())["nonce"]))
            async with open_store(f"sqlite:///{tmp_path / 'data' / 'freeaichat.db'}") as store:
                state = await store.site_state(site.origin)
    assert state is not None
    assert all(value in state.current.cookie for value in VALUES)
    secrets = [KEY, WRONG_KEY, *VALUES, *nonces, state.current.session_id]

    assert seen.places_with(secrets) == []
    assert others_see == []
    assert "visit" in seen.texts["log of the harvester"]
    assert "POST /v1/chat/completions" in seen.texts["log of the proxy"]
    assert any("harvester.visit" in title for title in seen.titles)
    assert any("--headless" in title for title in seen.titles)
    figure("looked through for secrets", f"{sum(map(len, seen.texts.values())) // 1024} kB, {len(seen.titles)} titles")


async def test_a_site_that_repeats_what_it_was_sent_tells_clients_and_logs_nothing(
    tmp_path: Path, free_port: int
) -> None:
    async with hostile_site() as site, watched_proxy(site, tmp_path / "data", free_port) as proxy:
        async with open_store(f"sqlite:///{tmp_path / 'data' / 'freeaichat.db'}") as store:
            state = await store.site_state(site.origin)
        assert state is not None
        message = f"refused: nonce {state.current.nonce} of guest {state.current.session_id}"
        event = b"event: error\ndata: " + json.dumps({"error": message}).encode() + b"\n\n"
        output = ""
        for action, act in (
            (STEP_2, sends(EVENTS_HEAD + b"\r\n" + event)),
            (STEP_2, sends(EVENTS_HEAD + b"\r\n" + OPENING + event)),
            (STEP_1, sends(json_answer({"success": False, "data": {"message": message, "code": message}}))),
        ):
            site.acts[action] = act
            for stream in (False, True):
                body = {"model": MODEL, "stream": stream, "messages": [{"role": "user", "content": "hi"}]}
                async with (
                    aiohttp.ClientSession() as http,
                    http.post(f"{proxy.url}/v1/chat/completions", json=body) as response,
                ):
                    output += await response.text()
            site.behave()
        output += proxy.log

    assert output.count("refused: nonce *** of guest ***") >= 6
    assert state.current.nonce not in output
    assert state.current.session_id not in output


async def test_a_key_made_for_an_open_bind_is_kept_from_other_users(tmp_path: Path, free_port: int) -> None:
    old_mask = os.umask(0)  # nothing depends on a careful umask
    try:
        async with (
            hostile_site() as site,
            watched_proxy(site, tmp_path / "data", free_port, FREEAICHAT_HOST="0.0.0.0") as proxy,
        ):
            key = (tmp_path / "data" / "master.key").read_text().strip()
            assert exposed(tmp_path / "data") == []
            assert key not in proxy.log
            assert key not in " ".join(psutil.Process(proxy.process.pid).cmdline())
    finally:
        os.umask(old_mask)


def exposed(*places: Path) -> list[str]:
    """Which of *places*, and of what is in them, others could read or write."""
    found = []
    for root in places:
        for path in (root, *root.rglob("*")):
            with suppress(FileNotFoundError):  # gone meanwhile
                mode = stat.S_IMODE(path.lstat().st_mode)
                if mode & 0o077 and not path.is_symlink():
                    found.append(f"{path} {mode:o}")
    return sorted(found)
