"""Running an image's root file system as a container engine would, with what the Compose file asks for.

Read-only root, an unprivileged user without any capability, its own process namespace, 64 MB of /dev/shm, a fresh
/tmp; the network is this machine's.
"""

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from shlex import join, quote

import psutil

DEVICES = ("null", "zero", "full", "random", "urandom")
STOP_SECONDS = 25.0  # the Compose file gives 20


@dataclass(frozen=True, slots=True)
class Image:
    """An unpacked image: its root, and the configuration that an engine reads, as Docker writes it."""

    root: Path
    config: Mapping[str, object]

    @property
    def environment(self) -> dict[str, str]:
        """The variables the image sets."""
        return dict(str(entry).split("=", 1) for entry in self._list("Env"))

    @property
    def healthcheck(self) -> list[str]:
        """The command of its HEALTHCHECK."""
        check = self.config["Healthcheck"]
        assert isinstance(check, dict)
        kind, *command = check["Test"]
        assert kind == "CMD"
        return list(command)

    def command(self, *arguments: str) -> list[str]:
        """What an engine starts for *arguments*; none: the image's own."""
        return [*self._list("Entrypoint"), *(arguments or self._list("Cmd"))]

    def _list(self, name: str) -> list[str]:
        value = self.config[name]
        assert isinstance(value, list)
        return value


@dataclass(frozen=True, slots=True)
class Container:
    """One running container. Its output goes to the file `log`."""

    image: Image
    process: subprocess.Popen[bytes]
    log: Path
    environment: Mapping[str, str]

    @property
    def first(self) -> psutil.Process:
        """Process 1 of the container, seen from outside."""
        return psutil.Process(self.process.pid).children()[0]

    def everything(self) -> list[psutil.Process]:
        """All processes in the container."""
        return [self.first, *self.first.children(recursive=True)]

    def execute(self, *command: str) -> str:
        """Run *command* inside, as `docker exec` does; what it prints. Raises CalledProcessError."""
        inside = ["nsenter", "--target", str(self.first.pid), "--mount", "--pid", "--root", "--"]
        words = [*inside, *_unprivileged(self.image, self.environment), *command]
        return subprocess.run(words, check=True, capture_output=True, text=True).stdout

    def is_healthy(self) -> bool:
        """Whether the image's HEALTHCHECK succeeds."""
        with suppress(subprocess.CalledProcessError):
            self.execute(*self.image.healthcheck)
            return True
        return False

    def stop(self) -> int:
        """`docker stop`; the exit code. Raises TimeoutExpired where it had to be killed."""
        self.first.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_SECONDS)


@contextmanager
def running(
    image: Image, *arguments: str, data: Path, project: Path, settings: Mapping[str, str], log: Path
) -> Iterator[Container]:
    """Start a container as the Compose file does: *data* is its volume, `.env` lies in *project*.

    *settings* go into its environment.
    """
    environment = {**image.environment, **settings}
    start = [*_unprivileged(image, environment), *image.command(*arguments)]
    script = "\n".join([*_mounts(image.root, data, project), f"exec chroot {quote(str(image.root))} {join(start)}"])
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["unshare", "--mount", "--pid", "--fork", "--kill-child", "bash", "-euc", script],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield Container(image, process, log, environment)
    finally:
        if process.poll() is None:
            process.kill()  # and with it all of the namespace
            process.wait()


def _mounts(root: Path, data: Path, project: Path) -> Iterator[str]:
    """Shell commands that lay out the file systems of a container in its own mount namespace."""
    place = quote(str(root))
    yield f"mount --bind {place} {place}"
    yield f"mount --bind {quote(str(data))} {place}/data"
    yield f"mount --bind {quote(str(project))} {place}/etc/freeaichat"
    yield f"mount -t tmpfs -o mode=755 tmpfs {place}/dev"
    for name in DEVICES:
        yield f"touch {place}/dev/{name}; mount --bind /dev/{name} {place}/dev/{name}"
    yield f"mkdir {place}/dev/shm; mount -t tmpfs -o size=64m,mode=1777 tmpfs {place}/dev/shm"
    yield f"mount -t tmpfs -o mode=1777,nosuid,nodev,noexec tmpfs {place}/tmp"
    yield f"mount -t proc proc {place}/proc"
    yield f"mount -o remount,bind,ro {place}"


def _unprivileged(image: Image, environment: Mapping[str, str]) -> Sequence[str]:
    user, group = str(image.config["User"]).split(":")
    drop = ("--bounding-set=-all", "--inh-caps=-all", "--ambient-caps=-all", "--no-new-privs")
    variables = [f"{name}={value}" for name, value in environment.items()]
    directory = ("env", "-C", str(image.config["WorkingDir"]), "-i", *variables)
    return ("setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups", *drop, *directory)


def make_volume(path: Path, image: Image) -> Path:
    """A directory as an engine makes it for a new volume: owned as in the image."""
    path.mkdir(mode=0o700, parents=True)
    like = (image.root / "data").stat()
    os.chown(path, like.st_uid, like.st_gid)
    return path
