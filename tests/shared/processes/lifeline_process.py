"""Processes around a lifeline: `python -m tests.shared.processes.lifeline_process ROLE FILE`.

A `parent` starts a child and then sleeps; a `child` prints "ended" to FILE and ends when its parent is gone.
"""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

from shared.processes.lifeline import ENVIRONMENT_NAME, Lifeline, on_parent_exit


def parent(file: str) -> None:
    """Start two children, each on a lifeline of its own, and sleep."""
    children = []
    for number in range(2):
        lifeline = Lifeline()
        children.append(
            subprocess.Popen(
                [sys.executable, "-m", "tests.shared.processes.lifeline_process", "child", f"{file}{number}"],
                pass_fds=lifeline.pass_fds,
                env={**os.environ, **lifeline.environment},
                stdout=subprocess.PIPE,
            )
        )
        lifeline.close_child_end()
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == b"running\n"
    print(*(child.pid for child in children), flush=True)
    sys.stdin.read()


async def child(file: str) -> None:
    """Run until the parent is gone; a child of our own, which knows of no lifeline, must not keep us."""
    gone = asyncio.Event()
    on_parent_exit(gone.set)
    is_inherited = ENVIRONMENT_NAME in os.environ
    sleeper = await asyncio.create_subprocess_exec("sleep", "60")
    print("ended early" if gone.is_set() else "running", flush=True)
    await gone.wait()
    sleeper.kill()
    await sleeper.wait()
    Path(file).write_text("inherited" if is_inherited else "ended")  # noqa: ASYNC240


if __name__ == "__main__":
    role, path = sys.argv[1:]
    if role == "parent":
        parent(path)
    else:
        asyncio.run(child(path))
