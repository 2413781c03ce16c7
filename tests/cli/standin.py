"""A fake service: `python -m tests.cli.standin MODE FILE` appends its process id to FILE, then behaves by MODE.

Modes: `serve` ends well at SIGTERM or when its parent is gone, and adds its id once it watches for both; `stubborn`
does not end at SIGTERM, adds its id again for each, and keeps a child of its own, `sleep`, in its process group;
`exit:N` ends with code N; `crash` ends with code 1 and leaves such a child behind.
"""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from shared.processes.lifeline import on_parent_exit


def note(file: Path, pid: int) -> None:
    with file.open("a") as out:
        out.write(f"{pid}\n")


async def serve(file: Path) -> None:
    over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
    on_parent_exit(over.set)
    note(file, os.getpid())
    await over.wait()


def leave_sleeper(file: Path) -> None:
    sleeper = subprocess.Popen(["sleep", "300"])
    note(file, sleeper.pid)
    sleeper.returncode = 0  # it is meant to outlive us: no warning at exit


def main(mode: str, file: Path) -> int:
    if mode == "serve":
        asyncio.run(serve(file))
        return 0
    note(file, os.getpid())
    if mode == "stubborn":
        signal.signal(signal.SIGTERM, lambda *_: note(file, os.getpid()))
        leave_sleeper(file)
        time.sleep(300)
    elif mode == "crash":
        leave_sleeper(file)
        return 1
    return int(mode.removeprefix("exit:")) if mode.startswith("exit:") else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
