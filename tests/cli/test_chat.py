"""`freeaichat chat` as a process, beside a running proxy."""

import asyncio
import json
import os
import pty
import signal
import sqlite3
import stat
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from shared.cli.chat import MAX_MESSAGE_BYTES
from tests.cli import forked
from tests.cli.processes import clean_environment
from tests.needs import FREEAICHAT
from tests.proxy.running import running_proxy
from tests.site import SimulatedSite

pytestmark = pytest.mark.usefixtures("measured")

COMMAND_SECONDS = 30.0


@pytest.fixture
async def environment(tmp_path: Path) -> AsyncIterator[dict[str, str]]:
    """The settings with which the running proxy is found."""
    async with SimulatedSite() as site, running_proxy(site, tmp_path / "data") as proxy:
        yield clean_environment(tmp_path / "data", site.url, urlsplit(proxy.url).port or 0)


def stored(tmp_path: Path) -> list[str]:
    """The ids of the stored conversations."""
    with closing(sqlite3.connect(next((tmp_path / "data").glob("*.db")))) as database:
        return [str(row[0]) for row in database.execute("SELECT id FROM conversations")]


async def chat(environment: dict[str, str], *args: str, stdin: str = "") -> tuple[int, str, str]:
    ended = await asyncio.to_thread(forked.run, "chat", *args, environment=environment, stdin=stdin)
    return ended.returncode, ended.stdout, ended.stderr


async def test_the_last_conversation_goes_on_and_is_kept_privately(environment: dict[str, str], tmp_path: Path) -> None:
    await chat(environment, "my name is Ada")
    code, output, errors = await chat(environment, "-c", "[[recall]]")
    _, new, _ = await chat(environment, "[[recall]]")

    assert code == 0, errors
    assert "Ada" in output
    assert "Ada" not in new
    assert stat.S_IMODE((tmp_path / "data" / "chat.last").stat().st_mode) == 0o600


async def test_an_answer_comes_also_where_its_conversation_cannot_be_remembered(
    environment: dict[str, str], tmp_path: Path
) -> None:
    last = tmp_path / "data" / "chat.last"
    last.mkdir()
    code, output, errors = await chat(environment, "my name is Ada")
    _, more, _ = await chat(environment, "--conversation", errors.split()[-1], "[[recall]]")
    last.rmdir()
    last.touch()  # as a full disk leaves it
    nothing_kept, _, _ = await chat(environment, "-c", "hi")

    assert (code, nothing_kept) == (0, 1)
    assert "my name is Ada" in output
    assert "Ada" in more
    assert errors.startswith(f"freeaichat: {tmp_path / 'data'} cannot be written (Is a directory); ")


async def test_json_names_the_conversation_which_goes_on_by_its_id(environment: dict[str, str]) -> None:
    _, first, _ = await chat(environment, "my name is Ada", "--json")
    turn = json.loads(first)
    await chat(environment, "another one")
    code, output, errors = await chat(environment, "--conversation", turn["conversation_id"], "[[recall]]")

    assert set(turn) == {"text", "model", "conversation_id", "usage", "finish_reason", "annotations", "remarks"}
    assert turn["finish_reason"] == "stop"
    assert turn["usage"]["total_tokens"] > 0
    assert code == 0, errors
    assert "Ada" in output


@pytest.mark.parametrize("args", [(), ("-",)])
async def test_the_message_may_come_through_a_pipe(environment: dict[str, str], args: tuple[str, ...]) -> None:
    code, output, errors = await chat(environment, *args, stdin="Hello 世界\n")

    assert code == 0, errors
    assert "Hello 世界" in output
    assert "\x1b" not in output + errors
    assert errors == ""


async def test_a_piped_message_that_is_too_long_is_refused_and_not_cut(environment: dict[str, str]) -> None:
    code, output, errors = await chat(environment, stdin="x" * (MAX_MESSAGE_BYTES + 1))

    assert (code, output) == (1, "")
    assert errors == "freeaichat: the message is longer than 8 MiB; say less at once\n"


async def test_an_empty_message_and_a_missing_conversation_are_errors(environment: dict[str, str]) -> None:
    silent = await chat(environment)
    without = await chat(environment, "-c", "hi")

    assert (silent[0], without[0]) == (1, 1)
    assert "nothing to say" in silent[2]
    assert "no conversation" in without[2]


async def test_an_error_with_json_is_one_json_document(environment: dict[str, str]) -> None:
    code, output, errors = await chat(environment, "hi", "-m", "no-such-model", "--json")

    assert code == 1
    assert "no-such-model" in json.loads(output)["error"]["message"]
    assert "freeaichat models" in errors


async def test_a_refused_turn_leaves_no_conversation_and_not_another_last_one(
    environment: dict[str, str], tmp_path: Path
) -> None:
    await chat(environment, "my name is Ada")
    kept = (tmp_path / "data" / "chat.last").read_text()
    before = stored(tmp_path)
    refused, _, _ = await chat(environment, "hi", "-m", "no-such-model")
    _, output, _ = await chat(environment, "-c", "[[recall]]")

    assert refused == 1
    assert before == [kept.strip()]
    assert stored(tmp_path) == before
    assert "Ada" in output


async def test_the_text_of_an_answer_that_broke_off_stands_beside_the_error_in_json(
    environment: dict[str, str],
) -> None:
    code, output, _ = await chat(environment, "[[mode:cut]] hi", "--json")
    turn = json.loads(output)

    assert code == 1
    assert turn["text"]
    assert turn["conversation_id"]
    assert turn["error"]["message"]


@pytest.mark.usefixtures("as_from_a_terminal")
async def test_ctrl_c_in_a_terminal_ends_the_answer_only(environment: dict[str, str]) -> None:
    parent_fd, child_fd = pty.openpty()
    try:
        process = await asyncio.create_subprocess_exec(
            FREEAICHAT,
            "chat",
            env=environment,
            stdin=child_fd,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        os.write(parent_fd, b"[[tokens:2000]] [[delay:0.05]]\n")
        async with asyncio.timeout(COMMAND_SECONDS):
            await process.stdout.readuntil(b" ")  # "> ", the question
            await process.stdout.read(1)  # the answer has begun
            process.send_signal(signal.SIGINT)
            os.write(parent_fd, b"[[say:afterwards]]\n/exit\n")
            output, errors = await process.communicate()
    finally:
        os.close(parent_fd)
        os.close(child_fd)

    assert process.returncode == 0
    assert "(stopped)" in errors.decode()
    assert "afterwards" in output.decode()


async def test_in_a_terminal_a_conversation_is_kept_until_exit(environment: dict[str, str]) -> None:
    parent_fd, child_fd = pty.openpty()
    try:
        process = await asyncio.create_subprocess_exec(
            FREEAICHAT, "chat", env=environment, stdin=child_fd, stdout=asyncio.subprocess.PIPE, stderr=child_fd
        )
        os.write(parent_fd, b"my name is Ada\n[[recall]]\n/exit\n")
        async with asyncio.timeout(COMMAND_SECONDS):
            output, _ = await process.communicate()
    finally:
        os.close(parent_fd)
        os.close(child_fd)

    assert process.returncode == 0
    assert output.decode().count("Ada") >= 2


async def test_the_sources_of_a_search_follow_the_answer(environment: dict[str, str]) -> None:
    code, output, errors = await chat(environment, "--search", "-m", "web-search-bot", "search it")

    assert code == 0, errors
    assert "websearch=1" in output
    answer, _, sources = output.partition("\nSources:\n")
    assert "websearch" in answer
    assert "- Example A: https://example.invalid/a" in sources
    assert "- 例子 B: " in sources
    assert errors == ""


async def test_a_search_that_the_model_does_not_have_is_reported(environment: dict[str, str]) -> None:
    code, output, errors = await chat(environment, "--search", "search it")

    assert (code, "search it" in output) == (0, True)
    assert errors == "(not to be had here: web_search)\n"


async def test_an_answer_that_breaks_off_is_reported_and_exits_1(environment: dict[str, str]) -> None:
    code, output, errors = await chat(environment, "[[mode:cut]] hi")

    assert code == 1
    assert output.endswith("\n")
    assert errors.startswith("freeaichat: ")


@pytest.mark.parametrize("model", [("-m", "m"), ()])
async def test_a_refused_key_is_reported_with_the_fix(tmp_path: Path, model: tuple[str, ...]) -> None:
    async with SimulatedSite() as site, running_proxy(site, tmp_path / "data", key="a key") as proxy:
        port = urlsplit(proxy.url).port or 0
        code, output, errors = await chat(clean_environment(tmp_path / "data", site.url, port), *model, "hi")

    assert (code, output) == (1, "")
    assert "set FREEAICHAT_API_KEY" in errors
