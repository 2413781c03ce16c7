"""Real Redis servers for tests."""

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

import redis

START_SECONDS = 10.0


class RedisServer:
    """One redis-server on a port of this machine, with its files in a directory of its own."""

    def __init__(self, directory: Path, port: int, *options: str) -> None:
        self._directory = directory
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self.port = port
        self.url = f"redis://127.0.0.1:{port}/"  # a database's number may follow
        self.socket = directory / "redis.sock"

    def start(self) -> None:
        """Start it and wait until it answers; what it kept on disk is there again."""
        self._process = subprocess.Popen(
            (
                *("redis-server", "--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self._directory)),
                *("--unixsocket", str(self.socket), "--save", "", "--logfile", "redis.log", *self._options),
            ),
            # Not the output of the tests: whoever reads that to its end would wait for a server that is left over.
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = monotonic() + START_SECONDS
        while not self._answers():
            assert monotonic() < deadline, (self._directory / "redis.log").read_text()
            sleep(0.02)

    def _answers(self) -> bool:
        with redis.Redis(port=self.port, socket_timeout=1) as client:
            try:
                return bool(client.ping())
            except redis.AuthenticationError:
                return True
            except redis.RedisError:
                return False

    def kill(self) -> None:
        """End it as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        """Let it answer nothing, though connections to it still stand."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def command(self, *words: str | bytes | int) -> object:
        """Run a command; return its reply."""
        with redis.Redis(port=self.port) as client:
            return client.execute_command(*words)


@contextmanager
def running_redis(directory: Path, port: int, *options: str) -> Iterator[RedisServer]:
    """A server with more *options* of its command line, until the end of the block."""
    directory.mkdir(parents=True, exist_ok=True)
    server = RedisServer(directory, port, *options)
    server.start()
    try:
        yield server
    finally:
        server.kill()
