"""Run one client's script as a process, with a simulated site and a proxy of its own."""

import asyncio
import json
import os
import re
from asyncio.subprocess import PIPE, Process
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

from tests.cli.processes import ended
from tests.clients.installed import CLIENTS, NODE_DIRECTORY, ROOT, node_home
from tests.proxy.running import running_proxy
from tests.site import SimulatedSite

KEY, WRONG_KEY = "the-key-that-fits", "another-key"
MODEL, UNKNOWN_MODEL = "gpt-4o-mini", "gpt-99"  # the README's model, and none
BASE_URL = "http://127.0.0.1:8080/v1"  # in the README

STREAMED = '你好，世界！\n```python\nif a < b && c > d:\n    print("naïve 😀")\n```'
NOTED = "Noted: `x < y` & 你好"
DIALOGUE = (f"My name is Ada, 我叫小明. [[say:{NOTED}]]", "My number is 42. [[say:So it is.]]", "Who am I? [[recall]]")
NEXT = "still here"

CLIENT_SECONDS = 240.0
DROP_SECONDS = 5.0
AT_ONCE = os.cpu_count() or 2


@dataclass(frozen=True, slots=True)
class Client:
    """A client by its row in the README's table, its script, and its own errors for the two refusals."""

    row: str
    script: str
    unknown_model: str
    wrong_key: str
    tells_code: bool = True  # some leave the code of an error out

    @property
    def command(self) -> tuple[str | Path, ...]:
        """The command that starts the script."""
        if self.script.endswith(".mjs"):
            return (node_home() / "bin" / "node", NODE_DIRECTORY / self.script)
        return (CLIENTS.python, "-m", f"tests.clients.scripts.{self.script.removesuffix('.py')}")


@dataclass
class Outcome:
    """A script's results by scenario, and what the site saw."""

    results: dict[str, dict[str, Any]] = field(default_factory=dict)
    output: str = ""  # what else it printed, errors included
    left_open: int = -1  # streams at the site a while after the client had left one
    drop_seconds: float = 0.0
    seconds: float = 0.0

    def of(self, scenario: str) -> dict[str, Any]:
        """The result of *scenario*, which must be there."""
        assert scenario in self.results, self.output
        return self.results[scenario]


def table(readme: str) -> dict[str, list[str]]:
    """The commands that *readme* gives for each client: the code in its row."""
    text = (ROOT / readme).read_text("utf-8").partition("<!-- clients -->\n")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| (.+?) \| (.+) \|$", text, re.MULTILINE)
    return {name: re.findall(r"`([^`]+)`", typed) for name, typed in rows[1:]}


async def run_all(clients: tuple[Client, ...], directory: Path) -> dict[Client, Outcome]:
    """Run *clients*, a few at once, each in a directory of its own below *directory*; return their outcomes."""
    semaphore = asyncio.Semaphore(AT_ONCE)

    async def one(number: int, client: Client) -> Outcome:
        workdir = directory / str(number)
        workdir.mkdir()
        async with semaphore:
            return await run(client, workdir)

    outcomes = await asyncio.gather(*(one(number, client) for number, client in enumerate(clients)))
    return dict(zip(clients, outcomes, strict=True))


async def run(client: Client, directory: Path) -> Outcome:
    """Run the script of *client* from its first to its last line."""
    outcome = Outcome()
    errors = directory / "errors"
    start = monotonic()
    async with (
        SimulatedSite() as site,
        running_proxy(site, directory / "data", key=KEY, models={MODEL: 5}) as proxy,
    ):
        with errors.open("wb") as stderr:
            process = await asyncio.create_subprocess_exec(
                *client.command, stdin=PIPE, stdout=PIPE, stderr=stderr, cwd=directory, env=environment(directory)
            )
        try:
            async with asyncio.timeout(CLIENT_SECONDS):
                _write(process, json.dumps(_plan(client, proxy.url)))
                await _listen(process, site, outcome)
        except TimeoutError:
            outcome.output += f"not done after {CLIENT_SECONDS} s\n"
        finally:
            if process.returncode is None:
                process.kill()
            await ended(process)
    outcome.seconds = monotonic() - start
    outcome.output += errors.read_text()
    return outcome


async def _listen(process: Process, site: SimulatedSite, outcome: Outcome) -> None:
    assert process.stdout is not None
    async for line in process.stdout:
        if not line.startswith(b'{"scenario"'):
            outcome.output += line.decode()
            continue
        body = json.loads(line)
        scenario = body.pop("scenario")
        outcome.results[scenario] = body
        if scenario == "left":
            start = monotonic()
            while site.open_streams and monotonic() - start < DROP_SECONDS:
                await asyncio.sleep(0.01)
            outcome.left_open, outcome.drop_seconds = site.open_streams, monotonic() - start
            _write(process, "")
    await process.wait()


def _plan(client: Client, url: str) -> dict[str, Any]:
    return {
        "setup": [cell.replace(BASE_URL, f"{url}/v1") for cell in table("README.md")[client.row]],
        "key": KEY,
        "wrong_key": WRONG_KEY,
        "model": MODEL,
        "unknown_model": UNKNOWN_MODEL,
        "streamed": f"[[delay:0.05]] [[say:{STREAMED}]]",
        "dialogue": DIALOGUE,
        "long": "[[delay:0.2]] [[tokens:500]]",
        "next": f"[[say:{NEXT}]]",
    }


def environment(home: Path) -> dict[str, str]:
    """An environment without the machine's settings. LiteLLM fetches its prices from afar unless told not to."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    python = {"PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"}
    return {**kept, **python, "HOME": str(home), "LITELLM_LOCAL_MODEL_COST_MAP": "True"}


def _write(process: Process, line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(f"{line}\n".encode())
