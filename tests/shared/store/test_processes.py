"""One store in several processes: nothing is lost, none is locked out, all see changes."""

import asyncio
import os
import random
import signal
import sqlite3
import sys
from asyncio.subprocess import PIPE, Process
from contextlib import closing
from pathlib import Path
from time import monotonic, time

import pytest

from shared.store import open_store
from tests.figures import figure
from tests.redis_server import RedisServer
from tests.shared.samples import SITE, capture, conversation, texts_of, visit

HAMMER_SECONDS = 1.5
KILLS = 5
ROUNDS = 25
STARTING_SECONDS = 1.5  # for four interpreters to be up and waiting


async def _start(job: str, url: str, name: str, seconds: float, *, start: float = 0.0) -> Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", "-m", "tests.shared.store.process"),
        *(job, url, name, str(seconds), str(start)),
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
        cwd=Path(__file__).parents[3],
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
        numbers = [int(text.partition("-")[2]) for text in stored if text.startswith(name)]
        assert numbers == sorted(numbers)
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


async def test_processes_that_compete_for_a_site_visit_it_one_at_a_time(store_url: str, tmp_path: Path) -> None:
    async with open_store(store_url):
        directory = str(tmp_path / "visiting")
        visitors = [await _start("take_turns_to_visit", store_url, directory, HAMMER_SECONDS / 2) for _ in range(3)]
        visits = [await _finish(visitor) for visitor in visitors]

    assert sum(map(len, visits)) > 20


async def test_a_holder_that_was_paused_for_longer_than_its_claim_undoes_nothing(store_url: str) -> None:
    async with open_store(store_url) as store:
        paused = await _start("visit_slowly", store_url, "old-nonce", 1.0)
        assert paused.stdout is not None
        assert await paused.stdout.readline() == b"begun\n"
        paused.send_signal(signal.SIGSTOP)
        assert not await store.begin_visit(SITE, "other", at=time(), ttl=60.0)
        async with asyncio.timeout(5.0):
            while not await store.begin_visit(SITE, "other", at=time(), ttl=60.0):
                await asyncio.sleep(0.02)
        newer = await store.save_capture(capture("new-nonce"), base=0)

        paused.send_signal(signal.SIGCONT)
        out, complaints = await paused.communicate(b"\n")

        assert (out, complaints) == (b"new-nonce\nended\n", b"")
        state = await store.site_state(SITE)
        assert state is not None
        assert state.current == newer
        assert not await store.begin_visit(SITE, "third", at=time(), ttl=60.0)
        await store.end_visit(visit(2), "other")
        assert await store.begin_visit(SITE, "third", at=time(), ttl=60.0)


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


@pytest.mark.alone
async def test_new_credentials_reach_another_process_within_a_tenth_of_a_second_through_redis(
    redis_server: RedisServer,
) -> None:
    async with open_store(redis_server.url) as store:
        current = await store.save_capture(capture("nonce-0"), base=0)
        reader = await _start("print_nonces", redis_server.url, "", 60.0)
        assert reader.stdout is not None
        assert await reader.stdout.readline() == b"nonce-0\n"
        delays = []
        for number in range(1, ROUNDS + 1):
            await asyncio.sleep(0.06 + 0.001 * number)  # not in step with anything
            started = monotonic()
            current = await store.save_nonce(SITE, f"nonce-{number}", checked_at=1.0, base=current.generation)
            assert await reader.stdout.readline() == b"nonce-%d\n" % number
            delays.append(monotonic() - started)
        reader.kill()
        await reader.communicate()

    delays.sort()
    figure("new credentials to another process through Redis, median", f"{delays[ROUNDS // 2] * 1000:.1f} ms")
    figure(f"new credentials to another process through Redis, worst of {ROUNDS}", f"{delays[-1] * 1000:.1f} ms")
    assert delays[-1] < 0.1
