"""Children exit when their parent does, however it ended."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE
from pathlib import Path
from time import monotonic

import pytest

from shared.processes.lifeline import ENVIRONMENT_NAME, Lifeline, on_parent_exit


def _is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"  # one that ended and that nobody has waited for


@pytest.mark.parametrize("ending", ["killed", "terminated", "by itself"])
async def test_children_end_within_a_second_of_their_parent(tmp_path: Path, ending: str) -> None:
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.shared.processes.lifeline_process", "parent", str(tmp_path / "child")),
        stdin=PIPE,
        stdout=PIPE,
        cwd=Path(__file__).parents[3],
    )
    assert parent.stdout is not None
    assert parent.stdin is not None
    children = [int(word) for word in (await parent.stdout.readline()).split()]
    assert [_is_running(pid) for pid in children] == [True, True]

    began = monotonic()
    match ending:
        case "killed":
            parent.kill()
        case "terminated":
            parent.terminate()
        case _:
            parent.stdin.close()
    await parent.wait()
    while any(_is_running(pid) for pid in children) and monotonic() - began < 5.0:
        await asyncio.sleep(0.01)

    assert monotonic() - began < 1.0
    assert [(tmp_path / f"child{number}").read_text() for number in range(2)] == ["ended", "ended"]


async def _poll_once() -> None:
    """Wait until the loop has looked at its descriptors: what there was to see on any of them has been told."""
    seen, loop = asyncio.Event(), asyncio.get_running_loop()
    read_end, write_end = os.pipe()
    loop.add_reader(read_end, seen.set)
    os.write(write_end, b"x")
    await seen.wait()
    loop.remove_reader(read_end)
    os.close(read_end)
    os.close(write_end)


async def test_cutting_the_lifeline_ends_the_child(monkeypatch: pytest.MonkeyPatch) -> None:
    lifeline = Lifeline()
    monkeypatch.setenv(ENVIRONMENT_NAME, lifeline.environment[ENVIRONMENT_NAME])
    calls: list[str] = []
    on_parent_exit(lambda: calls.append("gone"))
    await _poll_once()
    assert calls == []

    lifeline.stop()
    await _poll_once()
    await _poll_once()

    assert calls == ["gone"]
    lifeline.close_child_end()


async def test_without_a_lifeline_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ENVIRONMENT_NAME, raising=False)
    calls: list[str] = []
    on_parent_exit(lambda: calls.append("gone"))
    await _poll_once()
    assert calls == []
