"""What the READMEs tell people to type works as it stands there, with only port, site and account replaced.

Not here: the JavaScript block; the test command, which `.ci/run` runs; the Docker block, which needs an engine: what it
starts is run by `.ci/image`.
"""

import asyncio
import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.processes import ended
from tests.deploy.test_package import check_program
from tests.needs import QUICK_PIP
from tests.ports import a_free_port
from tests.site import SimulatedSite

ROOT = Path(__file__).parents[2]
READMES = ("README.md", "README.zh-CN.md")
ELSEWHERE = {"test-command", "docker"}
BLOCK = re.compile(r"(?:<!-- (?P<mark>[\w-]+) -->\n)?```(?P<language>sh|python|js)\n(?P<text>.*?)```", re.DOTALL)
ADDRESS = "http://127.0.0.1:8080"
SHELLS = {"python": (sys.executable, "-c"), "sh": ("bash", "-euo", "pipefail", "-c")}  # where one types it
INSTALL_SECONDS = 300

pytestmark = pytest.mark.usefixtures("as_users_run_it")


@dataclass(frozen=True, slots=True)
class Block:
    """One block of a README, and the mark that stands above it."""

    mark: str
    language: str
    text: str


def blocks(name: str) -> list[Block]:
    """All blocks of the README *name* that somebody may type or paste."""
    found = BLOCK.finditer((ROOT / name).read_text("utf-8"))
    return [Block(one["mark"] or "", one["language"], one["text"]) for one in found]


def marked(mark: str) -> str:
    """The text of the block with *mark*, which is the same in both READMEs."""
    texts = [block.text for name in READMES for block in blocks(name) if block.mark == mark]
    assert len(texts) == len(READMES)
    assert len(set(texts)) == 1
    return texts[0]


async def typed(text: str, url: str, *command: str) -> str:
    """What *text* prints, given to *command* while the gateway runs at *url*."""
    process = await asyncio.create_subprocess_exec(
        *command, text.replace(ADDRESS, url), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, output.decode()
    return output.decode()


@pytest.mark.timeout(INSTALL_SECONDS)
async def test_the_one_command_gets_a_fresh_clone_to_serve_and_what_is_shown_for_use_gets_answers(
    tmp_path: Path,
) -> None:
    shown = {name: {block for block in blocks(name) if block.language in SHELLS and not block.mark} for name in READMES}
    assert all(len(found) >= 3 for found in shown.values())
    clone = tmp_path / "clone"
    _copy_sources(clone)
    port = a_free_port()
    async with SimulatedSite() as site:
        settings = {
            "FREEAICHAT_SITES": site.url,
            "FREEAICHAT_PORT": str(port),
            "FREEAICHAT_DATA_DIR": str(tmp_path / "data"),
            "FREEAICHAT_MODELS": "gpt-4o-mini=5",
            **QUICK_PIP,
        }
        process = await asyncio.create_subprocess_exec(
            *("bash", "-c", f"exec 2>&1; {marked('main-command')}"),
            cwd=clone,
            env=os.environ | settings,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        assert process.stdout is not None
        printed = b""
        try:
            async for line in process.stdout:
                printed += line
                if line.startswith(b"curl "):
                    for block in set.union(*shown.values()):  # most are the same in both
                        answers = await typed(block.text, f"http://127.0.0.1:{port}", *SHELLS[block.language])
                        assert "You said" in answers
                        assert '"error"' not in answers
                    os.killpg(process.pid, signal.SIGINT)
            code = await ended(process, 30)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    assert f"base URL: http://127.0.0.1:{port}/v1" in printed.decode(), printed.decode()
    assert code in (0, -signal.SIGINT, 128 + signal.SIGINT)


@pytest.mark.timeout(INSTALL_SECONDS)
def test_the_package_command_installs_from_a_clone_what_runs_anywhere(tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    _copy_sources(clone)
    homes = {name: str(tmp_path / name) for name in ("PIPX_HOME", "PIPX_BIN_DIR", "PIPX_MAN_DIR")}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"

    _run(marked("package"), clone, PIPX_DEFAULT_PYTHON=sys.executable, PATH=path, **homes, **QUICK_PIP)

    check_program(f"{homes['PIPX_BIN_DIR']}/freeaichat", cwd=tmp_path)


def test_the_space_commands_make_a_space_of_the_repository(tmp_path: Path) -> None:
    remote, clone = tmp_path / "remote.git", tmp_path / "clone"
    _copy_sources(clone)
    author = ("-c", "user.name=A", "-c", "user.email=a@example")
    for command in (("init", "-q"), ("add", "-A"), (*author, "commit", "-qm", "all")):
        subprocess.run(("git", *command), cwd=clone, check=True)
    subprocess.run(("git", "init", "-q", "--bare", remote), check=True)
    environment = {
        "GIT_CONFIG_COUNT": "3",
        "GIT_CONFIG_KEY_0": f"url.{remote}.insteadOf",
        "GIT_CONFIG_VALUE_0": "https://huggingface.co/spaces/YOU/SPACE",
        "GIT_CONFIG_KEY_1": "user.name",
        "GIT_CONFIG_VALUE_1": "A",
        "GIT_CONFIG_KEY_2": "user.email",
        "GIT_CONFIG_VALUE_2": "a@example",
    }

    _run(marked("space"), clone, **environment)

    subprocess.run(("git", "clone", "-q", remote, "pushed"), cwd=tmp_path, check=True)
    readme = (tmp_path / "pushed/README.md").read_text("utf-8")
    ports = re.findall(r"^app_port: (\d+)$", readme, re.MULTILINE)
    assert readme.startswith("---\n")
    assert "sdk: docker" in readme
    assert (tmp_path / "pushed/Dockerfile").read_text().endswith(f"\nENV FREEAICHAT_PORT={ports[0]}\n")
    files = [file for file in (tmp_path / "pushed").rglob("*") if file.is_file() and ".git" not in file.parts]
    assert [file for file in files if b"\0" in file.read_bytes()] == []  # which Spaces refuse, of any size


def test_every_block_to_type_is_run_somewhere() -> None:
    ran = {"main-command", "package", "space", ""}
    assert {block.mark for name in READMES for block in blocks(name)} == ran | ELSEWHERE


def _copy_sources(target: Path) -> None:
    """A fresh clone of the files as they are now."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)


def _run(text: str, cwd: Path, **settings: str) -> None:
    result = subprocess.run(
        ["bash", "-euc", text], cwd=cwd, env=os.environ | settings, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
