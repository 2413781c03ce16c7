"""Network namespaces on one machine, joined by a bridge; each can be cut off.

Everything lasts as long as the process that calls `set_up`, which has to run in fresh network and mount namespaces:
`command_in_fresh_namespaces` starts it so, as root or, where the system lets users do it, as anyone.
"""

import asyncio
import json
import os
import subprocess
from dataclasses import dataclass
from typing import Any

HERE = "10.77.0.1"  # the address of the calling process in the bridge's network
ANSWER_SECONDS = 90


def command_in_fresh_namespaces(*command: str) -> list[str]:
    """*command*, where it may make networks without touching the machine's own, and what it starts ends with it."""
    as_user = [] if os.geteuid() == 0 else ["--map-root-user"]
    return ["unshare", *as_user, "--net", "--mount", "--pid", "--mount-proc", "--fork", "--kill-child", *command]


@dataclass(frozen=True, slots=True)
class Network:
    """One network namespace; *entering* is the command prefix that runs a program in it."""

    name: str

    @property
    def entering(self) -> tuple[str, ...]:
        """What to put before a command."""
        return ("ip", "netns", "exec", self.name)

    def cut(self) -> None:
        """Disconnect it from the bridge."""
        _run("ip", "link", "set", f"{self.name}-plug", "down")

    def heal(self) -> None:
        """Reconnect it."""
        _run("ip", "link", "set", f"{self.name}-plug", "up")

    async def ask(self, port: int, path: str, body: dict[str, Any] | None = None) -> tuple[int, Any]:
        """Status and JSON of a service in it, asked from inside; 0 where nobody answers."""
        data = [] if body is None else ["-H", "Content-Type: application/json", "-d", json.dumps(body)]
        process = await asyncio.create_subprocess_exec(
            *(
                *self.entering,
                "curl",
                "-s",
                "-m",
                "30",
                "-w",
                "\n%{http_code}",
                *data,
                f"http://127.0.0.1:{port}{path}",
            ),
            stdout=asyncio.subprocess.PIPE,
        )
        output, _ = await process.communicate()
        text, _, status = output.decode().rpartition("\n")
        return int(status), json.loads(text) if text else None


def set_up(*names: str) -> list[Network]:
    """Networks of these names, with addresses 10.77.0.11, .12 and so on, whose bridge is `HERE`."""
    _run("mount", "-t", "tmpfs", "none", "/run")  # where `ip netns` keeps names; ours alone
    _run("ip", "link", "set", "lo", "up")
    _run("ip", "link", "add", "bridge", "type", "bridge")
    _run("ip", "address", "add", f"{HERE}/24", "dev", "bridge")
    _run("ip", "link", "set", "bridge", "up")
    for number, name in enumerate(names, 11):
        inside = ("ip", "-n", name)
        _run("ip", "netns", "add", name)
        _run("ip", "link", "add", f"{name}-plug", "type", "veth", "peer", "name", "eth0", "netns", name)
        _run("ip", "link", "set", f"{name}-plug", "master", "bridge", "up")
        _run(*inside, "link", "set", "lo", "up")
        _run(*inside, "address", "add", f"10.77.0.{number}/24", "dev", "eth0")
        _run(*inside, "link", "set", "eth0", "up")
    return [Network(name) for name in names]


def _run(*command: str) -> None:
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, f"{' '.join(command)}: {result.stderr}"
