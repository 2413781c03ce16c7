"""One store, several processes: nothing is lost, nobody is locked out, everybody sees what is new."""

import asyncio
import os
import random
import sqlite3
import sys
from asyncio.subprocess import PIPE, Process
from contextlib import closing
from pathlib import Path
from time import monotonic, time

from shared.store import open_store
from tests.shared.samples import SITE, capture, conversation, texts_of

HAMMER_SECONDS = 3.0
KILLS = 10
STARTING_SECONDS = 1.5  # for four interpreters to be up and waiting


async def _start(job: str, url: str, name: str, seconds: float, *, start: float = 0.0) -> Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", "-m", "tests.shared.store_process"),
        *(job, url, name, str(seconds), str(start)),
        stdout=PIPE,
        stderr=PIPE,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPATH": "", "PYTHONDEVMODE": ""},
    )


async def _finish(process: Process) -> list[str]:
    """The lines it printed; it must have ended well and without a word of complaint."""
    out, complaints = await process.communicate()
    assert (process.returncode, complaints.decode()) == (0, "")
    return out.decode().split()


def _is_sound(url: str) -> bool:
    if not url.startswith("sqlite:///"):
        return True
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
        return bool(connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok")


async def test_two_processes_that_write_at_once_lose_no_turn(store_url: str) -> None:
    async with open_store(store_url) as store:
        await store.create_conversation(conversation("conv-1"))
        writers = [await _start("append_turns", store_url, name, HAMMER_SECONDS) for name in ("a", "b")]
        acknowledged = [text for writer in writers for text in await _finish(writer)]

        stored = texts_of(await store.conversation("conv-1"))

    assert {text[0] for text in acknowledged} == {"a", "b"}
    assert len(acknowledged) > 100
    assert sorted(stored) == sorted(acknowledged)
    for name in ("a", "b"):
        own = [int(text.partition("-")[2]) for text in stored if text.startswith(name)]
        assert own == sorted(own)
    assert _is_sound(store_url)


async def test_two_processes_that_renew_at_once_lose_no_generation(store_url: str) -> None:
    async with open_store(store_url) as store:
        await store.save_capture(capture(), base=0)
        writers = [await _start("renew_nonces", store_url, name, HAMMER_SECONDS / 2) for name in ("a", "b")]
        generations = [int(line) for writer in writers for line in await _finish(writer)]

        state = await store.site_state(SITE)

    assert state is not None
    assert sorted(generations) == list(range(2, state.current.generation + 1))
    assert len(generations) > 20


async def test_a_killed_writer_loses_nothing_it_was_told_is_kept(store_url: str) -> None:
    moments = random.Random(20261123)
    acknowledged: list[str] = []
    async with open_store(store_url) as store:
        await store.create_conversation(conversation("conv-1"))
    for number in range(KILLS):
        writer = await _start("append_turns", store_url, f"w{number}", 60.0)
        assert writer.stdout is not None
        first = await writer.stdout.readline()
        await asyncio.sleep(moments.uniform(0.0, 0.25))
        writer.kill()
        out, complaints = await writer.communicate()
        assert complaints == b""
        lines = (first + out).decode().split("\n")
        acknowledged += lines[:-1]  # what follows the last line end was cut

    async with open_store(store_url) as store:
        found = await store.conversation("conv-1")

    stored = texts_of(found)
    assert set(acknowledged) <= set(stored)
    assert len(stored) == len(set(stored)) <= len(acknowledged) + KILLS
    assert found is not None
    assert found.pending_turn is None or found.pending_turn.startswith(f"w{KILLS - 1}-")
    assert _is_sound(store_url)


async def test_a_reader_in_another_process_sees_new_credentials_within_a_second(store_url: str) -> None:
    async with open_store(store_url) as store:
        current = await store.save_capture(capture("nonce-0"), base=0)
        reader = await _start("print_nonces", store_url, "", 60.0)
        assert reader.stdout is not None
        assert await reader.stdout.readline() == b"nonce-0\n"
        for number in range(1, 6):
            await asyncio.sleep(0.13 * number)
            current = await store.save_nonce(SITE, f"nonce-{number}", checked_at=1.0, base=current.generation)
            began = monotonic()
            async with asyncio.timeout(5.0):
                assert await reader.stdout.readline() == b"nonce-%d\n" % number
            assert monotonic() - began < 1.0
        reader.kill()
        await reader.communicate()


async def test_a_fresh_store_may_be_opened_by_four_processes_at_once(store_url: str) -> None:
    names = ["a", "b", "c", "d"]
    for round_number in range(2):
        url = f"{store_url}{round_number}"
        start = time() + STARTING_SECONDS
        openers = [await _start("leave_a_note", url, name, 0.0, start=start) for name in names]
        assert [await _finish(opener) for opener in openers] == [[name] for name in names]
        async with open_store(url) as store:
            assert [await store.get_note(name) for name in names] == ["here"] * 4
        assert _is_sound(url)
