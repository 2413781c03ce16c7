"""Run the scripts of all libraries as processes, against one proxy and one simulated site."""

import asyncio
import json
import os
import re
from asyncio.subprocess import PIPE
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

from tests.clients.agents.scripts import SCRIPTS
from tests.clients.installed import CLIENTS, NODE_DIRECTORY, OLDER_CLIENTS, Environment, node_home
from tests.clients.running import environment
from tests.proxy.running import running_proxy
from tests.site import SimulatedSite

KEY, MODEL, BOT = "the-key-that-fits", "gpt-4o-mini", 5
LIBRARY_SECONDS = 240.0
AT_ONCE = os.cpu_count() or 2
HERE = Path(__file__).parent
# As the scripts write them: `@scenario("script")` before a function, or `scenario("script", "name", ...)`.
_IN_PYTHON = re.compile(r'^@scenario\("(\w+)"\)\nasync def (\w+)', re.MULTILINE)
_IN_JAVASCRIPT = re.compile(r'^scenario\("(\w+)", "(\w+)"', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Library:
    """A library, named by the file of its script."""

    script: str
    environment: Environment = CLIENTS

    @property
    def command(self) -> tuple[str | Path, ...]:
        """The command that starts the script."""
        if self.script.endswith(".mjs"):
            return (node_home() / "bin" / "node", NODE_DIRECTORY / self.script)
        return (self.environment.python, "-m", f"tests.clients.agents.{self.script.removesuffix('.py')}")

    def scenarios(self) -> dict[str, str]:
        """The model's script for each scenario, by name, read from the file."""
        is_node = self.script.endswith(".mjs")
        text = ((NODE_DIRECTORY if is_node else HERE) / self.script).read_text("utf-8")
        return {name: script for script, name in (_IN_JAVASCRIPT if is_node else _IN_PYTHON).findall(text)}


LIBRARIES = (  # the slowest come first
    Library("langchain_agents.py"),
    Library("llama_index_agents.py", OLDER_CLIENTS),
    Library("smolagents_tools.py"),
    Library("openai_agents_sdk.py"),
    Library("pydantic_agents.py"),
    Library("instructor_objects.py", OLDER_CLIENTS),
    Library("openai_chat.py"),
    Library("openai_responses.py"),
    Library("anthropic_messages.py"),
    Library("litellm_messages.py"),
    Library("openai_tools.mjs"),
    Library("ai_sdk_tools.mjs"),
    Library("anthropic_tools.mjs"),
)


@dataclass
class Outcome:
    """A script's results by scenario, and its other output, errors included."""

    results: dict[str, dict[str, Any]] = field(default_factory=dict)
    output: str = ""
    seconds: float = 0.0


async def run_all(libraries: tuple[Library, ...], directory: Path) -> dict[Library, Outcome]:
    """Run *libraries*, a few at once, each in a directory of its own below *directory*; return their outcomes."""
    semaphore = asyncio.Semaphore(AT_ONCE)
    async with (
        SimulatedSite() as site,
        running_proxy(site, directory / "data", key=KEY, models={MODEL: BOT}) as proxy,
    ):
        site.behaviour.update({"scripts": SCRIPTS})
        plan = json.dumps({"base_url": f"{proxy.url}/v1", "key": KEY, "model": MODEL})

        async def one(library: Library) -> Outcome:
            workdir = directory / library.script
            workdir.mkdir()
            async with semaphore:
                return await run(library, workdir, plan)

        outcomes = await asyncio.gather(*map(one, libraries))
    return dict(zip(libraries, outcomes, strict=True))


async def run(library: Library, directory: Path, plan: str) -> Outcome:
    """Run the script of *library* from its first to its last line."""
    start = monotonic()
    process = await asyncio.create_subprocess_exec(
        *library.command, stdin=PIPE, stdout=PIPE, stderr=PIPE, cwd=directory, env=environment(directory)
    )
    outcome = Outcome()
    try:
        async with asyncio.timeout(LIBRARY_SECONDS):
            output, errors = await process.communicate(f"{plan}\n".encode())
    except TimeoutError:
        outcome.output = f"not done after {LIBRARY_SECONDS} s\n"
    else:
        outcome.output = errors.decode()
        for line in output.decode().splitlines():
            if line.startswith('{"scenario"'):
                scenario = json.loads(line)
                outcome.results[scenario.pop("scenario")] = scenario
            else:
                outcome.output += f"{line}\n"
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
    outcome.seconds = monotonic() - start
    return outcome
