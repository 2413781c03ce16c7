"""Run another project's server as a process."""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from urllib.error import URLError
from urllib.request import urlopen

from tests.clients.running import environment

START_SECONDS = 120.0
STOP_SECONDS = 10.0


@contextmanager
def running_server(command: Sequence[str | Path], directory: Path, url: str) -> Iterator[None]:
    """Run *command* in *directory*; enter once *url* answers."""
    log = directory / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env=environment(directory), cwd=directory, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    try:
        _wait(process, url, log)
        yield
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    last = monotonic() + START_SECONDS
    while monotonic() < last:
        assert process.poll() is None, log.read_text("utf-8", "replace")[-4000:]
        try:
            with urlopen(url, timeout=5) as response:
                if response.status == 200:
                    return
        except (URLError, TimeoutError, ConnectionError):
            sleep(0.05)
    raise AssertionError(f"not there in time:\n{log.read_text('utf-8', 'replace')[-4000:]}")
