"""The command `llm`, which keeps its dialogues in a log of its own."""

import asyncio
import os
import shlex
import signal
import sys
from asyncio.subprocess import PIPE, Process
from codecs import getincrementaldecoder
from collections.abc import AsyncGenerator
from contextlib import suppress
from functools import cache
from pathlib import Path
from subprocess import run
from tempfile import mkdtemp

from tests.clients.scripts.scenarios import perform

LLM = (sys.executable, "-m", "llm")


def arguments(typed: str) -> list[str]:
    """Arguments of the *typed* command."""
    return shlex.split(typed)[1:]


class LlmFailed(RuntimeError):
    """The command failed; the text is its output."""


@cache
def set_up(file: str, model: str, where: str, key: str) -> str:
    """Create a directory for these settings; each command takes most of a second."""
    directory = mkdtemp(dir=Path.cwd())
    environment = {**os.environ, "LLM_USER_PATH": directory}
    log = run((*LLM, *arguments(where)), env=environment, check=True, stdout=PIPE, text=True).stdout
    Path(log.strip()).with_name(file).write_text(model)
    run((*LLM, *arguments(key)), env=environment, check=True)
    return directory


class Chat:
    """The newest dialogue in the log of its directory."""

    def __init__(self, typed: list[str], _model: str) -> None:
        *settings, prompt = typed
        self._environment = {**os.environ, "LLM_USER_PATH": set_up(*settings)}
        self._options = arguments(prompt)[:-1]

    async def stream(self, text: str) -> AsyncGenerator[str, None]:
        process = await asyncio.create_subprocess_exec(
            *(*LLM, *self._options, text),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=PIPE,
            stderr=PIPE,
            env=self._environment,
        )
        try:
            async for piece in _pieces(process):
                yield piece
        finally:
            while process.returncode is None:  # it may come where Python can only print and forget it
                process.send_signal(signal.SIGINT)  # what Ctrl-C does
                with suppress(TimeoutError):
                    await asyncio.wait_for(process.wait(), 5)
        self._options = ["--continue"]

    async def ask(self, text: str) -> str:
        return "".join([piece async for piece in self.stream(text)]).removesuffix("\n")


async def _pieces(process: Process) -> AsyncGenerator[str, None]:
    assert process.stdout is not None
    assert process.stderr is not None
    decoder = getincrementaldecoder("utf-8")()
    while data := await process.stdout.read(4096):
        yield decoder.decode(data)
    text = (await process.stderr.read()).decode()
    if await process.wait() != 0:
        raise LlmFailed(text)


perform(Chat)
